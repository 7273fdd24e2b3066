/**
 * The whole name of an image, as `docker pull` completes it: `alpine` is `docker.io/library/alpine:latest`. An id stays an id.
 * Podman asks people which registry they mean where the name does not say it; here it is always the usual one.
 */
export function imageReference(image: string): string {
  if (/^sha256:[0-9a-f]{64}$/.test(image)) return image
  const [first = '', ...rest] = image.split('/')
  const named = rest.length > 0 && (/[.:]/.test(first) || first === 'localhost')
  const path = named ? image : `docker.io/${rest.length === 0 ? 'library/' : ''}${image}`
  const last = path.slice(path.lastIndexOf('/') + 1)
  return /[:@]/.test(last) ? path : `${path}:latest`
}
