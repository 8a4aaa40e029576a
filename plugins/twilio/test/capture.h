/* capture.h - a Twilio channel on the fake host: requests signed as Twilio signs them, and what is asked of its API.
 *
 * Every call that a test takes is checked for what all calls have in common (POST, form, credentials in their slot), and is appended as a
 * JSON line to the file that KANAL_TWILIO_CALLS names: shapes.test.mjs checks these. */
#ifndef TWILIO_CAPTURE_H
#define TWILIO_CAPTURE_H
#include "fixtures.h"

#define ACCOUNT "AC5f2a1c0d9e8b7a6f5f2a1c0d9e8b7a6f"
#define TOKEN "0d9e8b7a6f5f2a1c0d9e8b7a6f5f2a1c"
#define BASE "https://hub.example.com/c/fake"
#define OURS "+14155550100"
#define CUSTOMER "+14155551212"
#define ADDRESS "tel:" CUSTOMER
#define AGAIN "#rc=5&rp=5xx,ct,rt"
#define SID "SM00000000000000000000000000000051"
#define OK_SENT                                                                                              \
    "{\"sid\":\"" SID                                                                                        \
    "\",\"status\":\"queued\",\"error_code\":null,\"error_message\":null,\"to\":\"" CUSTOMER "\"}"
#define ERROR(code, words)                                                                                   \
    "{\"code\":" #code ",\"message\":\"" words "\",\"more_info\":\"https://x\",\"status\":400}"
#define SEND(content) "{\"content\":" content "}"
#define TEXT(words) "{\"type\":\"text\",\"text\":\"" words "\"}"
#define NUMBER_SID "PN00000000000000000000000000000001"

/* more: further settings, as members with a comma before each; NULL: none. */
struct fake_host *channel_new(const char *more);
/* The settings as they are. */
struct fake_host *channel_new_with(const char *settings);
/* Stops it and fails the test if the fake host found a fault. */
void channel_free(struct fake_host *);

/* ---- Requests of Twilio's ---- */

/* The members of an object as a form: texts as they are, others as their JSON; of an array each of its values. */
void encode_form(struct kanal_buffer *out, yyjson_val *object);
/* base64 HMAC-SHA1 of the URL and, where there is one, of the form's sorted parameters; made here without the plugin's code. */
void sign(char out[64], const char *url, kanal_str form);
/* Posts to a path with its query; signature NULL: none. type: of the body. */
const struct fake_answer *post_with(struct fake_host *, const char *target, const char *type, kanal_str body,
                                    const char *signature);
/* … signed as Twilio would. */
const struct fake_answer *post_form(struct fake_host *, const char *target, kanal_str form);
/* JSON: bodySHA256 is added to the URL. */
const struct fake_answer *post_json(struct fake_host *, const char *target, kanal_str json);

struct fixture {
    yyjson_doc *document;
    const char *path;
    yyjson_val *params, *body; /* a form, or JSON */
    char settings[512];        /* as channel_new() takes them */
};
struct fixture fixture_open(const char *name);
void fixture_close(struct fixture *);
/* A channel of the fixture's settings that was sent it: as a form, or as_json. */
struct fake_host *tell(const char *name, int as_json);

/* ---- Requests to Twilio ---- */

struct call {      /* a request under way, taken apart */
    char path[64]; /* below the account */
    char *form;
};
/* The only request; the test fails if there are more. */
struct call call_only(struct fake_host *);
void call_free(struct call *);
/* The values of a parameter, joined by '|'; "" if it is not there. Valid until the next call. */
const char *call_text(const struct call *, const char *name);

kanal_op deliver(struct fake_host *, const char *type, const char *data);
kanal_op send_content(struct fake_host *, const char *data);
/* The test fails if there is none yet. */
const kanal_result *result_of(struct fake_host *, kanal_op);
void expect_sent(struct fake_host *, kanal_op);
void expect_failed(struct fake_host *, kanal_op, int32_t scope, const char *code);

#endif
