/* support.h - what the tests of Meta's plugins share: a started channel, signed webhooks, the requests to the Graph API taken apart,
 * golden files, hostile payloads. The tests define FIXTURES, and what `meta_test` says of their plugin.
 *
 * Each request that a test looks at is also appended to the file that KANAL_META_CALLS names: shapes.test.mjs checks these against
 * the description of the API. */
#ifndef META_TEST_SUPPORT_H
#define META_TEST_SUPPORT_H
#include "fixtures.h"

#define TOKEN "EAAGm0PX4ZCpsBAKZD"
#define APP_SECRET "5f2a1c0d9e8b7a6f"
#define VERIFY_TOKEN "chosen-by-us"

struct meta_test {
    const char *settings;       /* of a channel where a test gives none */
    const char *api;            /* "https://graph.facebook.com/v24.0/" */
    const char *self;           /* what start() asks: the path below api */
    const char *address, *chat; /* of the customer that deliveries go to */
};
extern const struct meta_test meta_test;

/* A started channel whose first request has been answered. settings: NULL: meta_test's. */
struct fake_host *channel_new(const char *settings);
/* The same, with that request still waiting. */
struct fake_host *channel_new_unanswered(const char *settings);
/* Stops it and fails the test if the fake host found a fault. */
void channel_free(struct fake_host *);

/* ---- Webhooks ---- */

/* Posts a payload, signed; the answer's code. */
int post_hook(struct fake_host *, const char *json, size_t len);
/* The same with this value of X-Hub-Signature-256; NULL: without the header. */
int post_signed(struct fake_host *, kanal_str body, const char *signature);
/* "sha256=…" of a body, into out. */
void sign_body(char out[80], kanal_str body);
/* A channel that was told the fixture. */
struct fake_host *tell(const char *fixture);

/* ---- Requests ---- */

struct call { /* a request under way, taken apart */
    size_t index;
    char method[8], path[256]; /* below meta_test.api, with its query */
    yyjson_doc *document;      /* of the JSON body, or of an object made of the form's fields; NULL: none */
    yyjson_val *body;
    char upload[512], upload_name[256], upload_type[128]; /* of a form's file; empty: none */
};

struct call call_at(struct fake_host *, size_t index);
struct call call_only(struct fake_host *);
void call_free(struct call *);
/* The only request is of this path; answered. */
void call_answer(struct fake_host *, const char *path, int code, const char *body);
/* A value of the body that a path of members names, as text: strings as they are, else JSON; "" if it is not there. Valid until the
 * next call. */
const char *call_text(const struct call *, const char *path);

/* ---- Deliveries ---- */

#define SEND(content) "{\"content\":" content "}"
#define TEXT(words) "{\"type\":\"text\",\"text\":\"" words "\"}"

/* To meta_test.chat. target: an external id, or NULL. */
kanal_op deliver(struct fake_host *, const char *type, const char *target, const char *data);
kanal_op send_content(struct fake_host *, const char *data);
kanal_op send_to(struct fake_host *, const char *chat, const char *address, const char *data);
/* The test fails if there is none yet. */
const kanal_result *result_of(struct fake_host *, kanal_op);
void expect_sent(struct fake_host *, kanal_op, const char *external_id);
void expect_failed(struct fake_host *, kanal_op, int32_t scope, const char *code);
/* The delivery is refused without a request. */
void expect_refused(const char *type, const char *target, const char *data, const char *code);
/* One delivery, one request, of which a value is this; answered with `answer`, and sent as external_id. */
void expect_call(const char *type, const char *target, const char *data, const char *path, const char *value);
/* The answer that expect_call() gives, and the id in it. */
extern const char *const sent_answer, *const sent_id;

/* ---- Events ---- */

void expect_event(struct fake_host *, size_t index, const char *type, const char *address, const char *chat,
                  const char *external_id);

/* ---- Files ---- */

char *read_fixture(const char *name, size_t *ret_len);
/* Every fixture against fixtures/expected/NAME.json (KANAL_WRITE_GOLDEN=1 writes them anew, for a person to read). */
void check_fixtures(size_t at_least);
/* Every value of every fixture in turn is something else: 200 or 400, and events within the contract. The number of posts. */
size_t mutate_fixtures(void);

#endif
