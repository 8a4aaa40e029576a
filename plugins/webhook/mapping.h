/* mapping.h - the operator's rules: which payload becomes which events. No host, only data. */
#ifndef WEBHOOK_MAPPING_H
#define WEBHOOK_MAPPING_H
#include "settings.h"
#include "template.h"

#define WEBHOOK_ID_MAX 120u

/* Appends what is wrong with the rules, and where: "events[0].data/activity: …". 0, or KANAL_E_INVALID. */
kanal_status mapping_check(yyjson_val *rules, struct kanal_buffer *out);

/* The events of a payload, by every rule whose `when` holds. NULL: read, perhaps none (then no rule holds). Otherwise why it is refused
 * (appended to `scratch`): all or nothing. The batch borrows nothing but `id` and what it copied; now_ms: of payloads that tell no time. */
const char *mapping_read(struct kanal_batch *, const struct settings *, kanal_str id, yyjson_val *root,
                         struct kanal_buffer *scratch);

#endif
