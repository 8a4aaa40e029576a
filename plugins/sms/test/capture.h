/* capture.h - an SMS channel on the fake host, and the SMS centre that the test plays over its stream. */
#ifndef SMS_CAPTURE_H
#define SMS_CAPTURE_H
#include "fixtures.h"
#include "pdu.h"

#define PASSWORD "s3cret-8"
#define ADDRESS "tel:+79161234567"
#define SETTINGS(more) "{\"api_url\":\"smpp://smsc.example.com:2775\",\"system_id\":\"kanal\"" more "}"
#define TEXT(words) "{\"content\":[{\"type\":\"text\",\"text\":\"" words "\"}]}"

/* A PDU that the channel wrote. */
struct pdu {
    struct sms_header header;
    kanal_str body;             /* valid until the test ends */
    struct sms_message message; /* of a submit_sm */
};

/* A started channel, whose stream is not open yet. settings: NULL: SETTINGS(""). */
struct fake_host *channel_new(const char *settings);
/* The same, bound. */
struct fake_host *channel_bound(const char *settings);
/* Stops it, as an SMS centre would see it, and fails the test if the fake host found a fault. */
void channel_free(struct fake_host *);

/* The stream that was connected last. */
kanal_op stream_of(struct fake_host *);
/* Opens the stream and answers the bind with the status. */
void answer_bind(struct fake_host *, uint32_t status);
/* The next PDU that was written; 0: none. */
int take(struct fake_host *, struct pdu *);
/* There is one, and it is this command. */
struct pdu take_command(struct fake_host *, uint32_t command);
void expect_nothing(struct fake_host *);
/* Lets a PDU come; text: of responses, with its NUL. */
void say(struct fake_host *, uint32_t command, uint32_t status, uint32_t sequence, const char *text);
void say_bytes(struct fake_host *, kanal_str bytes);
void say_message(struct fake_host *, uint32_t sequence, const struct sms_message *);
/* Answers a submit_sm. */
void answer(struct fake_host *, const struct pdu *, uint32_t status, const char *id);

kanal_op deliver(struct fake_host *, const char *data);
kanal_op deliver_attempt(struct fake_host *, const char *key, uint32_t attempt, const char *data);
/* The test fails if there is none yet. */
const kanal_result *result_of(struct fake_host *, kanal_op);
void expect_result(struct fake_host *, kanal_op, int32_t outcome, int32_t scope, const char *code);
void expect_sent(struct fake_host *, kanal_op, const char *id);

/* A fixture's bytes; free() them. */
char *read_hex(const char *name, size_t *ret_len);
size_t each_hex(fixture_fn *, void *user);

#endif
