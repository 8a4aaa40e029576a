#include "handoff/create.h"

#include <stdio.h>

#include "broker/kv.h"
#include "handoff/qr.h"
#include "handoff/token.h"
#include "handoff/url.h"
#include "kanal/sdk/base64.h"
#include "kanal/sdk/json.h"
#include "kanal/sdk/str.h"
#include "kanal/sdk/time.h"

#define FOR_EVER_MS (100 * 365 * 24 * INT64_C(3600000))
#define PURPOSE_OF_REQUEST "handoff request"

struct handoff {
    struct host *host;
    int64_t kept_ms;
    char bucket[64];
    struct making *makings;
};

/* One link that is being made. */
struct making {
    struct making *next, **link;
    struct handoff *handoff;
    handoff_answer_fn *answer;
    void *user;
    struct id id;
    struct token token;
    char request[33]; /* tells two commands of one id apart; hex */
    int64_t expires_ms;
    enum { QR_NONE, QR_SVG, QR_PNG } qr;
    struct kanal_buffer url, record;
};

int handoff_new(struct handoff **ret_handoff, const struct handoff_options *options)
{
    struct handoff *handoff = calloc(1, sizeof *handoff);
    if (!handoff)
        return KANAL_E_INTERNAL;
    handoff->host = options->host;
    handoff->kept_ms = options->kept_ms > 0 ? options->kept_ms : FOR_EVER_MS;
    snprintf(handoff->bucket, sizeof handoff->bucket, "%s_handoffs", options->prefix);
    *ret_handoff = handoff;
    return 0;
}

static void making_free(struct making *making)
{
    if (!making)
        return;
    if (making->link) {
        *making->link = making->next;
        if (making->next)
            making->next->link = making->link;
    }
    kanal_buffer_release(&making->url);
    kanal_buffer_release(&making->record);
    free(making);
}

void handoff_free(struct handoff *handoff)
{
    if (!handoff)
        return;
    while (handoff->makings)
        making_free(handoff->makings);
    free(handoff);
}

/* ---- Answers ---- */

static void refuse(const struct making *making, int status, const char *code, kanal_str detail)
{
    making->answer(making->user,
                   &(struct handoff_answer){ .status = status, .code = code, .detail = detail });
}

/* 0, or -1: it was refused. */
static int write_qr(const struct making *making, struct kanal_json *json)
{
    struct kanal_buffer picture = { 0 }, text = { 0 };
    int status = making->qr == QR_SVG ? qr_svg(kanal_buffer_view(&making->url), &picture)
                                      : qr_png(kanal_buffer_view(&making->url), &picture);
    if (status == 0) {
        kanal_base64_encode(&text, kanal_buffer_view(&picture), 0);
        kanal_json_key(json, "qr");
        kanal_json_object(json);
        kanal_json_member_text(json, "mime", making->qr == QR_SVG ? "image/svg+xml" : "image/png");
        kanal_json_member_str(json, "data", kanal_buffer_view(&text));
        kanal_json_object_end(json);
    } else if (status == KANAL_E_TOO_LARGE) {
        refuse(making, 400, "payload_too_large",
               KANAL_LIT("the link is too long for a QR code: shorten `text`"));
    } else {
        refuse(making, 503, "unavailable", KANAL_LIT("out of memory"));
    }
    kanal_buffer_release(&picture);
    kanal_buffer_release(&text);
    return status;
}

static void answer(const struct making *making)
{
    struct kanal_buffer body = { 0 };
    struct kanal_json json;
    kanal_json_init(&json, &body);
    kanal_json_object(&json);
    kanal_json_member_str(&json, "id", kanal_str_of(making->id.text, ID_LEN));
    kanal_json_member_str(&json, "url", kanal_buffer_view(&making->url));
    kanal_json_member_text(&json, "payload", making->token.text);
    kanal_json_member_time(&json, "expires", making->expires_ms);
    int refused = making->qr != QR_NONE && write_qr(making, &json) != 0;
    kanal_json_object_end(&json);
    if (!refused && body.failed)
        refuse(making, 503, "unavailable", KANAL_LIT("out of memory"));
    else if (!refused)
        making->answer(making->user,
                       &(struct handoff_answer){ .status = 200, .body = kanal_buffer_view(&body) });
    kanal_buffer_release(&body);
}

/* ---- The record ---- */

static void copy(struct kanal_json *json, yyjson_val *command, const char *member)
{
    if (!kanal_json_at(command, member))
        return;
    kanal_json_key(json, member);
    kanal_json_value(json, kanal_json_at(command, member));
}

