// Starts flying-squid with the settings that the template's variables give. Its own starter ignores them.
const { setFlagsFromString } = require('node:v8')
const defaults = require('flying-squid/config/default-settings.json')
const { createMCServer } = require('flying-squid')

const setting = process.env
// The heap leaves a quarter of the memory limit to everything else.
setFlagsFromString(`--max-old-space-size=${Math.floor(Number(setting.SERVER_MEMORY_MB) * 0.75)}`)

const server = createMCServer({
  ...defaults,
  port: Number(setting.SERVER_PORT),
  version: setting.MINECRAFT_VERSION,
  motd: setting.MOTD,
  'max-players': Number(setting.MAX_PLAYERS),
  'online-mode': setting.ONLINE_MODE === 'true',
  gameMode: { survival: 0, creative: 1, adventure: 2, spectator: 3 }[setting.GAMEMODE],
  difficulty: { peaceful: 0, easy: 1, normal: 2, hard: 3 }[setting.DIFFICULTY],
  'view-distance': Number(setting.VIEW_DISTANCE),
  worldFolder: 'world',
  generation: { name: setting.WORLD, options: { worldHeight: 80 } },
})

// It listens before its world is there, and sends players away until then.
const waitsFor = new Set(['listening', 'pluginsReady'])
for (const event of waitsFor)
  server.once(event, () => {
    waitsFor.delete(event)
    if (waitsFor.size === 0) console.log('Ready for players')
  })
