/* message.c - a message of the visitor: published, then kept, then acknowledged. */
#include <stdlib.h>
#include "client_job.h"
#include "content.h"
#include "frame.h"

enum message_outcome { MESSAGE_STORED, MESSAGE_KNOWN, MESSAGE_BAD_FILE, MESSAGE_BAD_ANSWER };

struct message_job {
    struct client_job own;
    char *text, *answer_message, *answer_payload, *file;
    struct session_ticket ticket;
    struct kanal_buffer page, attribution;
    char locale[36];
    int64_t at_ms;
    enum message_outcome outcome;
    int64_t acked_ms;
    struct kanal_buffer frame; /* for the visitor's other pages */
};

/* The parts, as the contract has them (with "ref") or as the browser gets them ("held"). */
static void message_content(const struct message_job *own, const struct content_option *option, int held,
                            struct kanal_json *json)
{
    kanal_json_array(json);
    kanal_json_object(json);
    if (own->answer_payload) {
        kanal_json_member_text(json, "type", "answer");
        kanal_json_member_text(json, "kind", option->kind);
        kanal_json_member_text(json, "payload", own->answer_payload);
        kanal_json_member_text(json, "text", option->text);
    } else if (own->file) {
        kanal_json_member_text(json, "type", content_kind_of(kanal_str_c(own->ticket.mime)));
        if (held)
            kanal_json_member_bool(json, "held", 1);
        else
            kanal_json_member_text(json, "ref", own->ticket.reference);
        kanal_json_member_text(json, "mime", own->ticket.mime);
        kanal_json_member_int(json, "size", (int64_t)own->ticket.size);
        kanal_json_member_text(json, "name", own->ticket.name);
        kanal_json_member_text(json, "caption", own->text);
    } else {
        kanal_json_member_text(json, "type", "text");
        kanal_json_member_text(json, "text", own->text);
    }
    kanal_json_object_end(json);
    kanal_json_array_end(json);
}

static void message_publish(const struct message_job *own, struct batch *batch,
                            const struct history_item *target, const struct content_option *option)
{
    struct visitor *visitor = own->own.job.visitor;
    struct kanal_buffer data = { 0 }, external_id = { 0 };
    struct kanal_json json;

    kanal_json_init(&json, &data);
    kanal_json_object(&json);
    customer_write(&json, own->locale);
    kanal_json_key(&json, "message");
    kanal_json_object(&json);
    kanal_json_key(&json, "content");
    message_content(own, option, 0, &json);
    if (target) {
        kanal_json_key(&json, "reply_to");
        kanal_json_object(&json);
        kanal_json_member_text(&json, "id", target->command);
        kanal_json_member_text(&json, "external_id", target->id);
        kanal_json_object_end(&json);
    }
    kanal_json_object_end(&json);
    raw_member(&json, "page", kanal_buffer_view(&own->page));
    kanal_json_object_end(&json);

    kanal_buffer_text(&external_id, visitor->id); /* unique in the channel, not only of this visitor */
    kanal_buffer_byte(&external_id, '.');
    kanal_buffer_text(&external_id, own->own.id);
    batch_event_add(batch,
                    &(struct batch_event){ .type = "message.received",
                                           .dedupe_prefix = "m:",
                                           .dedupe = kanal_str_c(own->own.id),
                                           .external_id = kanal_buffer_view(&external_id),
                                           .time_ms = own->at_ms },
                    &data);
    kanal_buffer_release(&external_id);
}

/* Appends the message to the history, and makes the frame for the visitor's other pages. */
static kanal_status message_store(struct message_job *own, struct history *h, const char *reply_to,
                                  const struct content_option *option)
{
    struct kanal_buffer content = { 0 };
    struct history_item *item;
    struct kanal_json json;

    kanal_json_init(&json, &content);
    message_content(own, option, 1, &json);
    kanal_buffer_byte(&content, '\0');
    item = content.failed ? NULL : history_append(h);
    if (!item) {
        kanal_buffer_release(&content);
        return KANAL_E_BUSY;
    }
    item->at_ms = own->at_ms;
    item->content = content.data;
    item->id = kanal_str_dup(kanal_str_c(own->own.id));
    item->reply_to = reply_to ? kanal_str_dup(kanal_str_c(reply_to)) : NULL;
    item->reference = own->file ? kanal_str_dup(kanal_str_c(own->ticket.reference)) : NULL;
    if (!item->id || (reply_to && !item->reply_to) || (own->file && !item->reference))
        return KANAL_E_BUSY;
    kanal_buffer_clear(&own->frame);
    kanal_json_init(&json, &own->frame);
    kanal_json_object(&json);
    kanal_json_member_text(&json, "type", "message");
    kanal_json_key(&json, "item");
    history_item_show(item, &json);
    kanal_json_object_end(&json);
    return KANAL_OK;
}

/* A ticket counts if it is signed, this visitor's and fresh. */
static int ticket_ok(const struct message_job *own)
{
    int64_t age_ms = own->at_ms - own->ticket.at_ms;

    return own->own.job.verified == KANAL_OK && strcmp(own->ticket.visitor, own->own.job.visitor->id) == 0 &&
           age_ms <= SESSION_TICKET_HOURS * INT64_C(3600000);
}

