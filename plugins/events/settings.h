/* settings.h - what the operator configured, read once. Immutable afterwards. */
#ifndef EVENTS_SETTINGS_H
#define EVENTS_SETTINGS_H
#include "kanal/sdk/sdk.h"

/* Which identifiers count as verified when they come with the server's key. */
#define VERIFIES_USER_ID 1u
#define VERIFIES_EMAIL 2u
#define VERIFIES_PHONE 4u
#define VERIFIES_ANONYMOUS_ID 8u

struct settings { /* texts are views into doc */
    yyjson_doc *doc;
    yyjson_val *origins;                  /* array of strings */
    char *user_space;                     /* owned: the percent-encoded first part of "user:SPACE/ID" */
    kanal_str default_country;            /* absent: none */
    uint32_t verifies;                    /* VERIFIES_… */
    uint32_t rate_per_minute, rate_burst; /* per_minute 0: no limit */
    int keep_ip;
};

extern const char settings_schema[];

/* json: valid by the schema, defaults filled in. 0, or a status with *ret_error (static) for the operator. Release it in either
 * case. */
kanal_status settings_read(struct settings *, kanal_str json, kanal_str channel_id, const char **ret_error);
void settings_release(struct settings *);

#endif
