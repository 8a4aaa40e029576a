/* capture.h - a Telegram channel on the fake host, and what it asks of the Bot API.
 *
 * Every call that a test takes is checked for what all calls have in common (POST, the token in its slot, a
 * granted host), and is appended as a JSON line to the file that KANAL_TELEGRAM_CALLS names: shapes.test.mjs
 * checks these against the description of the Bot API. */
#ifndef TELEGRAM_CAPTURE_H
#define TELEGRAM_CAPTURE_H
#include "fixtures.h"

#define API "https://api.telegram.org"
#define OK_TRUE "{\"ok\":true,\"result\":true}"
#define OK_MESSAGE                                                                                           \
    "{\"ok\":true,\"result\":{\"message_id\":77,\"date\":1795300000,\"chat\":{\"id\":3527065,\"type\":"      \
    "\"private\"}}}"
#define OK_UPDATES_NONE "{\"ok\":true,\"result\":[]}"

/* A started channel whose getMe has been answered. settings: NULL is {}. */
struct fake_host *channel_new(const char *settings);
/* The same, with the request for getMe still waiting. */
struct fake_host *channel_new_unanswered(const char *settings);
/* Stops it and fails the test if the fake host found a fault. */
void channel_free(struct fake_host *);

struct call { /* a request under way, taken apart */
    size_t index;
    char method[48];
    yyjson_doc *document; /* of the JSON body, or of an object made of the form's fields */
    yyjson_val *parameters;
    char upload[512], upload_field[64], upload_name[256],
        upload_type[128]; /* of a form's file; empty: none */
};

/* The request at an index; the test fails if there is none or it is not one to the Bot API. */
struct call call_at(struct fake_host *, size_t index);
/* The only request; the test fails if there are more. */
struct call call_only(struct fake_host *);
/* The only request is of this method; answered; its parameters are freed. */
void call_answer(struct fake_host *, const char *method, int code, const char *body);
void call_free(struct call *);

/* A parameter as text: strings as they are, everything else as JSON; "" if it is not there. Valid until the
 * next call. */
const char *call_text(const struct call *, const char *name);

/* fixture_read() of this plugin's fixtures. */
char *read_fixture(const char *name, size_t *ret_len);

/* Posts an update to the webhook with the right secret; the answer's code. */
int post_update(struct fake_host *, const char *json, size_t len);

#endif
