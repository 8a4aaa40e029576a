/* outbound/adapt/grapheme.h - what a reader takes for one character: extended grapheme clusters (UAX #29, Unicode 14.0). Pure.
 *
 * A letter with its combining marks, a flag, an emoji with its skin colour or joined to others, a Hangul syllable, CR LF. The table is made by
 * tools/graphemes.pl; characters newer than it count as letters of their own. */
#ifndef KANAL_ADAPT_GRAPHEME_H
#define KANAL_ADAPT_GRAPHEME_H
#include "kanal/sdk/str.h"

/* Bytes of the first cluster; at least 1 unless the text is empty. A byte that is no UTF-8 is a cluster of its own. */
size_t grapheme_next(kanal_str text);
/* Bytes of the first code point, likewise; ret_code may be NULL. */
size_t grapheme_code_point(kanal_str text, uint32_t *ret_code);
/* Code points of a text. */
size_t grapheme_count_points(kanal_str text);

#endif
