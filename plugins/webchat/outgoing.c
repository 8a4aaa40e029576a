/* outgoing.c - deliveries: what the other side sends goes into the visitor's history, and to the pages that are open.
 *
 * "Sent" means stored: a visitor who is away finds it at the next hello. The message's id comes from the idempotency key, so
 * that a delivery that is tried again finds what the first try stored (KANAL_CAP_IDEMPOTENT). */
#include <stdlib.h>
#include "channel.h"
#include "content.h"

#define RETRY_MS 2000
#define TYPING_DEFAULT_MS 6000
#define TYPING_MAX_MS 30000

struct delivery_job;

struct delivery_verb {
    const char *type;
    int32_t has_content, has_target;
    /* The error code, or NULL. May add to job->frame, which goes to the open pages. */
    const char *(*apply)(struct delivery_job *, struct batch *);
};

struct delivery_job {
    struct job job;
    kanal_op op;
    const struct delivery_verb *verb;
    char *id, *command, *target, *author;
    struct kanal_buffer content; /* shown form, NUL-ended */
    int64_t at_ms;
    const char *code; /* of apply(); NULL: done */
    struct kanal_buffer frame;
};

/* ---- Answers ---- */

static void answer(struct kanal_channel *channel, kanal_op op, int32_t outcome, kanal_str external_id,
                   const char *code, const char *reason)
{
    kanal_result result = { .struct_size = sizeof result, .outcome = outcome, .scope = KANAL_SCOPE_MESSAGE };

    result.retry_after_ms = outcome == KANAL_RETRY ? RETRY_MS : 0;
    result.external_id = external_id;
    result.code = kanal_str_c(code);
    result.reason = kanal_str_c(reason);
    channel->host->delivered(channel->host, op, &result);
}

static void answer_failed(struct kanal_channel *channel, kanal_op op, const char *code, const char *reason)
{
    answer(channel, op, KANAL_FAILED, kanal_str_c(NULL), code, reason);
}

static void answer_retry(struct kanal_channel *channel, kanal_op op, const char *reason)
{
    answer(channel, op, KANAL_RETRY, kanal_str_c(NULL), "unavailable", reason);
}

/* ---- The verbs ---- */

static char *content_copy(const struct delivery_job *own)
{
    return kanal_str_dup(kanal_str_c(own->content.data));
}

/* { "type": TYPE, "id": id … }: the caller ends the object. */
static void frame_begin(struct delivery_job *own, struct kanal_json *json, const char *type, const char *key,
                        const char *id)
{
    kanal_buffer_clear(&own->frame);
    kanal_json_init(json, &own->frame);
    kanal_json_object(json);
    kanal_json_member_text(json, "type", type);
    kanal_json_member_text(json, key, id);
}

static struct history_item *target_of(struct delivery_job *own, struct history *h, int by_operator)
{
    struct history_item *item = history_find(h, kanal_str_c(own->target));

    return item && !item->by_operator == !by_operator ? item : NULL;
}

static const char *send_apply(struct delivery_job *own, struct batch *batch)
{
    struct history *h = batch_history(batch);
    struct history_item *item = history_find(h, kanal_str_c(own->id));
    struct kanal_json json;

    if (!item) {
        char *reply_to = own->target && history_find(h, kanal_str_c(own->target)) ? own->target : NULL;

        batch_changed(batch);
        if (!(item = history_append(h))) {
            batch_failed(batch);
            return NULL;
        }
        item->by_operator = 1;
        item->at_ms = own->at_ms;
        item->id = kanal_str_dup(kanal_str_c(own->id));
        item->content = content_copy(own);
        item->command = kanal_str_dup(kanal_str_c(own->command));
        item->author = own->author ? kanal_str_dup(kanal_str_c(own->author)) : NULL;
        item->reply_to = reply_to ? kanal_str_dup(kanal_str_c(reply_to)) : NULL;
        if (!item->id || !item->content || !item->command)
            batch_failed(batch);
    }
    kanal_buffer_clear(&own->frame);
    kanal_json_init(&json, &own->frame);
    kanal_json_object(&json);
    kanal_json_member_text(&json, "type", "message");
    kanal_json_key(&json, "item");
    history_item_show(item, &json);
    kanal_json_object_end(&json);
    return NULL;
}

