/* payload.h - canonical content becomes what the service worker shows (sample/sw.js). No host, only data. */
#ifndef WEBPUSH_PAYLOAD_H
#define WEBPUSH_PAYLOAD_H
#include "settings.h"

struct push_options { /* of the request, from the delivery's provider member */
    int64_t ttl_s;
    char urgency[16]; /* very-low, low, normal, high (RFC 8030, 5.3); empty: none */
    char topic[33];   /* at most 32 of base64url (RFC 8030, 5.4); empty: none */
};

/* Appends the JSON text. id: of the message, which is the notification's tag too. NULL, or what is wrong with the content (static). */
const char *payload_write(struct kanal_buffer *out, struct push_options *, const struct settings *,
                          kanal_str id, yyjson_val *data);

#endif
