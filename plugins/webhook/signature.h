/* signature.h - the three headers of Standard Webhooks (standardwebhooks.com, specification 1.0.0): webhook-id, webhook-timestamp,
 * webhook-signature. No host, only data. */
#ifndef WEBHOOK_SIGNATURE_H
#define WEBHOOK_SIGNATURE_H
#include "kanal/sdk/sdk.h"

#define SIGNATURES_MAX 8u
#define SIGNATURE_BYTES 32u

struct signature { /* views into the headers, but for the MACs */
    kanal_str id, timestamp;
    int64_t time_s;
    char macs[SIGNATURES_MAX][SIGNATURE_BYTES]; /* those of version v1 */
    size_t count;
};

/* NULL: read. Otherwise what is wrong (static). Whether they are right is the host's to say. */
const char *signature_read(struct signature *, const kanal_field *headers, size_t header_count);
/* What is signed: "id.timestamp.body". */
void signature_begin(struct kanal_buffer *out, kanal_str id, kanal_str timestamp, kanal_str body);

#endif
