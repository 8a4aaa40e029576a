/* settings.h - what the operator configured, read once and checked. Immutable afterwards. */
#ifndef WEBHOOK_SETTINGS_H
#define WEBHOOK_SETTINGS_H
#include "kanal/sdk/sdk.h"

#define HEADERS_MAX 16u

struct settings { /* everything is a view into doc */
    yyjson_doc *doc;
    yyjson_val *events;      /* the rules: an array */
    yyjson_val *body;        /* the template of outgoing bodies; NULL: the whole delivery */
    yyjson_val *headers;     /* of outgoing requests: an object of texts, or NULL */
    yyjson_val *external_id; /* a pointer into the answer, or NULL */
    kanal_str url;           /* absent: nothing goes out */
    kanal_str default_country;
    int64_t tolerance_s;
    int refuses_unmatched, uses_bearer;
};

extern const char settings_schema[];

/* json: valid by the schema, defaults filled in. 0, or a status and why, for the operator, appended to `why`. Release it in either case. */
kanal_status settings_read(struct settings *, kanal_str json, struct kanal_buffer *why);
void settings_release(struct settings *);

#endif
