/** Every limit of identity providers. */

/** Providers of one installation: each is a button on the sign-in page. */
export const providersMax = 20

/** What the provider calls somebody, in characters: an address or a name, in a list. */
export const accountCharsMax = 254
