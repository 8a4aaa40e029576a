/* settings.h - what the operator configures, and the origins and file types it allows. */
#ifndef WEBCHAT_SETTINGS_H
#define WEBCHAT_SETTINGS_H
#include "kanal/plugin.h"
#include "kanal/sdk/buffer.h"
#include "kanal/sdk/json.h"

extern const char settings_schema[];

struct settings {
    char *
        *origins; /* "https://shop.example", a star as the first label, "*"; the gateway's own comes first */
    char **upload_types; /* "image/png", "audio/" and a star */
    size_t origin_count, upload_type_count;
    uint32_t upload_bytes; /* 0: no uploads */
    uint32_t history_messages;
    uint32_t session_minutes;
    uint32_t max_connections, connections_per_visitor;
    uint32_t messages_per_minute, message_burst;
    uint32_t new_visitors_per_minute; /* of one address; 0: any number */
    int32_t starts_on_open;
    struct kanal_buffer link;   /* template of links to the chat (kanal/ext/link.h); empty: none */
    struct kanal_buffer client; /* JSON: the widget's configuration */
};

/* The settings must be valid by the schema. 0, KANAL_E_INVALID or KANAL_E_BUSY (out of memory). Release in any case. */
kanal_status settings_init(struct settings *, const kanal_config *);
void settings_release(struct settings *);
/* The members of the protocol's `limits`. */
void settings_limits_write(const struct settings *, struct kanal_json *);

/* origin: the header's value; absent or "null" is allowed only where every origin is. */
int settings_origin_ok(const struct settings *, kanal_str origin);
/* mime: without parameters, lower case. Types that a browser would run are never allowed. */
int settings_upload_type_ok(const struct settings *, kanal_str mime);

#endif
