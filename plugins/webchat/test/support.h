/* support.h - what the chat's unit tests share: a channel on the fake host, and a client that speaks PROTOCOL.md. */
#ifndef WEBCHAT_TEST_SUPPORT_H
#define WEBCHAT_TEST_SUPPORT_H
#include <criterion/criterion.h>
#include "kanal/testing/fakehost.h"
#include "kanal/sdk/str.h"

#define SECRET "not-a-secret-0123456789abcdef"
#define ORIGIN "https://shop.example"

/* A started channel that allows ORIGIN; settings: further members, as `"title":"x"`, or NULL. */
struct fake_host *chat_new(const char *settings);
/* Stops it: no failure, nothing left unanswered. */
void chat_free(struct fake_host *);

/* An open page. */
kanal_op page_open(struct fake_host *);
kanal_op page_open_from(struct fake_host *, const char *origin); /* 0: refused */
/* printf for a frame. */
void page_say(struct fake_host *, kanal_op, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The next frame; fails unless it is of the type. Free the document. NULL with type NULL: there must be none. */
yyjson_doc *page_hear(struct fake_host *, kanal_op, const char *type);
/* The same, and only the text of one member; "" if it is absent. Static buffer. */
const char *page_hear_text(struct fake_host *, kanal_op, const char *type, const char *member);

/* A page after hello and welcome. token: NULL or what an earlier page got; ret_token: 128 bytes, or NULL. */
struct visit {
    kanal_op page;
    char token[128], visitor[32], address[48];
};
struct visit visit_new(struct fake_host *, const char *token);
/* Sends a text and takes the ack. */
void visit_says(struct fake_host *, const struct visit *, const char *id, const char *text);

/* A delivery to a visitor; data, target: NULL: none. Returns the answer. */
const struct fake_answer *operator_does(struct fake_host *, const struct visit *, const char *verb,
                                        const char *key, const char *target, const char *data);
/* message.send of a text; the external id must be "a." and the key. */
void operator_says(struct fake_host *, const struct visit *, const char *key, const char *text);

const char *event_text(const struct fake_event *, const char *pointer); /* JSON pointer; "" if absent */
const char *doc_text(yyjson_doc *, const char *pointer);
size_t event_count_of(struct fake_host *, const char *type);
const struct fake_event *event_of(struct fake_host *, const char *type,
                                  size_t index); /* the index-th of that type */

/* A token signed as the webform plugin or anybody with the secret would: made with OpenSSL alone. */
void make_token(const char *secret, const char *visitor, char ret_token[128]);

#endif