static const char *edit_apply(struct delivery_job *own, struct batch *batch)
{
    struct history_item *item = target_of(own, batch_history(batch), 1);
    char *content = item && !item->deleted ? content_copy(own) : NULL;
    struct kanal_json json;

    if (!item || item->deleted)
        return "message_not_found";
    if (!content) {
        batch_failed(batch);
        return NULL;
    }
    free(item->content);
    item->content = content;
    item->edited_ms = own->at_ms;
    batch_changed(batch);
    frame_begin(own, &json, "edit", "id", item->id);
    kanal_json_member_int(&json, "edited", item->edited_ms);
    kanal_json_key(&json, "content");
    kanal_json_raw(&json, kanal_str_c(item->content));
    kanal_json_object_end(&json);
    return NULL;
}

static const char *delete_apply(struct delivery_job *own, struct batch *batch)
{
    struct history_item *item = target_of(own, batch_history(batch), 1);
    char *empty;
    struct kanal_json json;

    if (!item)
        return "message_not_found";
    if (!(empty = kanal_str_dup(KANAL_LIT("[]")))) {
        batch_failed(batch);
        return NULL;
    }
    free(item->content);
    item->content = empty;
    item->deleted = 1; /* a tombstone stays: a late repetition of the send must not bring it back */
    batch_changed(batch);
    frame_begin(own, &json, "delete", "id", item->id);
    kanal_json_object_end(&json);
    return NULL;
}

static const char *read_apply(struct delivery_job *own, struct batch *batch)
{
    struct history *h = batch_history(batch);
    struct history_item *item = target_of(own, h, 0);
    struct kanal_json json;

    if (!item)
        return "message_not_found";
    if (item->number > h->operator_read) {
        h->operator_read = item->number;
        batch_changed(batch);
    }
    frame_begin(own, &json, "read", "up_to", item->id);
    kanal_json_object_end(&json);
    return NULL;
}

static const struct delivery_verb verbs[] = {
    { "message.send", 1, 0, send_apply },
    { "message.edit", 1, 1, edit_apply },
    { "message.delete", 0, 1, delete_apply },
    { "message.read", 0, 1, read_apply },
};

/* ---- The job ---- */

static void delivery_apply(struct job *job, struct batch *batch)
{
    struct delivery_job *own = (struct delivery_job *)job;

    own->code = own->verb->apply(own, batch);
}

static void delivery_done(struct job *job, kanal_status status)
{
    struct delivery_job *own = (struct delivery_job *)job;
    struct kanal_channel *channel = job->visitor->channel;

    if (status != KANAL_OK) {
        answer_retry(channel, own->op, "the visitor's history cannot be stored now");
    } else if (own->code) {
        answer_failed(channel, own->op, own->code, "no such message in the visitor's history");
    } else {
        visitor_push(job->visitor, kanal_buffer_view(&own->frame), NULL);
        answer(channel, own->op, KANAL_SENT, kanal_str_c(own->id), NULL, NULL);
    }
}

static void delivery_free(struct job *job)
{
    struct delivery_job *own = (struct delivery_job *)job;

    free(own->id);
    free(own->command);
    free(own->target);
    free(own->author);
    kanal_buffer_release(&own->content);
    kanal_buffer_release(&own->frame);
    free(own);
}

static const struct job_kind delivery_kind = { delivery_apply, delivery_done, delivery_free, 1 };

/* The id of a history's item from the external id that we gave it: "VISITOR.id" of the visitor's own messages. */
static kanal_str item_id_of(kanal_str external_id, const char *visitor)
{
    if (external_id.len > SESSION_VISITOR_LEN + 1 && external_id.ptr[SESSION_VISITOR_LEN] == '.' &&
        memcmp(external_id.ptr, visitor, SESSION_VISITOR_LEN) == 0)
        return kanal_str_from(external_id, SESSION_VISITOR_LEN + 1);
    return external_id;
}

/* NULL, or the error code of a delivery that cannot be. */
static const char *take_content(struct delivery_job *own, const kanal_delivery *delivery)
{
    yyjson_doc *doc = kanal_json_parse(delivery->data);
    yyjson_val *root = yyjson_doc_get_root(doc);
    kanal_str author = kanal_json_text_at(kanal_json_at(root, "agent"), "name");
    size_t parts = own->verb->has_content ? content_show(&own->content, kanal_json_at(root, "content")) : 1;
    const char *code = parts == 0 ? "invalid_content" : NULL;

    if (own->content.len > HISTORY_ITEM_BYTES)
        code = "payload_too_large";
    kanal_buffer_byte(&own->content, '\0');
    if (author.len > 0 && author.len <= 256)
        own->author = kanal_str_dup(author);
    yyjson_doc_free(doc);
    return code;
}

