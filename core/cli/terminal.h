/* cli/terminal.h - text from outside, made safe for a terminal.
 *
 * Customers write what they like, also escape sequences that would rewrite the screen or the clipboard of whoever watches, and
 * marks that turn the direction of writing. None of these leaves here: C0 and C1 controls, DEL, line and paragraph separators and
 * bidirectional controls (Unicode Standard Annex 9) are shown as \u001b; invalid UTF-8 becomes U+FFFD. */
#ifndef KANAL_CLI_TERMINAL_H
#define KANAL_CLI_TERMINAL_H
#include "kanal/sdk/buffer.h"

/* One line of it: line breaks become " ↵ ", tabs a space. */
void terminal_text(struct kanal_buffer *out, kanal_str text);
/* A JSON text on one line: line breaks between its tokens are left out, what is harmful inside its strings is written as \u, and all
 * else stays byte by byte. 0, or KANAL_E_INVALID (it is not JSON; out as it was). */
int terminal_json(struct kanal_buffer *out, kanal_str json);
/* True if colours are wanted on this stream: a terminal, NO_COLOR is not set (no-color.org), TERM is not "dumb". */
int terminal_has_colours(int fd);

#endif