/* What arrive.c reads. */
static void write_record(struct making *making, yyjson_val *command)
{
    kanal_str customer = kanal_json_text_at(command, "customer");
    struct kanal_json json;
    kanal_json_init(&json, &making->record);
    kanal_json_object(&json);
    kanal_json_member_text(&json, "request", making->request);
    copy(&json, command, "channel");
    if (customer.len == ID_LEN) { /* a customer's id is that of one of their nodes, for ever (event/ids.h) */
        char node[ID_LEN + 1] = "a";
        memcpy(node + 1, customer.ptr + 1, ID_LEN - 1);
        kanal_json_member_text(&json, "node", node);
    }
    copy(&json, command, "conversation");
    copy(&json, command, "context");
    copy(&json, command, "reference");
    copy(&json, command, "agent");
    kanal_json_member_str(&json, "command", kanal_json_text_at(command, "id"));
    kanal_json_member_bool(&json, "single_use",
                           !kanal_json_at(command, "single_use") ||
                               kanal_json_bool_at(command, "single_use"));
    kanal_json_member_int(&json, "created", host_now_ms());
    kanal_json_member_int(&json, "expires", making->expires_ms);
    kanal_json_object_end(&json);
}

static void on_known(void *user, kanal_status status, kanal_str value, uint64_t revision)
{
    struct making *making = user;
    yyjson_doc *document = status == KANAL_OK ? kanal_json_parse(value) : NULL;
    yyjson_val *record = yyjson_doc_get_root(document);
    (void)revision;
    if (status != KANAL_OK) {
        refuse(making, 503, "unavailable", KANAL_LIT("the link cannot be looked up now; ask again"));
    } else if (!kanal_str_is(kanal_json_text_at(record, "request"), making->request)) {
        refuse(making, 409, "duplicate_id",
               KANAL_LIT("another link was made under this id; every link needs an id of its own"));
    } else {
        making->expires_ms = kanal_json_int_at(record, "expires", making->expires_ms);
        answer(making);
    }
    yyjson_doc_free(document);
    making_free(making);
}

static void on_stored(void *user, kanal_status status, kanal_str value, uint64_t revision)
{
    struct making *making = user;
    (void)value, (void)revision;
    if (status == KANAL_E_REJECTED) {
        kv_get(making->handoff->host->broker, making->handoff->bucket, kanal_str_of(making->id.text, ID_LEN),
               on_known, making);
        return;
    }
    if (status == KANAL_OK)
        answer(making);
    else
        refuse(making, 503, "unavailable", KANAL_LIT("the link cannot be stored now; ask again"));
    making_free(making);
}

/* ---- The command ---- */

/* What of a command makes it another one: not how the answer looks. */
static int fingerprint(struct making *making, yyjson_val *command)
{
    static const char *const members[] = { "channel",    "customer", "conversation", "context",
                                           "single_use", "text",     "expires",      NULL };
    struct kanal_buffer text = { 0 };
    struct kanal_json json;
    unsigned char bytes[16];
    kanal_json_init(&json, &text);
    kanal_json_object(&json);
    for (const char *const *member = members; *member; member++)
        copy(&json, command, *member);
    kanal_json_object_end(&json);
    int status = text.failed ? KANAL_E_INTERNAL
                             : ids_sign(making->handoff->host->envelope.ids, PURPOSE_OF_REQUEST,
                                        kanal_buffer_view(&text), bytes);
    kanal_buffer_clear(&text);
    kanal_hex_encode(&text, kanal_str_of((const char *)bytes, status == 0 ? sizeof bytes : 0));
    kanal_str_keep(making->request, sizeof making->request, kanal_buffer_view(&text));
    kanal_buffer_release(&text);
    return status;
}

static int check_channel(struct making *making, yyjson_val *command)
{
    const struct channel *channel = host_find(making->handoff->host, kanal_json_text_at(command, "channel"));
    struct kanal_buffer why = { 0 };
    if (!channel) {
        refuse(making, 404, "channel_unknown", KANAL_LIT("there is no channel of that id"));
        return -1;
    }
    if (channel->link_template) {
        if (handoff_url(kanal_str_c(channel->link_template), kanal_str_c(making->token.text),
                        kanal_json_text_at(command, "text"), &making->url) == 0)
            return 0;
        refuse(making, 400, "payload_too_large",
               KANAL_LIT("the link would be over 4,096 bytes: shorten `text`"));
        return -1;
    }
    kanal_buffer_text(&why, "no link leads to channel ");
    kanal_buffer_str(&why, channel->id);
    if (channel->state == CHANNEL_UP) {
        kanal_buffer_text(
            &why, ": its plugin has none, misses a setting for it, or was not told yet by the provider "
                  "(a bot's name); the plugin's README says which");
        refuse(making, 400, "unsupported_verb", kanal_buffer_view(&why));
    } else {
        kanal_buffer_text(&why, " before it is up; ask again");
        refuse(making, 503, "channel_down", kanal_buffer_view(&why));
    }
    kanal_buffer_release(&why);
    return -1;
}