static kanal_status take_ids(struct delivery_job *own, const kanal_delivery *delivery, const char *visitor)
{
    kanal_str target = item_id_of(delivery->target_external_id, visitor);
    struct kanal_buffer id = { 0 };

    kanal_buffer_text(&id, HISTORY_OPERATOR_PREFIX);
    kanal_buffer_str(&id, delivery->idempotency_key);
    own->id = kanal_str_dup(own->verb->apply == send_apply ? kanal_buffer_view(&id) : target);
    kanal_buffer_release(&id);
    own->command = kanal_str_dup(delivery->command_id);
    own->target = target.len > 0 ? kanal_str_dup(target) : NULL;
    return own->id && own->command && !own->content.failed ? KANAL_OK : KANAL_E_BUSY;
}

static void deliver_verb(struct kanal_channel *channel, kanal_op op, const kanal_delivery *delivery,
                         const char *visitor_id, const struct delivery_verb *verb)
{
    struct delivery_job *own = calloc(1, sizeof *own);
    struct visitor *visitor = visitor_get(channel, visitor_id);
    const char *code;

    if (!own || !visitor) {
        free(own);
        answer_retry(channel, op, "too many visitors at once");
        return;
    }
    own->job.kind = &delivery_kind;
    own->op = op;
    own->verb = verb;
    own->at_ms = channel_now_ms(channel);
    if ((code = take_content(own, delivery))) {
        answer_failed(channel, op, code, "nothing that the chat can show, or more than it can keep");
        delivery_free(&own->job);
    } else if (take_ids(own, delivery, visitor_id) != KANAL_OK || job_add(visitor, &own->job) != KANAL_OK) {
        answer_retry(channel, op, "too many messages to this visitor at once");
        delivery_free(&own->job);
    }
}

/* ---- Typing: shown to the open pages, kept nowhere ---- */

static void deliver_typing(struct kanal_channel *channel, kanal_op op, const kanal_delivery *delivery,
                           const char *visitor_id)
{
    struct visitor *visitor = visitor_get(channel, visitor_id);
    yyjson_doc *doc = kanal_json_parse(delivery->data);
    int64_t for_ms = kanal_json_int_at(yyjson_doc_get_root(doc), "duration_ms", TYPING_DEFAULT_MS);
    struct kanal_buffer frame = { 0 };
    struct kanal_json json;

    kanal_json_init(&json, &frame);
    kanal_json_object(&json);
    kanal_json_member_text(&json, "type", "typing");
    kanal_json_member_int(&json, "for_ms", for_ms < 0 ? 0 : for_ms > TYPING_MAX_MS ? TYPING_MAX_MS : for_ms);
    kanal_json_object_end(&json);
    if (visitor)
        visitor_push(visitor, kanal_buffer_view(&frame), NULL);
    answer(channel, op, KANAL_SENT, kanal_str_c(NULL), NULL, NULL);
    kanal_buffer_release(&frame);
    yyjson_doc_free(doc);
}

void outgoing_deliver(struct kanal_channel *channel, kanal_op op, const kanal_delivery *delivery)
{
    char visitor_id[SESSION_VISITOR_LEN + 1];
    const struct delivery_verb *verb = NULL;

    if (delivery->address.len > 0 ? session_visitor_of(delivery->address, visitor_id) != KANAL_OK
                                  : !session_visitor_ok(delivery->chat)) {
        answer_failed(channel, op, "recipient_unknown", "the address is not visitor:ID");
        return;
    }
    if (delivery->address.len == 0) {
        memcpy(visitor_id, delivery->chat.ptr, SESSION_VISITOR_LEN);
        visitor_id[SESSION_VISITOR_LEN] = '\0';
    }
    if (kanal_str_is(delivery->type, "typing.start")) {
        deliver_typing(channel, op, delivery, visitor_id);
        return;
    }
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        if (kanal_str_is(delivery->type, verbs[i].type))
            verb = &verbs[i];
    }
    if (!verb)
        answer_failed(channel, op, "unsupported_verb", "the chat does not know this verb");
    else if (verb->has_target && delivery->target_external_id.len == 0)
        answer_failed(channel, op, "message_not_found", "the message is not known on this channel");
    else
        deliver_verb(channel, op, delivery, visitor_id, verb);
}
