import { type Grammar, placesIn } from './grammar.ts'

/** The completion of this command line for fish. */
export function fishCompletion(grammar: Grammar): string {
  const places = placesIn(grammar)
  const paths = places.slice(1).map(({ words }) => quoted(words.join(' ')))
  const rules = places.flatMap(({ words, command }) => {
    const at = `complete -c pharos -n ${quoted(`__pharos_at ${quoted(words.join(' '))}`)}`
    return [
      ...command.commands.map(({ name, summary }) => `${at} -f -a ${name} -d ${quoted(summary)}`),
      ...command.flags.map(({ long, short, help, takesValue, values }) =>
        [
          at,
          `-l ${long.slice(2)}`,
          ...(short === null ? [] : [`-s ${short.slice(1)}`]),
          ...(takesValue ? ['-r'] : []),
          ...(values ? [`-f -a ${quoted(values.join(' '))}`] : []),
          `-d ${quoted(help)}`,
        ].join(' '),
      ),
    ]
  })
  return `# fish completion of pharos: pharos completion fish | source
function __pharos_at
    set -l path ''
    set -l all (commandline -opc)
    for word in $all[2..-1]
        test "$word" = --; and return 1
        set -l next (string trim -- "$path $word")
        contains -- "$next" ${paths.join(' ')}; and set path $next
    end
    test "$path" = "$argv[1]"
end
${rules.join('\n')}
`
}

const quoted = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
