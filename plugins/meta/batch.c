#include "batch.h"

#include <stdio.h>

#define SECONDS_MAX INT64_C(253402300799) /* the end of the year 9999 */

void meta_batch_init(struct meta_batch *batch)
{
    memset(batch, 0, sizeof *batch);
}

void meta_batch_release(struct meta_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        kanal_buffer_release(&batch->items[i]->data);
        free(batch->items[i]);
    }
    free(batch->items);
    memset(batch, 0, sizeof *batch);
}

static struct meta_item *item_new(struct meta_batch *batch)
{
    if (batch->count == batch->capacity) {
        size_t capacity = batch->capacity ? batch->capacity * 2 : 4;
        struct meta_item **items = realloc(batch->items, capacity * sizeof *items);
        if (!items)
            return NULL;
        batch->items = items;
        batch->capacity = capacity;
    }
    struct meta_item *item = malloc(sizeof *item);
    if (!item)
        return NULL;
    memset(&item->event, 0, sizeof item->event);
    kanal_buffer_init(&item->data);
    item->opens_window = 0;
    item->address[0] = item->chat[0] = item->dedupe[0] = 0;
    batch->items[batch->count++] = item;
    return item;
}

/* FNV-1a, 64 bits, of the value as JSON: the same thing sent again has the same one. */
static uint64_t hash(yyjson_val *value)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    struct kanal_buffer text = { 0 };
    struct kanal_json json;
    kanal_json_init(&json, &text);
    kanal_json_value(&json, value);
    for (size_t i = 0; i < text.len; i++)
        hash = (hash ^ (unsigned char)text.data[i]) * UINT64_C(1099511628211);
    kanal_buffer_release(&text);
    return hash;
}

/* The provider's id as it is, with whatever bytes it has, else a hash; then the suffix. */
static kanal_str write_key(struct meta_item *item, const struct meta_start *start)
{
    kanal_str suffix = kanal_str_c(start->suffix);
    char *out = item->dedupe;
    size_t len = start->key.len;
    if (len > 0 && len <= META_ID_MAX)
        memcpy(out, start->key.ptr, len);
    else
        len = (size_t)snprintf(out, 20, "#%016llx", (unsigned long long)hash(start->whole));
    if (suffix.len > 0 && suffix.len + 1 <= sizeof item->dedupe - len) {
        out[len++] = ':';
        memcpy(out + len, suffix.ptr, suffix.len);
        len += suffix.len;
    }
    return kanal_str_of(out, len);
}

static kanal_str copy(char *out, size_t size, kanal_str text)
{
    if (text.len == 0 || text.len >= size)
        return kanal_str_of(NULL, 0);
    memcpy(out, text.ptr, text.len);
    out[text.len] = 0;
    return kanal_str_of(out, text.len);
}

struct meta_item *meta_item_begin(struct meta_batch *batch, struct kanal_json *json,
                                  const struct meta_start *start)
{
    struct meta_item *item = item_new(batch);
    if (!item) {
        batch->failed = 1;
        return NULL;
    }
    kanal_event *event = &item->event;
    event->struct_size = sizeof *event;
    event->type = kanal_str_c(start->type);
    event->dedupe = write_key(item, start);
    event->address = copy(item->address, sizeof item->address, start->address);
    event->chat = copy(item->chat, sizeof item->chat, start->chat);
    event->time_ms = start->time_ms;
    if (start->external_id.len > 0 && start->external_id.len <= META_ID_MAX)
        event->external_id = start->external_id;
    kanal_json_init(json, &item->data);
    kanal_json_object(json);
    return item;
}

void meta_item_end(struct meta_batch *batch, struct meta_item *item, struct kanal_json *json)
{
    kanal_json_object_end(json);
    item->event.data = kanal_buffer_view(&item->data);
    if (item->data.failed)
        batch->failed = 1;
}

void meta_ignore(struct meta_batch *batch, kanal_str why)
{
    batch->ignored++;
    batch->why = why;
}

int64_t meta_seconds(yyjson_val *value)
{
    int64_t seconds = 0;
    if (yyjson_is_str(value) && kanal_str_int(kanal_json_text(value), &seconds) != 0)
        seconds = 0;
    if (yyjson_is_int(value) && (yyjson_is_sint(value) || yyjson_get_uint(value) <= (uint64_t)INT64_MAX))
        seconds = yyjson_get_sint(value);
    return seconds > 0 && seconds <= SECONDS_MAX ? seconds : 0;
}
