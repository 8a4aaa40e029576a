/* api/message_log.h - the endpoint message-log: what the provider was asked and answered for a message. [loop]
 *
 * Records of one message lie under one exact subject, with those of the few others that share its hash. */
#ifndef KANAL_API_MESSAGE_LOG_H
#define KANAL_API_MESSAGE_LOG_H
#include "api/service.h"

struct api_message_log {
    struct broker *broker;
    char prefix[33], stream[64];
};

void api_message_log_init(struct api_message_log *, struct broker *, const char *prefix);

/* Handlers' user: a struct api_message_log, which outlives the broker's requests. */
extern const struct api_endpoint api_message_log_endpoints[];
extern const size_t api_message_log_endpoint_count;

#endif
