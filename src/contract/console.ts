import { z } from 'zod'

/** What of a line's colours is kept: more than any game uses in one line. */
export const stylesPerLineMax = 100

/**
 * From the character at `from` of a line's text on, in UTF-16 units, it looks as `sgr` says: the parameters of Select Graphic
 * Rendition (ECMA-48, 8.3.117), such as `32` for green. The text itself holds no escape sequence: who shows no colours
 * shows the text and is done.
 */
export const LineStyle = z.strictObject({ from: z.int().min(0), sgr: z.string().regex(/^[0-9;]{0,40}$/) })
export type LineStyle = z.output<typeof LineStyle>

/** In order; left out where the line has no colours. */
export const LineStyles = z.array(LineStyle).max(stylesPerLineMax).optional()
