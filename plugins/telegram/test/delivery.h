/* delivery.h - handing a delivery to the plugin, and what became of it; for the tests of deliveries. */
#ifndef TELEGRAM_DELIVERY_H
#define TELEGRAM_DELIVERY_H
#include "test/capture.h"

#define SEND(content) "{\"content\":" content "}"
#define TEXT(words) "{\"type\":\"text\",\"text\":\"" words "\"}"

/* To telegram:3527065 in its own chat. target: an external id, or NULL. */
kanal_op deliver(struct fake_host *, const char *type, const char *target, const char *data);
kanal_op send_content(struct fake_host *, const char *data);
kanal_op send_to(struct fake_host *, const char *chat, const char *address, const char *data);
/* The test fails if there is none yet. */
const kanal_result *result_of(struct fake_host *, kanal_op);
void expect_sent(struct fake_host *, kanal_op, const char *external_id);
void expect_failed(struct fake_host *, kanal_op, int32_t scope, const char *code);

#endif
