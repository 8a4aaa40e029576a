/* receipt.c - how far the visitor has got, and that they are typing. */
#include "client_job.h"
#include "frame.h"

#define RECEIPTS_AT_ONCE 32
#define TYPING_EVERY_MS 2500

struct receipt_job {
    struct client_job own; /* id: up to which message */
    int32_t read;          /* 0: delivered only */
    int32_t more;          /* the limit was reached: go on in another job */
    int32_t moved;
};

static void receipt_publish(struct batch *batch, const char *type, const char *prefix,
                            const struct history_item *item, int64_t at_ms)
{
    struct kanal_buffer data = { 0 };

    kanal_buffer_text(&data, "{\"message\":{}}"); /* the core writes the ids */
    batch_event_add(batch,
                    &(struct batch_event){ .type = type,
                                           .dedupe_prefix = prefix,
                                           .dedupe = kanal_str_c(item->id),
                                           .external_id = kanal_str_c(item->id),
                                           .command_id = kanal_str_c(item->command),
                                           .time_ms = at_ms },
                    &data);
}

/* Moves a watermark over the other side's messages up to `until`, an event for each. */
static int watermark_move(struct batch *batch, uint64_t *mark, uint64_t until, const char *type,
                          const char *prefix, int64_t at_ms)
{
    struct history *h = batch_history(batch);
    int count = 0;

    for (size_t i = 0; i < h->count && h->items[i].number <= until; i++) {
        const struct history_item *item = &h->items[i];

        if (item->number <= *mark || !item->by_operator)
            continue;
        if (count == RECEIPTS_AT_ONCE)
            return 1;
        if (!item->deleted) {
            receipt_publish(batch, type, prefix, item, at_ms);
            count++;
        }
        *mark = item->number;
        batch_changed(batch);
    }
    return 0;
}

static void receipt_apply(struct job *job, struct batch *batch)
{
    struct receipt_job *own = (struct receipt_job *)job;
    struct history *h = batch_history(batch);
    struct history_item *target = history_find(h, kanal_str_c(own->own.id));
    int64_t now_ms = channel_now_ms(job->visitor->channel);
    uint64_t before = h->read;

    own->more = own->moved = 0;
    if (!target || !target->by_operator)
        return;
    own->more = watermark_move(batch, &h->delivered, target->number, "message.delivered", "d:", now_ms);
    if (own->read && !own->more)
        own->more = watermark_move(batch, &h->read, target->number, "message.read", "r:", now_ms);
    own->moved = h->read != before;
}

static void receipt_start(struct connection *connection, kanal_str id, int read);

static void receipt_done(struct job *job, kanal_status status)
{
    struct receipt_job *own = (struct receipt_job *)job;
    struct connection *connection = client_job_connection(&own->own);
    struct kanal_buffer frame = { 0 };
    struct kanal_json json;

    if (status != KANAL_OK) /* the client tells again after its next welcome, which has the old watermark */
        return;
    if (own->more && connection && connection->state == CONNECTION_JOINED) {
        receipt_start(connection, kanal_str_c(own->own.id), own->read);
        return;
    }
    if (!own->moved)
        return;
    kanal_json_init(&json, &frame);
    kanal_json_object(&json);
    kanal_json_member_text(&json, "type", "seen");
    kanal_json_member_text(&json, "up_to", own->own.id);
    kanal_json_object_end(&json);
    visitor_push(job->visitor, kanal_buffer_view(&frame), connection);
    kanal_buffer_release(&frame);
}

static const struct job_kind receipt_kind = { receipt_apply, receipt_done, client_job_free, 0 };

static void receipt_start(struct connection *connection, kanal_str id, int read)
{
    struct receipt_job *own = client_job_new(sizeof *own, &receipt_kind, connection, id);

    if (own)
        own->read = read;
    client_job_add(connection, own ? &own->own : NULL);
}

void incoming_receipt(struct connection *connection, const struct frame *frame)
{
    receipt_start(connection, frame->up_to, frame->type == FRAME_READ);
}

/* ---- Typing ---- */

void incoming_typing(struct connection *connection)
{
    struct kanal_channel *channel = connection->channel;
    int64_t now_ms = channel_now_ms(channel);
    struct kanal_buffer address = { 0 }, dedupe = { 0 };
    kanal_event event = { .struct_size = sizeof event, .time_ms = now_ms };
    const kanal_event *list[] = { &event };

    if (now_ms - connection->typing_ms < TYPING_EVERY_MS && now_ms >= connection->typing_ms)
        return;
    connection->typing_ms = now_ms;
    kanal_buffer_text(&address, SESSION_ADDRESS_PREFIX);
    kanal_buffer_text(&address, connection->visitor->id);
    kanal_buffer_text(&dedupe, "t:");
    kanal_buffer_text(&dedupe, connection->visitor->id);
    kanal_buffer_byte(&dedupe, ':');
    kanal_buffer_int(&dedupe, now_ms);
    event.type = KANAL_LIT("typing.started");
    event.dedupe = kanal_buffer_view(&dedupe);
    event.address = kanal_buffer_view(&address);
    event.chat = kanal_str_c(connection->visitor->id);
    event.data = KANAL_LIT("{\"typing\":{\"duration_ms\":6000,\"kind\":\"text\"}}");
    if (!address.failed && !dedupe.failed)
        channel->host->publish(channel->host, 0, list, 1, NULL, NULL);
    kanal_buffer_release(&address);
    kanal_buffer_release(&dedupe);
}