static void message_apply(struct job *job, struct batch *batch)
{
    struct message_job *own = (struct message_job *)job;
    struct history *h = batch_history(batch);
    struct content_option option = { 0 };
    struct history_item *known = history_find(h, kanal_str_c(own->own.id)), *target = NULL;
    char *reply_to = NULL;

    own->outcome = MESSAGE_KNOWN;
    own->acked_ms = known ? known->at_ms : own->at_ms;
    if (known)
        return;
    if (own->file && !ticket_ok(own)) {
        own->outcome = MESSAGE_BAD_FILE;
        return;
    }
    if (own->answer_payload) {
        target = history_find(h, kanal_str_c(own->answer_message));
        if (!target || !target->by_operator || target->deleted ||
            content_option_find(target->content, kanal_str_c(own->answer_payload), &option) != KANAL_OK) {
            own->outcome = MESSAGE_BAD_ANSWER;
            return;
        }
    }
    session_touch(batch, job->visitor,
                  &(struct origin){ own->locale, kanal_buffer_view(&own->page),
                                    kanal_buffer_view(&own->attribution), own->at_ms, NULL });
    message_publish(own, batch, target, &option);
    reply_to = target ? own->answer_message : NULL; /* appending may move the target */
    own->outcome = MESSAGE_STORED;
    if (message_store(own, h, reply_to, &option) != KANAL_OK)
        batch_failed(batch);
    free(option.text);
}

static void ack(struct connection *connection, const char *id, int64_t at_ms)
{
    struct kanal_buffer frame = { 0 };
    struct kanal_json json;

    kanal_json_init(&json, &frame);
    kanal_json_object(&json);
    kanal_json_member_text(&json, "type", "ack");
    kanal_json_member_text(&json, "id", id);
    kanal_json_member_int(&json, "at", at_ms);
    kanal_json_object_end(&json);
    connection_send(connection, kanal_buffer_view(&frame));
    kanal_buffer_release(&frame);
}

static void message_failed(struct connection *connection, const struct message_job *own, kanal_status status)
{
    kanal_str id = kanal_str_c(own->own.id);
    kanal_status verified = own->own.job.verified;

    if (status == KANAL_E_INVALID || status == KANAL_E_TOO_LARGE)
        connection_error(connection, "invalid", id, 0, 0, "the message was not accepted");
    else if (status == KANAL_OK && own->outcome == MESSAGE_BAD_ANSWER)
        connection_error(connection, "bad_answer", id, 0, 0, "no message of this history offers that");
    else if (status == KANAL_OK && own->outcome == MESSAGE_BAD_FILE &&
             (verified == KANAL_OK || verified == KANAL_E_REJECTED))
        connection_error(connection, "bad_file", id, 0, 0, "the file's ticket is not valid");
    else
        connection_error(connection, "unavailable", id, 1, TRY_AGAIN_MS, "not stored; send it again");
}

static void message_done(struct job *job, kanal_status status)
{
    struct message_job *own = (struct message_job *)job;
    struct connection *connection = client_job_connection(&own->own);
    int stored = status == KANAL_OK && own->outcome == MESSAGE_STORED;

    if (stored)
        visitor_push(job->visitor, kanal_buffer_view(&own->frame), connection);
    if (!connection)
        return;
    if (stored || (status == KANAL_OK && own->outcome == MESSAGE_KNOWN))
        ack(connection, own->own.id, own->acked_ms);
    else
        message_failed(connection, own, status);
}

static void message_free(struct job *job)
{
    struct message_job *own = (struct message_job *)job;

    free(own->text);
    free(own->answer_message);
    free(own->answer_payload);
    free(own->file);
    session_ticket_release(&own->ticket);
    kanal_buffer_release(&own->page);
    kanal_buffer_release(&own->attribution);
    kanal_buffer_release(&own->frame);
    client_job_free(job);
}

static const struct job_kind message_kind = { message_apply, message_done, message_free, 0 };

/* The ticket's claim is a view: it points into own->file, which the job keeps. */
static kanal_status message_take_file(struct message_job *own, kanal_str file)
{
    own->file = kanal_str_dup(file);
    own->own.job.claim = calloc(1, sizeof *own->own.job.claim);
    if (!own->file || !own->own.job.claim)
        return KANAL_E_BUSY;
    return session_ticket_parse(kanal_str_c(own->file), own->own.job.claim, &own->ticket);
}

static kanal_status message_take(struct message_job *own, struct connection *connection,
                                 const struct frame *frame)
{
    own->at_ms = channel_now_ms(connection->channel);
    memcpy(own->locale, connection->locale, sizeof own->locale);
    kanal_buffer_str(&own->page, kanal_buffer_view(&connection->page));
    kanal_buffer_str(&own->attribution, kanal_buffer_view(&connection->attribution));
    if (frame->text.ptr && !(own->text = kanal_str_dup(frame->text)))
        return KANAL_E_BUSY;
    if (frame->answer_payload.ptr) {
        own->answer_message = kanal_str_dup(frame->answer_message);
        own->answer_payload = kanal_str_dup(frame->answer_payload);
        if (!own->answer_message || !own->answer_payload)
            return KANAL_E_BUSY;
    }
    return frame->file.ptr ? message_take_file(own, frame->file) : KANAL_OK;
}

void incoming_message(struct connection *connection, const struct frame *frame)
{
    struct kanal_channel *channel = connection->channel;
    const struct settings *s = &channel->settings;
    struct message_job *own;
    kanal_status status;
    uint32_t wait_ms = 0;

    if (!bucket_take(&connection->visitor->messages, channel_now_ms(channel), s->messages_per_minute,
                     s->message_burst, &wait_ms)) {
        connection_error(connection, "rate_limited", frame->id, 1, wait_ms, "too many messages");
        return;
    }
    own = client_job_new(sizeof *own, &message_kind, connection, frame->id);
    status = own ? message_take(own, connection, frame) : KANAL_E_BUSY;
    if (status == KANAL_E_INVALID) {
        connection_error(connection, "bad_file", frame->id, 0, 0, "the file's ticket is not valid");
        client_job_drop(&own->own);
        return;
    }
    if (status != KANAL_OK && own) {
        client_job_drop(&own->own);
        own = NULL;
    }
    client_job_add(connection, own ? &own->own : NULL);
}
