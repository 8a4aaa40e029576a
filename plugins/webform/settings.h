/* settings.h - what the operator configured, read once. Immutable afterwards. */
#ifndef WEBFORM_SETTINGS_H
#define WEBFORM_SETTINGS_H
#include "kanal/sdk/sdk.h"

enum field_type {
    FIELD_TEXT,
    FIELD_TEXTAREA,
    FIELD_EMAIL,
    FIELD_TEL,
    FIELD_NUMBER,
    FIELD_DATE,
    FIELD_TIME,
    FIELD_URL,
    FIELD_SELECT,
    FIELD_RADIO,
    FIELD_CHECKBOX,
    FIELD_HIDDEN,
    FIELD_TYPES /* how many */
};
extern const char *const field_type_names[FIELD_TYPES];

struct form_field {
    kanal_str name, label; /* label: absent if none */
    enum field_type type;
    int required, multiple;
    size_t max_length;   /* code points of one value */
    yyjson_val *options; /* array of strings, or NULL: any value */
};

struct form_consent {
    kanal_str purpose, text, version; /* text, version: absent if none */
    int required;
};

struct form {
    kanal_str id, name;
    struct form_field *fields;
    size_t field_count;
    struct form_consent *consents;
    size_t consent_count;
};

enum undeclared_policy { UNDECLARED_DROP, UNDECLARED_KEEP, UNDECLARED_REJECT };
enum token_policy { TOKEN_OPTIONAL, TOKEN_REQUIRED, TOKEN_OFF };

struct settings { /* texts are views into doc */
    yyjson_doc *doc;
    yyjson_val *origins; /* array of strings */
    struct form *forms;
    size_t form_count;
    enum undeclared_policy undeclared;
    enum token_policy token;
    int64_t token_life_s;
    kanal_str honeypot, thanks_url, default_country; /* absent: none */
    uint32_t rate_per_minute, rate_burst;            /* per_minute 0: no limit */
    int keep_ip;
};

extern const char settings_schema[];

/* json: valid by the schema, defaults filled in. 0, or a status with *ret_error (static) for the operator. Release it in either
 * case. */
kanal_status settings_read(struct settings *, kanal_str json, const char **ret_error);
void settings_release(struct settings *);
/* NULL: no such form. An absent id means the only one. */
const struct form *settings_form(const struct settings *, kanal_str id);

#endif
