#include "api/resolve.h"

#include <stdlib.h>

#include "outbound/messages.h"

#define LOOKS_MAX 100000u /* dead letters, from the newest on */

static api_handler_fn resolve;

const struct api_endpoint api_resolve_endpoints[] = {
    { "message-resolve", "Decides about a message of which nobody knows whether it arrived.", resolve },
};
const size_t api_resolve_endpoint_count = sizeof api_resolve_endpoints / sizeof *api_resolve_endpoints;

struct resolving {
    const struct api_resolve *api;
    struct api_request *request;
    yyjson_doc *asked, *letter;
    kanal_str id; /* borrows from asked, like agent */
    const char *decision;
    yyjson_val *agent;
    uint32_t part, parts; /* part: asked for, then the one that waits */
    uint64_t sequence;    /* of the letter */
};

static void end(struct resolving *r)
{
    yyjson_doc_free(r->asked);
    yyjson_doc_free(r->letter);
    free(r);
}

static void refuse(struct resolving *r, int status, const char *code, kanal_str detail)
{
    api_refuse(r->request, status, code, detail, (kanal_str){ 0 });
    end(r);
}

static void unavailable(struct resolving *r, kanal_status status)
{
    api_unavailable(r->request, status);
    end(r);
}

static int is_decision(const struct resolving *r, const char *decision)
{
    return strcmp(r->decision, decision) == 0;
}

/* ---- Doing it ---- */

static void on_state(void *user, const struct message_answer *answer)
{
    struct resolving *r = user;
    if (answer->status == 200) {
        api_answer(r->request, answer->body);
        end(r);
    } else {
        refuse(r, answer->status, answer->code, answer->detail);
    }
}

static void on_taken_out(void *user, kanal_status status, kanal_str reason)
{
    struct resolving *r = user;
    (void)reason;
    if (status == KANAL_OK || status == KANAL_E_NOT_FOUND)
        messages_get(r->api->outbound, r->id, on_state, r);
    else
        unavailable(r, status);
}

static void take_out(struct resolving *r)
{
    js_delete_sequence(r->api->dead->broker, r->api->dead->stream, r->sequence, on_taken_out, r);
}

static void on_given_again(void *user, kanal_status status, const struct js_ack *ack, kanal_str reason)
{
    struct resolving *r = user;
    (void)ack, (void)reason; /* a duplicate is as good as stored */
    if (status == KANAL_OK)
        take_out(r);
    else
        unavailable(r, status);
}

/* The decision is noted and told; once more is the same. */
static void on_decided(void *user, kanal_status status)
{
    struct resolving *r = user;
    int64_t from = is_decision(r, "retry") ? r->part : (int64_t)r->part + 1;
    if (status == KANAL_E_REJECTED)
        refuse(r, 409, "conflict", KANAL_LIT("it was decided otherwise; message-get says where it stands"));
    else if (status != KANAL_OK)
        unavailable(r, status);
    else if (is_decision(r, "failed"))
        messages_get(r->api->outbound, r->id, on_state, r);
    else if (is_decision(r, "sent") && r->part >= r->parts)
        take_out(r);
    else if (dead_give_again(r->api->dead, yyjson_doc_get_root(r->letter), from, on_given_again, r) != 0)
        messages_get(r->api->outbound, r->id, on_state, r); /* expired: the letter says what was left out */
}

/* ---- Which one is meant ---- */

static int on_seen(void *user, const struct dead_seen *seen)
{
    struct resolving *r = user;
    yyjson_val *command = kanal_json_at(seen->letter, "command");
    size_t len = 0;
    if (!kanal_str_equal(kanal_json_text_at(command, "id"), r->id) ||
        kanal_json_int_at(seen->letter, "part", 0) != (int64_t)r->part)
        return 0;
    char *text = yyjson_val_write(seen->letter, 0, &len);
    r->letter = text ? kanal_json_parse(kanal_str_of(text, len)) : NULL;
    r->sequence = seen->sequence;
    free(text);
    return 1;
}

