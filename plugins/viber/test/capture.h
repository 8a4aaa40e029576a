/* capture.h - a Viber channel on the fake host, and what it asks of Viber's API.
 *
 * Every call that a test takes is checked for what all calls have in common (POST, JSON, the token in its slot), and is
 * appended as a JSON line to the file that KANAL_VIBER_CALLS names: shapes.test.mjs checks these. */
#ifndef VIBER_CAPTURE_H
#define VIBER_CAPTURE_H
#include "fixtures.h"

#define API "https://chatapi.viber.com/pa"
#define TOKEN "445da6az1s345z78-dazcczb2542zv51a-e0vc5fva17480im9"
#define ACCOUNT "pa:75346594275468546724"
#define USER "01234567890A/+BcD=="
#define ADDRESS "viber:pa%3A75346594275468546724/01234567890A%2F%2BBcD%3D%3D"
#define OK_ACCOUNT                                                                                           \
    "{\"status\":0,\"status_message\":\"ok\",\"id\":\"" ACCOUNT "\",\"name\":\"Лавка\",\"uri\":\"lavka\"}"
#define OK_SENT                                                                                              \
    "{\"status\":0,\"status_message\":\"ok\",\"message_token\":5741311803571721087,"                         \
    "\"chat_hostname\":\"SN-CHAT-05_\",\"billing_status\":1}"
#define OK_ZERO "{\"status\":0,\"status_message\":\"ok\"}"
#define ERROR(code, words) "{\"status\":" #code ",\"status_message\":\"" words "\"}"
#define SEND(content) "{\"content\":" content "}"
#define TEXT(words) "{\"type\":\"text\",\"text\":\"" words "\"}"

/* A started channel whose get_account_info has been answered. settings: NULL is {}. */
struct fake_host *channel_new(const char *settings);
/* The same, with the request for get_account_info still waiting, and start() with it. */
struct fake_host *channel_new_unanswered(const char *settings);
/* Stops it and fails the test if the fake host found a fault. */
void channel_free(struct fake_host *);

struct call { /* a request under way, taken apart */
    char method[64];
    yyjson_doc *document;
    yyjson_val *parameters;
};

/* The only request; the test fails if there are more. */
struct call call_only(struct fake_host *);
void call_free(struct call *);
/* The only request is of this method; answered. */
void call_answer(struct fake_host *, const char *method, int code, const char *body);
/* A parameter, by path; "" if it is not there. Valid until the next call. */
const char *call_text(const struct call *, const char *path);

/* Posts a callback with its signature, as Viber would; the answer, which must be there. */
const struct fake_answer *post(struct fake_host *, kanal_str body);
/* The signature, NUL-ended. */
void sign(char out[65], kanal_str body);

/* To the user, in its own chat. */
kanal_op deliver(struct fake_host *, const char *type, const char *data);
kanal_op send_content(struct fake_host *, const char *data);
/* The test fails if there is none yet. */
const kanal_result *result_of(struct fake_host *, kanal_op);
void expect_sent(struct fake_host *, kanal_op);
void expect_failed(struct fake_host *, kanal_op, int32_t scope, const char *code);

#endif
