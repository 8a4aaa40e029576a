/* broker/consumers.h - how a consumer's CREATE request is written. Private to core/broker. */
#ifndef KANAL_BROKER_CONSUMERS_H
#define KANAL_BROKER_CONSUMERS_H
#include "api.h"

enum js_deliver { JS_DELIVER_ALL /* or from start_sequence */, JS_DELIVER_LAST_PER_SUBJECT };
/* ephemeral: in memory, gone when nobody pulls for inactive_ms; durable is then merely its name. */
void js_consumer_request(const struct js_consumer *, enum js_deliver, int ephemeral,
                         struct kanal_buffer *out);
void js_consumer_create(struct broker *, const char *stream, const char *name, const char *filter,
                        kanal_str request, js_api_fn *, void *user);

#endif
