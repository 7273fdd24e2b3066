import { phrases } from '../i18n/language.tsx'

export const placementText = phrases({
  en: {
    runtime: 'Where it runs',
    runtimes: {
      auto: 'In a container where a machine runs them, else in the sandbox',
      docker: 'In a container',
      sandbox: 'In the sandbox',
    },
    image: 'Container image',
    usualImage: 'The usual one of its kind',
    imageHint: 'Its kind names these. Which one fits depends on the version of the game.',
    otherImage: 'Another image',
    otherImageHint:
      'As “docker pull” takes it. Only you, who run this installation, may choose one that its kind does not name.',
    placement: 'Where it is placed',
    best: 'The machine with the most room',
    room: (name: string, memory: string) => `${name}: ${memory} of memory to give`,
    anyRoom: (name: string) => `${name}: any amount of memory`,
    away: (name: string) => `${name} (away)`,
    inMaintenance: (name: string) => `${name} (in maintenance)`,
    noContainers: (name: string) => `${name} (runs no containers)`,
    labels: 'Only machines with these labels',
    anyLabel: 'any',
    tooMuch: (name: string, memory: string) => `${name} has only ${memory} of memory to give.`,
  },
  de: {
    runtime: 'Wo er läuft',
    runtimes: {
      auto: 'Im Container, wo eine Maschine das kann, sonst in der Sandbox',
      docker: 'In einem Container',
      sandbox: 'In der Sandbox',
    },
    image: 'Container-Image',
    usualImage: 'Das übliche seiner Art',
    imageHint: 'Diese nennt seine Art. Welches passt, hängt von der Version des Spiels ab.',
    otherImage: 'Ein anderes Image',
    otherImageHint:
      'Wie „docker pull“ es nimmt. Nur du als Betreiber dieser Installation darfst eines wählen, das seine Art nicht nennt.',
    placement: 'Wo er platziert wird',
    best: 'Die Maschine mit dem meisten Platz',
    room: (name: string, memory: string) => `${name}: ${memory} Speicher zu vergeben`,
    anyRoom: (name: string) => `${name}: beliebig viel Speicher`,
    away: (name: string) => `${name} (weg)`,
    inMaintenance: (name: string) => `${name} (in Wartung)`,
    noContainers: (name: string) => `${name} (keine Container)`,
    labels: 'Nur Maschinen mit diesen Merkmalen',
    anyLabel: 'egal',
    tooMuch: (name: string, memory: string) => `${name} hat nur noch ${memory} Speicher zu vergeben.`,
  },
})
