/* capture.h - a VK channel on the fake host, and what it asks of VK's API.
 *
 * Every call that a test takes is checked for what all calls have in common (POST, a form, the token in its slot, the
 * version), and is appended as a JSON line to the file that KANAL_VK_CALLS names: shapes.test.mjs checks these against
 * the description of the API. */
#ifndef VK_CAPTURE_H
#define VK_CAPTURE_H
#include "fixtures.h"

#define API "https://api.vk.com"
#define PEER "41887"
#define OK_SENT "{\"response\":[{\"peer_id\":41887,\"message_id\":3200,\"conversation_message_id\":77}]}"
#define OK_ONE "{\"response\":1}"
#define ERROR(code, words) "{\"error\":{\"error_code\":" #code ",\"error_msg\":\"" words "\"}}"
#define SEND(content) "{\"content\":" content "}"
#define TEXT(words) "{\"type\":\"text\",\"text\":\"" words "\"}"

/* A started channel whose groups.getById has been answered. more: further settings, ",\"buttons\":\"text\"", or NULL. */
struct fake_host *channel_new(const char *more);
/* Stops it and fails the test if the fake host found a fault. */
void channel_free(struct fake_host *);

struct call {             /* a request under way, taken apart */
    char method[64];      /* "messages.send"; of an upload the URL */
    yyjson_doc *document; /* of an object made of the form's fields */
    yyjson_val *fields;
    char upload[512], upload_field[64], upload_name[256],
        upload_type[128]; /* of an upload's file; else empty */
};

/* The request at an index; the test fails if there is none. */
struct call call_at(struct fake_host *, size_t index);
/* The only request; the test fails if there are more. */
struct call call_only(struct fake_host *);
void call_free(struct call *);
/* The only request is of this method; answered. */
void call_answer(struct fake_host *, const char *method, int code, const char *body);
/* A field; "" if it is not there. Valid until the next call. */
const char *call_text(const struct call *, const char *name);

/* Posts an event as VK would; the answer, which must be there. */
const struct fake_answer *post(struct fake_host *, kanal_str body);
/* Answers whatever is asked, until nothing is. */
void answer_all(struct fake_host *);

/* To vk:41887 in its own chat. target: an external id, or NULL. */
kanal_op deliver(struct fake_host *, const char *type, const char *target, const char *data);
kanal_op send_content(struct fake_host *, const char *data);
/* The test fails if there is none yet. */
const kanal_result *result_of(struct fake_host *, kanal_op);
void expect_sent(struct fake_host *, kanal_op, const char *external_id);
void expect_failed(struct fake_host *, kanal_op, int32_t scope, const char *code);

#endif
