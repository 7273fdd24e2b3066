/** The command line as shells complete it. */
export interface Grammar {
  /** `pharos`, `servers`, `create` */
  name: string
  summary: string
  flags: readonly GrammarFlag[]
  commands: readonly Grammar[]
  /** What follows its words is a command line of another program. */
  runsProgram: boolean
}

export interface GrammarFlag {
  /** `--from` */
  long: string
  /** `-d`; null where it has none. */
  short: string | null
  help: string
  takesValue: boolean
  /** Everything its value may be; null where that is no list. */
  values: readonly string[] | null
}

/** A command with the words that lead to it: `['servers', 'create']`; none for the program itself. */
export interface Place {
  words: readonly string[]
  command: Grammar
}

/** The program and every command below it. */
export function placesIn(grammar: Grammar, words: readonly string[] = []): Place[] {
  return [
    { words, command: grammar },
    ...grammar.commands.flatMap((command) => placesIn(command, [...words, command.name])),
  ]
}

export const namesOf = ({ long, short }: GrammarFlag): string[] => (short === null ? [long] : [short, long])
