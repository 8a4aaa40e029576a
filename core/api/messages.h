/* api/messages.h - the endpoints message-send, -get and -cancel. [loop] */
#ifndef KANAL_API_MESSAGES_H
#define KANAL_API_MESSAGES_H
#include "api/service.h"
#include "outbound/outbound.h"

/* Handlers' user: the struct outbound. */
extern const struct api_endpoint api_message_endpoints[];
extern const size_t api_message_endpoint_count;

#endif
