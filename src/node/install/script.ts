import { conflict } from '../../contract/errors.ts'
import type { Template } from '../../contract/template.ts'
import type { Runtime } from '../runtime.ts'

export type EggScript = NonNullable<Template['install']['script']>

/** A longer one is no argument of a program any more, in bytes: the kernel takes 128 KiB (MAX_ARG_STRLEN). */
const scriptBytesMax = 120 * 1024

/** Entrypoints whose language bash understands. Those of Alpine's images are a smaller shell's. */
const shells = new Set(['sh', 'ash', 'bash', '/bin/sh', '/bin/ash', '/bin/bash', '/usr/bin/bash'])

/** What only root in a container of its own can do, with the words that scripts use for it. */
const packageTools =
  /(?:^|[\s;&|(])(apt-get|apt|apk|yum|dnf|pacman)\s+(?:-\S+\s+)*(?:add|install|update|upgrade|-S\w*)\b/m

/**
 * How an egg's installation script runs without containers: by bash, in the sandbox, as the server's own user, with the programs
 * of this machine. Throws `conflict` where that cannot be.
 */
export function scriptCommand(script: EggScript, runtime: Runtime, progress: (line: string) => void): string[] {
  const other = 'use a node that runs containers'
  if (!shells.has(script.entrypoint.trim()))
    throw conflict(
      `Its installation script is for ${script.entrypoint}, and without containers only shell scripts run; ${other}`,
    )
  if (runtime.capabilities.runtime !== 'sandbox')
    throw conflict(
      `Its installation script expects its files at /mnt/server, which this node cannot give without a sandbox; ${other}`,
    )
  const text = script.text.replaceAll('\r\n', '\n')
  if (Buffer.byteLength(text) > scriptBytesMax)
    throw conflict(`Its installation script is longer than ${scriptBytesMax / 1024} KiB; ${other}`)
  progress(
    `The installation script was written for the image ${script.image}; it runs in the sandbox, with the programs of this machine`,
  )
  const tool = packageTools.exec(text)?.[1]
  if (tool !== undefined)
    progress(`It uses ${tool}, which may not install anything here: what it wants must be on this machine already`)
  return ['/bin/bash', '-c', text, 'install.sh']
}
