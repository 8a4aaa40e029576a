#include "outbound/ledger.h"

#include "broker/kv.h"
#include "host/receipts.h"
#include "kanal/sdk/time.h"

/* Half of what JetStream's duplicate window is: within it a second move is the first one. */
#define REMEMBERED_MS 90000

void ledger_command_key(const struct outbound *o, kanal_str channel, kanal_str verb, kanal_str id,
                        kanal_str replay, struct id *ret_key)
{
    int is_message = kanal_str_is(verb, "message.send");
    struct kanal_buffer text = { 0 };
    kanal_buffer_str(&text, id);
    replay_append(&text, replay);
    if (ids_event(o->host->envelope.ids, is_message ? KANAL_LIT("_") : channel, verb,
                  kanal_buffer_view(&text), ret_key) != 0)
        *ret_key = (struct id){ "" };
    kanal_buffer_release(&text);
}

/* ---- Accepted ---- */

struct accepting {
    struct outbound *outbound;
    published_fn *done;
    void *user;
    uint64_t sequence;
    char key[ID_LEN + 3];
};

static void finish(struct accepting *accepting, kanal_status status)
{
    accepting->done(accepting->user, status);
    free(accepting);
}

/* There is a record: ours, of the same message that the broker gave once more, or an earlier one's. */
static void on_found(void *user, kanal_status status, kanal_str value, uint64_t revision)
{
    struct accepting *accepting = user;
    (void)revision;
    if (status != KANAL_OK) {
        finish(accepting, status == KANAL_E_NOT_FOUND ? KANAL_E_BUSY : status);
        return;
    }
    yyjson_doc *doc = kanal_json_parse(value);
    yyjson_val *root = yyjson_doc_get_root(doc);
    uint64_t sequence = yyjson_get_uint(kanal_json_at(root, "sequence"));
    int64_t at_ms = 0;
    kanal_time_parse_rfc3339(kanal_json_text_at(root, "at"), &at_ms);
    yyjson_doc_free(doc);
    finish(accepting, sequence != accepting->sequence         ? KANAL_E_REJECTED
                      : host_now_ms() - at_ms > REMEMBERED_MS ? KANAL_E_MAYBE
                                                              : KANAL_OK);
}

static void on_made(void *user, kanal_status status, kanal_str value, uint64_t revision)
{
    struct accepting *accepting = user;
    struct outbound *o = accepting->outbound;
    (void)value, (void)revision;
    if (status == KANAL_E_REJECTED)
        kv_get(o->broker, o->host->names.sent, kanal_str_c(accepting->key), on_found, accepting);
    else
        finish(accepting, status);
}

void ledger_accept(struct outbound *o, const struct ledger_command *c, published_fn *done, void *user)
{
    struct accepting *accepting = malloc(sizeof *accepting);
    const struct command *command = c->command;
    struct kanal_buffer value = { 0 };
    struct kanal_json json;
    if (!accepting) {
        done(user, KANAL_E_BUSY);
        return;
    }
    *accepting = (struct accepting){ .outbound = o, .done = done, .user = user, .sequence = c->sequence };
    snprintf(accepting->key, sizeof accepting->key, "c.%s", c->key->text + 2);
    kanal_json_init(&json, &value);
    kanal_json_object(&json);
    kanal_json_member_str(&json, "channel", command->channel ? command->channel->id : KANAL_LIT("_"));
    kanal_json_member_nonempty(&json, "address", command->report.address);
    kanal_json_member_nonempty(&json, "chat", command->report.chat);
    kanal_json_key(&json, "sequence");
    kanal_json_uint(&json, c->sequence);
    kanal_json_key(&json, "after"); /* its events come later than this one */
    kanal_json_uint(&json, publisher_events_seen(o->host->publisher));
    kanal_json_member_time(&json, "at", host_now_ms());
    if (command->is_routed)
        kanal_json_member_bool(&json, "routed", 1);
    kanal_json_object_end(&json);
    kv_put(o->broker, o->host->names.sent, kanal_str_c(accepting->key), kanal_buffer_view(&value), 0, on_made,
           accepting);
    kanal_buffer_release(&value);
}

/* ---- Sent ---- */

struct noting {
    published_fn *done;
    void *user;
};

static void on_noted(void *user, kanal_status status, kanal_str value, uint64_t revision)
{
    struct noting *noting = user;
    (void)value, (void)revision;
    noting->done(noting->user, status == KANAL_E_REJECTED ? KANAL_E_NETWORK : status);
    free(noting);
}

void ledger_sent(struct outbound *o, const struct job *job, published_fn *done, void *user)
{
    struct noting *noting = malloc(sizeof *noting);
    struct kanal_buffer value = { 0 };
    struct kanal_json json;
    char key[RECEIPT_KEY_LEN + 1];
    if (!noting) {
        done(user, KANAL_E_BUSY);
        return;
    }
    *noting = (struct noting){ done, user };
    receipt_key(o->host->envelope.ids, job->channel->id, job->report.external_id, key);
    kanal_json_init(&json, &value);
    kanal_json_object(&json);
    kanal_json_member_str(&json, "id", job->command_id);
    kanal_json_member_nonempty(&json, "reference", job->report.reference);
    kanal_json_member_int(&json, "part", job->report.part);
    kanal_json_member_int(&json, "parts", job->report.parts);
    kanal_json_member_nonempty(&json, "address", job->report.address);
    kanal_json_member_nonempty(&json, "chat", job->report.chat);
    if (job->step > 0) {
        kanal_json_member_int(&json, "step", job->step);
        kanal_json_member_text(&json, "step_key", job->key.text + 2);
        kanal_json_member_text(&json, "route", job->message_key.text + 2);
    }
    kanal_json_object_end(&json);
    kv_put(o->broker, o->host->names.sent, kanal_str_c(key), kanal_buffer_view(&value), JS_ANY_SEQUENCE,
           on_noted, noting);
    kanal_buffer_release(&value);
}
