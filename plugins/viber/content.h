/* content.h - what a message of Viber shows, as canonical content parts. Pure functions over parsed JSON. */
#ifndef VIBER_CONTENT_H
#define VIBER_CONTENT_H
#include "kanal/sdk/json.h"

#define VIBER_TEXT_MAX 16384           /* code points of a text that are told; Viber sends at most 7000 */
#define VIBER_REFERENCE_BYTES_MAX 1000 /* the host's references hold 1024 */

/* Writes the parts of a message as one JSON array; always at least one: what has no canonical form becomes
 * "unsupported" with Viber's word for it. Media parts carry "ref": the URL that Viber gave. is_silent: it is the
 * action of a button whose text the customer did not see. */
void viber_content_write(struct kanal_json *, yyjson_val *message, int is_silent);
/* One "unsupported" part in an array: of an event that is no message. */
void viber_content_unsupported(struct kanal_json *, kanal_str kind, yyjson_val *what);

#endif
