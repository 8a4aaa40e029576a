/* host/redact.h - what may not be kept of a text that is: secrets, and what looks like one.
 *
 * Masked as "***": the given secrets, as they stand and percent-encoded, also one that the text's cut end has only begun; the value of
 * members and parameters whose name ends in token, secret, password, passwd, api_key, apikey, authorization or signature; and
 * the token of a media URL (/m/<channel>/<token>). The text is hostile: any bytes, no limit but its length. */
#ifndef KANAL_HOST_REDACT_H
#define KANAL_HOST_REDACT_H
#include "kanal/plugin.h"
#include "kanal/sdk/buffer.h"

/* is_cut: the text went on. Secrets shorter than 4 bytes are not looked for. */
void redact(struct kanal_buffer *out, kanal_str text, int is_cut, const kanal_str *secrets,
            size_t secret_count);

#endif
