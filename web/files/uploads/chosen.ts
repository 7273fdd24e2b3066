import type { Chosen } from './upload-queue.ts'

/** Files of one choice: more come faster as an archive. */
export const chosenFilesMax = 2_000

/** Thrown when more than `chosenFilesMax` were dropped. */
export class TooManyFiles extends Error {}

/** What somebody chose in the browser's own dialog; a folder comes with the paths below it. */
export function chosenFiles(list: FileList): Chosen[] {
  if (list.length > chosenFilesMax) throw new TooManyFiles()
  return [...list].map((file) => ({ name: file.webkitRelativePath || file.name, file }))
}

/** What was dropped, with everything in dropped folders. To be called while the event is handled: later it is gone. */
export function droppedFiles(transfer: DataTransfer): Promise<Chosen[]> {
  const items = [...transfer.items].filter(({ kind }) => kind === 'file')
  const held = items.map((item) => ({ entry: item.webkitGetAsEntry(), file: item.getAsFile() }))
  return (async () => {
    const chosen: Chosen[] = []
    for (const { entry, file } of held) {
      if (entry?.isDirectory) await gather(entry as FileSystemDirectoryEntry, '', chosen)
      else if (file) chosen.push({ name: file.name, file })
      if (chosen.length > chosenFilesMax) throw new TooManyFiles()
    }
    return chosen
  })()
}

async function gather(folder: FileSystemDirectoryEntry, above: string, chosen: Chosen[]): Promise<void> {
  const path = `${above}${folder.name}/`
  const reader = folder.createReader()
  for (;;) {
    // A reader gives a hundred at a time, and nothing when it is through.
    const entries = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject))
    if (entries.length === 0) return
    for (const entry of entries) {
      if (chosen.length > chosenFilesMax) throw new TooManyFiles()
      if (entry.isDirectory) await gather(entry as FileSystemDirectoryEntry, path, chosen)
      else {
        const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject))
        chosen.push({ name: path + file.name, file })
      }
    }
  }
}
