import { z } from 'zod'
import { command } from '../command.ts'
import { bashCompletion } from '../completion/bash.ts'
import { fishCompletion } from '../completion/fish.ts'
import { zshCompletion } from '../completion/zsh.ts'

const shells = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion }

export const completion = command({
  path: 'completion',
  summary: 'Print what makes a shell complete these commands',
  args: [['<shell>', 'bash, zsh or fish']],
  examples: [
    'source <(pharos completion bash)          # in ~/.bashrc',
    'source <(pharos completion zsh)           # in ~/.zshrc, after compinit',
    'pharos completion fish > ~/.config/fish/completions/pharos.fish',
  ],
  options: z.object({ shell: z.enum(['bash', 'zsh', 'fish']) }),
  async run({ shell }, { out, grammar }) {
    const script = shells[shell](grammar())
    out.result({ shell, script }, () => script.trimEnd())
  },
})
