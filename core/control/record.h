/* control/record.h - a channel's record in the bucket, and the secrets in it. [loop] */
#ifndef KANAL_CONTROL_RECORD_H
#define KANAL_CONTROL_RECORD_H
#include <yyjson.h>

#include "config/seal.h"

struct record {
    yyjson_doc *document; /* or NULL: there is none */
    yyjson_val *channel;  /* or NULL: it stands in kanal.yaml */
    int is_paused;
    int64_t restarts;
    kanal_str plugin_file; /* absent: the one of the plugin path */
};

/* 0 or KANAL_E_INVALID. An empty text is no record. */
int record_read(struct record *, kanal_str text);
void record_release(struct record *);
/* changed_ms: wall clock. channel: JSON with sealed secrets, or absent. */
void record_write(const struct record *, kanal_str channel, int64_t changed_ms, struct kanal_buffer *out);

/* Copies a channel with each secret sealed for this channel, or opened. 0; KANAL_E_INVALID: a secret is no string (no sealed text);
 * KANAL_E_DENIED: there is no key; KANAL_E_REJECTED: no key opens it. ret_which: the name of the secret. What was opened must be wiped
 * (config_wipe_free). */
int record_seal(const struct sealer *, yyjson_val *channel, struct kanal_buffer *out, kanal_str *ret_which);
int record_open(const struct sealer *, yyjson_val *channel, struct kanal_buffer *out, kanal_str *ret_which);

#endif
