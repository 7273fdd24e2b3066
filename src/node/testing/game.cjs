// The game of the tests: says that it is ready, answers `echo …`, and does what a bad game does when told: `eat` takes all
// memory, `fork` starts processes, `crash N` ends, `deaf` ignores the stop.
const { spawn } = require('node:child_process')
const { createInterface } = require('node:readline')
const say = (text) => process.stdout.write(`${text}\n`)
let deaf = false
const hoard = []
const commands = {
  echo: (text) => say(`echo ${text}`),
  env: (name) => say(`env ${name}=${process.env[name]}`),
  stop: () => {
    if (!deaf) {
      say('bye')
      process.exit(0)
    }
  },
  crash: (code) => process.exit(Number(code)),
  deaf: () => {
    deaf = true
    say('deaf now')
  },
  flood: (count) => {
    for (let line = 0; line < Number(count); line++) say(`flood ${line}`)
  },
  eat: () => {
    for (;;) hoard.push(Buffer.alloc(4 * 1024 * 1024, 1))
  },
  fork: (count) => {
    let failed = 0
    for (let child = 0; child < Number(count); child++)
      spawn('sleep', ['100'], { stdio: 'ignore' }).on('error', () => {
        if (++failed === 1) say('fork refused')
      })
  },
  eval: (code) => {
    try {
      // biome-ignore lint/security/noGlobalEval: the test tries what a hostile server would try
      say(`eval ${JSON.stringify(eval(code))}`)
    } catch (error) {
      say(`eval failed ${error.code}`)
    }
  },
}
createInterface({ input: process.stdin }).on('line', (line) => {
  const [name, ...rest] = line.split(' ')
  commands[name]?.(rest.join(' '))
})
process.on('SIGTERM', () => {
  say('got SIGTERM')
  process.exit(0)
})
setInterval(() => {}, 1000)
if (process.env.MODE !== 'silent') say('Ready to play')
