/* settings.h - what the operator configured, read once and checked. Immutable afterwards. */
#ifndef WEBPUSH_SETTINGS_H
#define WEBPUSH_SETTINGS_H
#include "encrypt.h"

struct settings { /* texts are views into doc */
    yyjson_doc *doc;
    yyjson_val *origins, *push_services; /* arrays of strings */
    char public_key[PUBLIC_KEY_BYTES];
    kanal_str public_key_text, subject, title, icon, url; /* title, icon, url: absent if none */
    int64_t ttl_s;
    uint32_t rate_per_minute, rate_burst;
};

extern const char settings_schema[];

/* json: valid by the schema, defaults filled in. 0, or a status with *ret_error (static) for the operator. Release it in either case. */
kanal_status settings_read(struct settings *, kanal_str json, const char **ret_error);
void settings_release(struct settings *);
/* True if a subscription at this URL may be kept: https at a listed host, or a stand-in that is listed with its scheme. */
int settings_takes_endpoint(const struct settings *, kanal_str endpoint);

#endif
