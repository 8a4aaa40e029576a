#include "kanal/sdk/batch.h"

#define EVENTS_ON_STACK 8u
#define DATA_BYTES 1024u /* what nearly every event fits in: its buffer does not move while it is written */

void kanal_batch_clear(struct kanal_batch *batch)
{
    for (uint32_t i = 0; i < batch->count; i++) {
        kanal_buffer_release(&batch->items[i]->data);
        free(batch->items[i]);
    }
    batch->count = 0;
    batch->failed = 0;
}

void kanal_batch_release(struct kanal_batch *batch)
{
    kanal_batch_clear(batch);
    free(batch->items);
    memset(batch, 0, sizeof *batch);
}

static int has_room(struct kanal_batch *batch)
{
    if (batch->count < batch->capacity)
        return 1;
    uint32_t capacity = batch->capacity ? batch->capacity * 2 : 4;
    struct kanal_batch_item **items = NULL;
    if (capacity <= KANAL_BATCH_MAX)
        items = (struct kanal_batch_item **)realloc(batch->items, capacity * sizeof *items);
    if (!items)
        return 0;
    batch->items = items;
    batch->capacity = capacity;
    return 1;
}

struct kanal_batch_item *kanal_batch_begin(struct kanal_batch *batch, const char *type)
{
    struct kanal_batch_item *item = has_room(batch) ? (struct kanal_batch_item *)malloc(sizeof *item) : NULL;
    if (!item) {
        batch->failed = 1;
        return NULL;
    }
    memset(&item->event, 0, sizeof item->event);
    kanal_buffer_init(&item->data);
    item->dedupe[0] = item->address[0] = item->chat[0] = item->external_id[0] = item->command_id[0] = 0;
    item->event.struct_size = sizeof item->event;
    item->event.type = kanal_str_c(type);
    batch->items[batch->count++] = item;
    kanal_buffer_reserve(&item->data, DATA_BYTES);
    kanal_json_init(&item->json, &item->data);
    kanal_json_object(&item->json);
    return item;
}

static kanal_str view(const char *text)
{
    return kanal_str_c(text[0] ? text : NULL);
}

void kanal_batch_end(struct kanal_batch *batch, struct kanal_batch_item *item)
{
    kanal_json_object_end(&item->json);
    item->event.dedupe = view(item->dedupe);
    item->event.address = view(item->address);
    item->event.chat = view(item->chat);
    item->event.external_id = view(item->external_id);
    item->event.command_id = view(item->command_id);
    item->event.data = kanal_buffer_view(&item->data);
    if (item->data.failed)
        batch->failed = 1;
}

int kanal_batch_text(char *out, size_t size, kanal_str text)
{
    return kanal_str_keep(out, size, text).len > 0;
}

void kanal_batch_raw_key(char out[24], kanal_str raw)
{
    static const char digits[] = "0123456789abcdef";
    uint64_t h = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
    for (size_t i = 0; i < raw.len; i++)
        h = (h ^ (unsigned char)raw.ptr[i]) * UINT64_C(0x100000001b3);
    memcpy(out, "raw:", 4);
    for (size_t i = 0; i < 16; i++)
        out[4 + i] = digits[h >> (60 - 4 * i) & 15];
    out[20] = 0;
}

kanal_op kanal_batch_publish(const struct kanal_batch *batch, const kanal_host *host, kanal_op cause,
                             kanal_str raw, kanal_done_fn *done, void *user)
{
    const kanal_event *few[EVENTS_ON_STACK], **events = few;
    if (batch->failed || batch->count == 0)
        return 0;
    if (batch->count > EVENTS_ON_STACK)
        events = (const kanal_event **)calloc(batch->count, sizeof *events);
    if (!events)
        return 0;
    for (uint32_t i = 0; i < batch->count; i++)
        events[i] = &batch->items[i]->event;
    batch->items[0]->event.raw = raw;
    kanal_op op = host->publish(host, cause, events, batch->count, done, user);
    batch->items[0]->event.raw = kanal_str_of(NULL, 0);
    if (events != few)
        free((void *)events);
    return op;
}
