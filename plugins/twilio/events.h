/* events.h - requests of Twilio's to canonical events. Pure: no host, no state.
 *
 * Sources: https://www.twilio.com/docs/messaging/guides/webhook-request, …/messaging/guides/outbound-message-status-in-status-callbacks,
 * …/voice/twiml#request-parameters, …/voice/api/call-resource#statuscallback, …/voice/api/recording#recordingstatuscallback,
 * …/events/event-types. Nothing is dropped in silence: what gives no event says why. */
#ifndef TWILIO_EVENTS_H
#define TWILIO_EVENTS_H
#include "channel.h"
#include "kanal/sdk/batch.h"
#include "params.h"

struct tw_told { /* what a request says */
    struct kanal_batch batch;
    uint32_t ignored; /* things without an event */
    const char *why;  /* the last of these, in words */
    char what[40];    /* … and Twilio's word for it */
};

struct tw_source { /* what is read; borrowed */
    const struct tw_settings *settings;
    kanal_str channel_id;
    const struct tw_params *params;
    kanal_str query; /* of the URL: what we told Twilio to bring back, signed by it */
    int64_t now_ms;
};

typedef void tw_read_fn(struct tw_told *, const struct tw_source *);

void tw_told_release(struct tw_told *);
/* There is no event for this. */
void tw_ignore(struct tw_told *, const char *why, kanal_str what);

/* message.c: a message that came in, and one whose status changed. */
tw_read_fn tw_read_message, tw_read_status;
/* call.c: a call that comes in; a call's status; that of the telephone that it was put through to; a recording. */
tw_read_fn tw_read_ringing, tw_read_call, tw_read_leg, tw_read_recording;
/* stream.c: CloudEvents of Event Streams; their params are made from each in turn. 0; KANAL_E_INVALID: no such things;
 * KANAL_E_INTERNAL. */
kanal_status tw_read_stream(struct tw_told *, const struct tw_source *, yyjson_val *root);

/* ---- For each other ---- */

/* An event of whoever the party is; NULL: out of memory. dedupe is joined with ':' where suffix is not NULL. */
struct kanal_batch_item *tw_begin(struct tw_told *, const struct tw_source *, const char *type,
                                  kanal_str party, kanal_str dedupe, const char *suffix);
void tw_end(struct tw_told *, struct kanal_batch_item *);
/* An event of consent on this channel. reason: of the contract. time_ms: 0 is not known. */
void tw_say_consent(struct tw_told *, const struct tw_source *, kanal_str party, kanal_str dedupe,
                    int is_given, const char *reason, int64_t time_ms);
/* The member "error" of Twilio's code; code 0: it told none. */
void tw_write_error(struct kanal_json *, int64_t code, kanal_str words);
/* True if it is an id of Twilio's: two letters and 32 hexadecimal digits. */
int tw_is_sid(kanal_str);
/* A parameter of the URL's query into out, NUL-ended; empty if it is not there or too long. */
kanal_str tw_query(const struct tw_source *, const char *name, char *out, size_t size);
/* When it happened, by the parameter Timestamp; 0: it does not say. */
int64_t tw_time(const struct tw_source *);
/* A member with the parameter's text, cut. */
void tw_member(struct kanal_json *, const char *key, const struct tw_source *, const char *name,
               size_t max_chars);

#endif
