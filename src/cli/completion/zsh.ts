import { type Grammar, namesOf, placesIn } from './grammar.ts'

/** The completion of this command line for zsh. Where nothing of ours fits, it completes names of files. */
export function zshCompletion(grammar: Grammar): string {
  const places = placesIn(grammar)
  const paths = places.slice(1).map(({ words }) => quoted(words.join(' ')))
  const values = places.flatMap(({ words, command }) =>
    command.flags
      .filter(({ takesValue }) => takesValue)
      .map((flag) => {
        const names = namesOf(flag).map((name) => quoted([...words, name].join(' ')))
        return `    ${names.join('|')}) ${flag.values ? `compadd -- ${flag.values.map(quoted).join(' ')}` : '_files'}; return ;;`
      }),
  )
  const answers = places.map(({ words, command }) => {
    const commands = command.commands.map(({ name, summary }) => quoted(described(name, summary)))
    const flags = command.flags.flatMap((flag) => namesOf(flag).map((name) => quoted(described(name, flag.help))))
    return `    ${quoted(words.join(' '))}) commands=(${commands.join(' ')}) flags=(${flags.join(' ')}) ;;`
  })
  return `#compdef pharos
# zsh completion of pharos: source <(pharos completion zsh), or write it to a file _pharos in a folder of $fpath
_pharos() {
  local path_='' word next
  local -a commands flags
  for word in "\${(@)words[2,CURRENT-1]}"; do
    [[ $word == -- ]] && { _normal; return }
    next="\${path_:+$path_ }$word"
    case "$next" in
      ${paths.join('|')}) path_="$next" ;;
    esac
  done
  case "\${path_:+$path_ }\${words[CURRENT-1]}" in
${values.join('\n')}
  esac
  case "$path_" in
${answers.join('\n')}
  esac
  (( $#commands )) && _describe -t commands command commands
  [[ $words[CURRENT] == -* ]] && _describe -o -t options option flags
  (( $#commands )) || [[ $words[CURRENT] == -* ]] || _files
}
compdef _pharos pharos
`
}

/** A colon ends the word that is described. */
const described = (word: string, help: string): string => `${word}:${help.replaceAll(':', '\\:')}`

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`
