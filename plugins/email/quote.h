/* quote.h - the new text of a mail and the older one that it repeats. Pure. */
#ifndef EMAIL_QUOTE_H
#define EMAIL_QUOTE_H
#include "kanal/sdk/buffer.h"

struct quote_split {
    kanal_str before; /* the new text … */
    kanal_str after;  /* … and more of it, behind the quotation; mostly empty */
    kanal_str quoted; /* with the line that introduces it; empty: there is none */
};

/* Views into the text (UTF-8, lines end with LF). A mail that answers between the lines of what it quotes stays whole: without them it would say
 * nothing. */
struct quote_split quote_split(kanal_str text);

#endif
