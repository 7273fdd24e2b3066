import { type Grammar, namesOf, placesIn } from './grammar.ts'

/** The completion of this command line for bash. Where nothing of ours fits, bash completes names of files. */
export function bashCompletion(grammar: Grammar): string {
  const places = placesIn(grammar)
  const paths = places.slice(1).map(({ words }) => `'${words.join(' ')}'`)
  const programs = places.filter(({ command }) => command.runsProgram)
  const programPaths = programs.map(({ words }) => `'${words.join(' ')}'`)
  const programValues = programs.flatMap(({ words, command }) =>
    command.flags
      .filter(({ takesValue }) => takesValue)
      .flatMap((flag) => namesOf(flag).map((name) => `'${[...words, name].join(' ')}'`)),
  )
  const values = places.flatMap(({ words, command }) =>
    command.flags
      .filter(({ takesValue }) => takesValue)
      .map((flag) => {
        const names = namesOf(flag).map((name) => `'${[...words, name].join(' ')}'`)
        const answer = flag.values ? `COMPREPLY=($(compgen -W '${flag.values.join(' ')}' -- "$current")); ` : ''
        return `    ${names.join('|')}) ${answer}return ;;`
      }),
  )
  const answers = places.map(({ words, command }) => {
    const all = [...command.commands.map(({ name }) => name), ...command.flags.flatMap(namesOf)]
    return `    '${words.join(' ')}') words='${all.join(' ')}' ;;`
  })
  return `# bash completion of pharos: source <(pharos completion bash)
_pharos() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}"
  local path='' words='' before='' word next
  COMPREPLY=()
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    [[ $word == -- ]] && return
    next="\${path:+$path }$word"
    case "$next" in
      ${paths.join('|')}) path="$next" ;;
      *) case "$path" in
        ${programPaths.join('|')}) case "$path $before" in
          ${programValues.join('|')}) ;;
          # The program that it runs begins here.
          *) [[ $word == -* ]] || return ;;
        esac ;;
      esac ;;
    esac
    before="$word"
  done
  case "\${path:+$path }$previous" in
${values.join('\n')}
  esac
  case "$path" in
${answers.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _pharos pharos
`
}
