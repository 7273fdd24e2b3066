import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type Project, prepare } from './dev-server.ts'
import { choosePort } from './found-port.ts'

const host = 'web.acme.example.org'
const projectWith = (scripts: Record<string, string>, packages: string[] = [], proxies = false): Project => ({
  scripts,
  packages: new Set(packages),
  proxies,
})
const prepared = (line: string, project: Project | null = null, at: string | null = host) =>
  prepare({ command: line.split(' '), port: 4321, host: at, project })

describe('a command is started', () => {
  const flags: Record<string, string> = {
    vite: 'vite --port 4321 --strictPort',
    'npx vite': 'npx vite --port 4321 --strictPort',
    'npx -y vite dev': 'npx -y vite dev --port 4321 --strictPort',
    'pnpm exec vite preview': 'pnpm exec vite preview --port 4321 --strictPort',
    'yarn vite': 'yarn vite --port 4321 --strictPort',
    './node_modules/.bin/vite': './node_modules/.bin/vite --port 4321 --strictPort',
    'npx astro dev': 'npx astro dev --port 4321',
    'ng serve': 'ng serve --port 4321',
    'webpack serve': `webpack serve --port 4321 --client-web-socket-url-port 0 --allowed-hosts ${host}`,
    'python3 manage.py runserver': 'python3 manage.py runserver 127.0.0.1:4321',
  }
  for (const [line, expected] of Object.entries(flags))
    test(`with a port: ${line}`, () => assert.equal(prepared(line).command.join(' '), expected))

  for (const line of [
    'vite --port 3000',
    'vite -p=3000',
    'vite build',
    'webpack --watch',
    'astro build',
    'python3 manage.py migrate',
    'python3 manage.py runserver 8000',
    'npm run dev',
    'node server.js',
    'cargo run',
  ])
    test(`as it is: ${line}`, () => assert.equal(prepared(line).command.join(' '), line))

  test('with a port handed on to the script behind it, which npm wants after two hyphens', () => {
    const project = projectWith({ dev: 'cross-env DEBUG=1 vite', start: 'vite', both: 'vite & node api.js' })
    assert.equal(prepared('npm run dev', project).command.join(' '), 'npm run dev -- --port 4321 --strictPort')
    assert.equal(prepared('npm start', project).command.join(' '), 'npm start -- --port 4321 --strictPort')
    assert.equal(
      prepared('npm run dev -- --open', project).command.join(' '),
      'npm run dev -- --open --port 4321 --strictPort',
    )
    assert.equal(prepared('pnpm dev', project).command.join(' '), 'pnpm dev --port 4321 --strictPort')
    assert.equal(prepared('npm run both', project).command.join(' '), 'npm run both')
  })

  test('with its host in the variables that dev servers read, and without one where there is none', () => {
    assert.partialDeepStrictEqual(prepared('anything').env, {
      PORT: '4321',
      __VITE_ADDITIONAL_SERVER_ALLOWED_HOSTS: host,
      RAILS_DEVELOPMENT_HOSTS: host,
    })
    assert.ok(!Object.values(prepared('anything', null, null).env).includes(host))
  })

  test('without the check of hosts only where Create React App has a proxy, and so no list to add to', () => {
    const dangerous = (project: Project): boolean =>
      'DANGEROUSLY_DISABLE_HOST_CHECK' in prepared('npm start', project).env
    assert.equal(dangerous(projectWith({}, ['react-scripts'], true)), true)
    assert.equal(dangerous(projectWith({}, ['react-scripts'])), false)
    assert.equal(dangerous(projectWith({}, ['vite'], true)), false)
  })

  test('with a word on what only a file of the project can say', () => {
    assert.match(
      prepared('npm run dev', projectWith({ dev: 'next dev' })).advice ?? '',
      /allowedDevOrigins: \['web\.acme/,
    )
    assert.match(prepared('python manage.py runserver').advice ?? '', /ALLOWED_HOSTS/)
    assert.equal(prepared('npx next dev', null, 'web.acme.localhost').advice, null)
    assert.equal(prepared('npx vite').advice, null)
  })
})

describe('the port of a command', () => {
  const at = (address: string, port: number) => ({ address, port })

  test('is the one that it was told, as soon as it listens there', () => {
    assert.deepEqual(choosePort([at('127.0.0.1', 4000), at('::1', 4321)], 4321, false), {
      host: 'localhost',
      port: 4321,
      others: [],
    })
  })

  test('is another one only once it had time to open all of them, and then the lowest', () => {
    const listeners = [at('::', 5173), at('0.0.0.0', 4000), at('127.0.0.1', 9229)]
    assert.equal(choosePort(listeners, 4321, false), null)
    assert.deepEqual(choosePort(listeners, 4321, true), { host: 'localhost', port: 4000, others: [5173] })
  })

  test('is never a debugger’s', () => {
    assert.equal(choosePort([at('127.0.0.1', 9229)], 4321, true), null)
  })

  test('is looked for where it listens, if that is no loopback address', () => {
    assert.deepEqual(choosePort([at('192.0.2.7', 4321)], 4321, true), { host: '192.0.2.7', port: 4321, others: [] })
  })
})
