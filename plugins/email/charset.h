/* charset.h - text in any charset to UTF-8. Pure, but for what is loaded once a process. */
#ifndef EMAIL_CHARSET_H
#define EMAIL_CHARSET_H
#include "kanal/sdk/buffer.h"

/* Appends text as UTF-8, whatever it was: what a charset cannot mean becomes U+FFFD; an unknown or missing charset is UTF-8 if the bytes
 * are, else `otherwise`. charset, otherwise: names as MIME has them. Control characters other than tab and line end are dropped, CRLF
 * becomes LF. */
void charset_to_utf8(struct kanal_buffer *out, kanal_str bytes, const char *charset, const char *otherwise);

#endif
