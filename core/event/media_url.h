/* event/media_url.h - the gateway's own signed URLs of media: BASE/m/<channel-id>/<token>.
 *
 * The token is base64url(expiry, 6 bytes, seconds; signature, 16 bytes; length of the type, 1 byte; type; reference). It names what a
 * plugin's media() is asked for (or a blob), so a provider's URL, with its credentials, is never published; and the media type that the
 * event told, for providers that serve every file as application/octet-stream. */
#ifndef KANAL_EVENT_MEDIA_URL_H
#define KANAL_EVENT_MEDIA_URL_H
#include "event/ids.h"
#include "kanal/sdk/buffer.h"

#define MEDIA_REFERENCE_MAX 1024u
#define MEDIA_TYPE_MAX 127u
#define MEDIA_URL_LIFE_MS (7 * 24 * INT64_C(3600000))

/* 1: "image/png", "audio/ogg; codecs=opus": may stand in a Content-Type header. */
int media_type_valid(kanal_str type);
/* Appends the URL. type: absent or not valid: none. KANAL_E_INVALID: the reference is empty or too long. */
int media_url_write(struct ids *, kanal_str base_url, kanal_str channel, kanal_str reference, kanal_str type,
                    int64_t expires_ms, struct kanal_buffer *out);
/* token: the last path segment. Appends reference and type (perhaps nothing). KANAL_E_REJECTED: forged or of another channel;
 * KANAL_E_TIMEOUT: expired. */
int media_url_read(struct ids *, kanal_str channel, kanal_str token, int64_t now_ms,
                   struct kanal_buffer *ret_reference, struct kanal_buffer *ret_type);

#endif