/* A link of one customer that two could follow would make them one. */
static int check_use(const struct making *making, yyjson_val *command)
{
    yyjson_val *single = kanal_json_at(command, "single_use");
    int is_of_someone = kanal_json_at(command, "customer") || kanal_json_at(command, "conversation");
    if (single && !yyjson_get_bool(single) && is_of_someone)
        refuse(making, 400, "invalid_request",
               KANAL_LIT("single_use: a link of a customer works once, or everybody who follows it would be "
                         "taken for them; "
                         "leave out `customer` and `conversation`"));
    else if (kanal_json_at(command, "conversation") && !kanal_json_at(command, "customer"))
        refuse(making, 400, "invalid_request",
               KANAL_LIT(
                   "conversation: name its customer, too (data.customer.id of the conversation's events)"));
    else
        return 0;
    return -1;
}

static int check_time(struct making *making, yyjson_val *command)
{
    kanal_str expires = kanal_json_text_at(command, "expires");
    int64_t now = host_now_ms(), kept = making->handoff->kept_ms;
    making->expires_ms = now + (kept < HANDOFF_EXPIRES_MS ? kept : HANDOFF_EXPIRES_MS);
    if (expires.len > 0 && kanal_time_parse_rfc3339(expires, &making->expires_ms) != 0)
        refuse(making, 400, "invalid_request",
               KANAL_LIT("expires: expected a time such as 2026-11-28T00:00:00Z"));
    else if (making->expires_ms <= now)
        refuse(making, 400, "expired", KANAL_LIT("expires: the time is past"));
    else if (making->expires_ms - now > kept)
        refuse(making, 400, "invalid_request",
               KANAL_LIT("expires: links are kept for retention.handoffs of the gateway's configuration; "
                         "expected an earlier time"));
    else
        return 0;
    return -1;
}

static int check_context(const struct making *making)
{
    if (making->record.failed) {
        refuse(making, 503, "unavailable", KANAL_LIT("out of memory"));
        return -1;
    }
    if (making->record.len <= HANDOFF_CONTEXT_MAX)
        return 0;
    refuse(making, 400, "payload_too_large",
           KANAL_LIT("context: over 16 KiB; give a key of your own instead"));
    return -1;
}

static int prepare(struct making *making, yyjson_val *command)
{
    struct ids *ids = making->handoff->host->envelope.ids;
    kanal_str qr = kanal_json_text_at(command, "qr");
    making->qr = kanal_str_is(qr, "svg") ? QR_SVG : kanal_str_is(qr, "png") ? QR_PNG : QR_NONE;
    if (token_link_of(ids, kanal_json_text_at(command, "id"), &making->id) != 0 ||
        token_make(ids, &making->id, &making->token) != 0 || fingerprint(making, command) != 0) {
        refuse(making, 503, "unavailable", KANAL_LIT("out of memory"));
        return -1;
    }
    if (check_use(making, command) != 0 || check_time(making, command) != 0 ||
        check_channel(making, command) != 0)
        return -1;
    write_record(making, command);
    return check_context(making);
}

void handoff_create(struct handoff *handoff, yyjson_val *command, handoff_answer_fn *fn, void *user)
{
    struct making *making = calloc(1, sizeof *making);
    if (!making) {
        fn(user, &(struct handoff_answer){
                     .status = 503, .code = "unavailable", .detail = KANAL_LIT("out of memory") });
        return;
    }
    *making = (struct making){ .handoff = handoff, .answer = fn, .user = user };
    if (prepare(making, command) != 0) {
        making_free(making);
        return;
    }
    making->next = handoff->makings;
    if (making->next)
        making->next->link = &making->next;
    making->link = &handoff->makings;
    handoff->makings = making;
    kv_put(handoff->host->broker, handoff->bucket, kanal_str_of(making->id.text, ID_LEN),
           kanal_buffer_view(&making->record), 0, on_stored, making);
}
