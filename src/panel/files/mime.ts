/** Media types by the end of a name: for display, and as the type of a download. Nothing is guessed from content. */
const types: Readonly<Record<string, string>> = {
  bmp: 'image/bmp',
  conf: 'text/plain',
  cfg: 'text/plain',
  css: 'text/css',
  csv: 'text/csv',
  dat: 'application/octet-stream',
  gif: 'image/gif',
  gz: 'application/gzip',
  htm: 'text/html',
  html: 'text/html',
  ini: 'text/plain',
  jar: 'application/java-archive',
  jpeg: 'image/jpeg',
  jpg: 'image/jpeg',
  js: 'text/javascript',
  json: 'application/json',
  json5: 'application/json5',
  log: 'text/plain',
  lua: 'text/x-lua',
  md: 'text/markdown',
  mp3: 'audio/mpeg',
  mp4: 'video/mp4',
  ogg: 'audio/ogg',
  pdf: 'application/pdf',
  png: 'image/png',
  properties: 'text/plain',
  py: 'text/x-python',
  sh: 'application/x-sh',
  sqlite: 'application/vnd.sqlite3',
  svg: 'image/svg+xml',
  tar: 'application/x-tar',
  tgz: 'application/gzip',
  toml: 'application/toml',
  txt: 'text/plain',
  wav: 'audio/wav',
  webp: 'image/webp',
  xml: 'application/xml',
  yaml: 'application/yaml',
  yml: 'application/yaml',
  zip: 'application/zip',
  zst: 'application/zstd',
}

export function mimeOf({
  name,
  isDirectory,
  symlink,
}: {
  name: string
  isDirectory: boolean
  symlink: string | null
}): string {
  if (isDirectory) return 'inode/directory'
  if (symlink !== null) return 'inode/symlink'
  const dot = name.lastIndexOf('.')
  const end = dot < 0 ? '' : name.slice(dot + 1).toLowerCase()
  return Object.hasOwn(types, end) ? (types[end] as string) : 'application/octet-stream'
}
