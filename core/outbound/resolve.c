/* Deciding about a delivery whose fate nobody knows (on_unknown: ask): which one waits, and what is said of the decision. */
#include <stdio.h>

#include "broker/kv.h"
#include "event/address.h"
#include "outbound/history.h"
#include "outbound/ledger.h"
#include "outbound/messages.h"

/* ---- Which one waits ---- */

struct looking {
    message_waiting_fn *fn;
    void *user;
};

static void on_history(void *user, kanal_status status, const struct history *history)
{
    struct looking *looking = user;
    struct history_part part = { 0 };
    struct message_waiting waiting = { 0 };
    if (status == KANAL_OK) {
        waiting.is_waiting = history_unknown(history, &part);
        waiting.part = part.part;
        waiting.parts = part.parts;
        waiting.state = history_state(history);
    }
    looking->fn(looking->user, status, &waiting);
    free(looking);
}

void messages_waiting(struct outbound *o, kanal_str id, message_waiting_fn *fn, void *user)
{
    struct looking *looking = malloc(sizeof *looking);
    struct id key;
    if (!looking) {
        fn(user, KANAL_E_BUSY, &(struct message_waiting){ 0 });
        return;
    }
    *looking = (struct looking){ fn, user };
    ledger_command_key(o, (kanal_str){ 0 }, KANAL_LIT("message.send"), id, (kanal_str){ 0 }, &key);
    history_read(o, id, &key, on_history, looking);
}

/* ---- The decision ---- */

/* d.<id of the dead letter> in the ledger's bucket: {"decision"}. Made once, so two decisions at the same moment are one. */
struct deciding {
    struct outbound *outbound;
    struct message_decision decision;
    published_fn *done;
    void *user;
    struct kanal_buffer address;
    char key[ID_LEN + 3];
};

static void finish(struct deciding *d, kanal_status status)
{
    d->done(d->user, status);
    kanal_buffer_release(&d->address);
    free(d);
}

static void on_told(void *user, kanal_status status)
{
    finish(user, status == KANAL_E_REJECTED ? KANAL_E_NETWORK : status);
}

static void tell(struct deciding *d)
{
    struct outbound *o = d->outbound;
    const struct message_decision *decision = &d->decision;
    yyjson_val *letter = decision->letter, *command = kanal_json_at(letter, "command");
    yyjson_val *to = kanal_json_at(command, "to"), *error = kanal_json_at(letter, "error");
    int is_sent = strcmp(decision->decision, "sent") == 0;
    if (strcmp(decision->decision, "retry") == 0) {
        finish(d, KANAL_OK);
        return;
    }
    char code[64];
    kanal_str said = kanal_json_text_at(error, "code"), address = kanal_json_text_at(to, "address");
    snprintf(code, sizeof code, "%.*s", (int)(said.len < sizeof code ? said.len : 0),
             said.ptr ? said.ptr : "");
    if (address.len > 0 && address_normalise(address, &d->address) != 0)
        kanal_buffer_clear(&d->address);
    const struct channel *channel = host_find(o->host, kanal_json_text_at(letter, "channel"));
    struct envelope_source nobody = { .channel = KANAL_LIT("_"), .plugin = KANAL_LIT("kanal") };
    struct report report = { .type = is_sent ? "message.sent" : "message.failed",
                             .command_id = kanal_json_text_at(command, "id"),
                             .reference = kanal_json_text_at(command, "reference"),
                             .traceparent = kanal_json_text_at(letter, "traceparent"),
                             .address = kanal_buffer_view(&d->address),
                             .chat = kanal_json_text_at(to, "chat"),
                             .replay = kanal_json_text_at(letter, "id"),
                             .part = decision->part,
                             .parts = decision->parts,
                             .attempt = (uint32_t)kanal_json_int_at(letter, "attempts", 0),
                             .code = is_sent ? NULL : code,
                             .scope = KANAL_SCOPE_MESSAGE,
                             .agent = decision->agent ? decision->agent : kanal_json_at(command, "agent") };
    if (!is_sent)
        report.detail = KANAL_LIT("nobody knows whether it arrived; given up by message-resolve");
    report_event(o, channel ? &channel->source : &nobody, &report, on_told, d);
}

static void on_found(void *user, kanal_status status, kanal_str value, uint64_t revision)
{
    struct deciding *d = user;
    (void)revision;
    if (status != KANAL_OK) {
        finish(d, status == KANAL_E_NOT_FOUND ? KANAL_E_BUSY : status);
        return;
    }
    yyjson_doc *doc = kanal_json_parse(value);
    int is_same =
        kanal_str_is(kanal_json_text_at(yyjson_doc_get_root(doc), "decision"), d->decision.decision);
    yyjson_doc_free(doc);
    if (is_same)
        tell(d);
    else
        finish(d, KANAL_E_REJECTED);
}

static void on_made(void *user, kanal_status status, kanal_str value, uint64_t revision)
{
    struct deciding *d = user;
    (void)value, (void)revision;
    if (status == KANAL_E_REJECTED)
        kv_get(d->outbound->broker, d->outbound->host->names.sent, kanal_str_c(d->key), on_found, d);
    else if (status != KANAL_OK)
        finish(d, status);
    else
        tell(d);
}

void messages_decide(struct outbound *o, const struct message_decision *decision, published_fn *done,
                     void *user)
{
    struct deciding *d = calloc(1, sizeof *d);
    kanal_str letter = kanal_json_text_at(decision->letter, "id");
    char value[48];
    if (!d || letter.len != ID_LEN) {
        done(user, d ? KANAL_E_INVALID : KANAL_E_BUSY);
        free(d);
        return;
    }
    *d = (struct deciding){ .outbound = o, .decision = *decision, .done = done, .user = user };
    snprintf(d->key, sizeof d->key, "d.%.*s", (int)letter.len - 2, letter.ptr + 2);
    snprintf(value, sizeof value, "{\"decision\":\"%s\"}", decision->decision);
    kv_put(o->broker, o->host->names.sent, kanal_str_c(d->key), kanal_str_c(value), 0, on_made, d);
}
