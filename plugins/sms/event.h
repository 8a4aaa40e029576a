/* event.h - the events that the SMS centre's messages are. Pure. */
#ifndef SMS_EVENT_H
#define SMS_EVENT_H
#include "kanal/sdk/batch.h"
#include "receipt.h"
#include "text.h"

struct sms_settings;

/* A message from a telephone, joined if it came in segments. */
struct sms_arrival {
    uint8_t source_ton, destination_ton, data_coding;
    kanal_str source, destination, bytes, service_type;
    int has_port;
    uint16_t port;
    kanal_str external_id; /* absent: the provider gives none */
    uint32_t segments;     /* 1: whole from the start */
    uint32_t missing;      /* of these */
    const char *dedupe;
};

void sms_event_message(struct kanal_batch *, const struct sms_settings *, const struct sms_arrival *);
/* A receipt; 0: it says nothing that a consumer would want (on the way). */
int sms_event_receipt(struct kanal_batch *, const struct sms_settings *, const struct sms_message *,
                      const struct sms_receipt *);

#endif
