/* json/quote.h - text from outside in a message for people. [any thread] */
#ifndef KANAL_JSON_QUOTE_H
#define KANAL_JSON_QUOTE_H
#include "kanal/sdk/buffer.h"

/* Appends the text in double quotes, with control characters, quotes and backslashes escaped, cut with an ellipsis after 64 bytes;
 * wrong UTF-8 becomes U+FFFD. */
void json_quote(struct kanal_buffer *out, kanal_str text);

#endif
