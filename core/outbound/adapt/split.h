/* outbound/adapt/split.h - a long text as several messages. Pure.
 *
 * It is cut where a reader would: between paragraphs, else after a line or a sentence, else between words, and only a word that is longer than a
 * message between its characters, which are extended grapheme clusters. White space at a cut is dropped. Spans of markup are closed at a
 * cut and opened again behind it. */
#ifndef KANAL_ADAPT_SPLIT_H
#define KANAL_ADAPT_SPLIT_H
#include "outbound/adapt/rich.h"

struct split_limits {
    uint32_t chars, bytes; /* code points and UTF-8 bytes of a piece with its markup; 0: any number */
};

/* 1: so many are within. */
int split_fits(const struct split_limits *, size_t chars, size_t bytes);
int split_text_fits(const struct split_limits *, kanal_str text);

/* piece() is called for each in order; it returns 0 to go on. SPLIT_TOO_NARROW: not even one character fits with the markup around it; some
 * pieces may have been told. A text of white space only has no pieces. */
typedef int split_piece_fn(void *user, kanal_str piece);
#define SPLIT_TOO_NARROW (-1)
#define SPLIT_STOPPED (-2)
int split_rich(const struct rich *, enum markup to, const struct split_limits *, split_piece_fn *,
               void *user);

#endif
