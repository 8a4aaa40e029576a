/* broker/stored.h - a stored message out of the two forms in which JetStream hands it over. Private to
 * core/broker. */
#ifndef KANAL_BROKER_STORED_H
#define KANAL_BROKER_STORED_H
#include "api.h"

/* DIRECT.GET: the message itself, its origin in headers. 0 or KANAL_E_INTERNAL. Borrows from the message. */
int js_message_of_direct(const struct broker_in *, struct js_message *ret_message);
/* STREAM.MSG.GET: JSON with base64. Decodes into the two buffers, borrows from them and from root. 0 or
 * KANAL_E_INTERNAL. */
int js_message_of_json(yyjson_val *root, struct kanal_buffer *payload, struct kanal_buffer *headers,
                       struct js_message *ret_message);
/* A header's value out of "NATS/1.0\r\nName: value\r\n…"; absent if it is not there. */
kanal_str js_raw_header(kanal_str raw, const char *name);

/* Remembers from a stream's INFO (or the answer to its CREATE) whether it answers DIRECT.GET; forgets it. */
void js_stream_learn(struct broker *, const char *stream, yyjson_val *info);
void js_stream_forget(struct broker *, const char *stream);

#endif