static void on_walked(void *user, kanal_status status, const struct dead_cursor *cursor)
{
    struct resolving *r = user;
    (void)cursor;
    if (status != KANAL_OK) {
        unavailable(r, status);
    } else if (!r->letter) {
        refuse(r, 409, "conflict",
               KANAL_LIT("its dead letter is not there any more: it was decided, replayed or dropped"));
    } else if (is_decision(r, "retry") && !dead_can_be_given(yyjson_doc_get_root(r->letter))) {
        refuse(r, 409, "conflict", KANAL_LIT("it has expired: sent and failed can still be decided"));
    } else {
        struct message_decision decision = { .decision = r->decision,
                                             .part = r->part,
                                             .parts = r->parts,
                                             .letter = yyjson_doc_get_root(r->letter),
                                             .agent = r->agent };
        messages_decide(r->api->outbound, &decision, on_decided, r);
    }
}

static void on_waiting(void *user, kanal_status status, const struct message_waiting *waiting)
{
    struct resolving *r = user;
    struct dead_walk_options options = { .most = LOOKS_MAX, .seen = on_seen, .done = on_walked, .user = r };
    if (status == KANAL_E_NOT_FOUND) {
        refuse(r, 404, "not_found", KANAL_LIT("no message of that id was accepted, or it is past retention"));
    } else if (status != KANAL_OK) {
        unavailable(r, status);
    } else if (!waiting->is_waiting || (r->part > 0 && r->part != waiting->part)) {
        struct kanal_buffer detail = { 0 };
        kanal_buffer_text(&detail, r->part > 0 ? "this part does not wait" : "nothing of it waits");
        kanal_buffer_text(&detail, " for a decision; the message is ");
        kanal_buffer_str(&detail, waiting->state);
        refuse(r, 409, "conflict", kanal_buffer_view(&detail));
        kanal_buffer_release(&detail);
    } else {
        r->part = waiting->part;
        r->parts = waiting->parts;
        dead_walk(r->api->dead, &options);
    }
}

/* ---- What is asked ---- */

static void read_asked(struct resolving *r)
{
    static const char *const decisions[] = { "retry", "sent", "failed" };
    yyjson_val *asked = yyjson_doc_get_root(r->asked);
    r->id = kanal_json_text_at(asked, "id");
    r->agent = kanal_json_at(asked, "agent");
    r->part = (uint32_t)kanal_json_int_at(asked, "part", 0);
    for (size_t i = 0; i < sizeof decisions / sizeof *decisions; i++)
        if (kanal_str_is(kanal_json_text_at(asked, "decision"), decisions[i]))
            r->decision = decisions[i];
}

/* The agent's words become part of an event, so all of it has to keep the contract. */
static int keeps_contract(const struct api_resolve *api, yyjson_val *asked)
{
    return *api->contract && json_schema_check_at(*api->contract, "#/$defs/api.message-resolve.request",
                                                  asked, NULL, NULL) == 0;
}

static void resolve(void *user, struct api_request *request, kanal_str body)
{
    yyjson_doc *asked = api_read_body(request, body);
    if (!asked)
        return;
    struct resolving *r = calloc(1, sizeof *r);
    if (!r) {
        yyjson_doc_free(asked);
        api_unavailable(request, KANAL_E_BUSY);
        return;
    }
    *r = (struct resolving){ .api = user, .request = request, .asked = asked };
    read_asked(r);
    if (!keeps_contract(r->api, yyjson_doc_get_root(asked)) || !r->decision)
        refuse(r, 400, "invalid_request",
               KANAL_LIT("id (of a command) and decision (retry, sent or failed) are required; part is a "
                         "number from 1, agent an object with kind, id and name"));
    else
        messages_waiting(r->api->outbound, r->id, on_waiting, r);
}
