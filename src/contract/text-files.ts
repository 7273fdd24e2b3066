/** A file that is edited as text is at most this large, in bytes: what an editor in a browser still handles. Read by pages, too, which take no schemas along. */
export const contentsBytesMax = 4 * 1024 * 1024
