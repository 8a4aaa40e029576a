/* html.h - HTML of a mail to plain text: what a person would read, and nothing that acts. Pure. */
#ifndef EMAIL_HTML_H
#define EMAIL_HTML_H
#include "kanal/sdk/buffer.h"

/* Appends the text of an HTML document (UTF-8). Paragraphs become lines, list items begin with "- ", quotations with "> ", links bring their
 * address behind their words, pictures their alternative text. Scripts, styles, forms' values and comments vanish, as does what is
 * hidden by its style. */
void html_to_text(struct kanal_buffer *out, kanal_str html);

#endif
