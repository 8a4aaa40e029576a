/* history.c - see history.h. */
#include <stdlib.h>
#include "history.h"

void history_init(struct history *h)
{
    memset(h, 0, sizeof *h);
    h->next = 1;
}

static void item_release(struct history_item *item)
{
    free(item->id);
    free(item->content);
    free(item->command);
    free(item->reply_to);
    free(item->author);
    free(item->reference);
    memset(item, 0, sizeof *item);
}

void history_release(struct history *h)
{
    for (size_t i = 0; i < h->count; i++)
        item_release(&h->items[i]);
    free(h->items);
    history_init(h);
}

struct history_item *history_append(struct history *h)
{
    struct history_item *item;

    if (h->count == h->capacity) {
        size_t wanted = h->capacity ? h->capacity * 2 : 16;
        struct history_item *grown = reallocarray(h->items, wanted, sizeof *grown);

        if (!grown)
            return NULL;
        h->items = grown;
        h->capacity = wanted;
    }
    item = &h->items[h->count++];
    memset(item, 0, sizeof *item);
    item->number = h->next++;
    return item;
}

struct history_item *history_find(const struct history *h, kanal_str id)
{
    for (size_t i = h->count; i > 0; i--) {
        if (id.len > 0 && kanal_str_is(id, h->items[i - 1].id))
            return &h->items[i - 1];
    }
    return NULL;
}

kanal_str history_id_at(const struct history *h, uint64_t number)
{
    for (size_t i = h->count; i > 0; i--) {
        if (h->items[i - 1].number == number)
            return kanal_str_c(h->items[i - 1].id);
    }
    return kanal_str_c(NULL);
}

/* ---- Bounds ---- */

static size_t text_bytes(const char *text)
{
    return text ? strlen(text) : 0;
}

static size_t item_bytes(const struct history_item *item)
{
    return 160 + text_bytes(item->id) + text_bytes(item->content) + text_bytes(item->command) +
           text_bytes(item->reply_to) + 6 * text_bytes(item->author) + text_bytes(item->reference);
}

void history_trim(struct history *h, size_t max_items, size_t max_bytes)
{
    size_t bytes = 256, drop = 0;

    for (size_t i = 0; i < h->count; i++)
        bytes += item_bytes(&h->items[i]);
    while (drop + 1 < h->count && (h->count - drop > max_items || bytes > max_bytes)) {
        bytes -= item_bytes(&h->items[drop]);
        item_release(&h->items[drop++]);
    }
    if (drop == 0)
        return;
    memmove(h->items, h->items + drop, (h->count - drop) * sizeof *h->items);
    h->count -= drop;
}

/* ---- Reading and writing ---- */

static char *text_of(yyjson_val *object, const char *key)
{
    kanal_str text = kanal_json_text_at(object, key);
    return text.ptr ? kanal_str_dup(text) : NULL;
}

static uint64_t number_of(yyjson_val *object, const char *key)
{
    int64_t number = kanal_json_int_at(object, key, 0);
    return number > 0 ? (uint64_t)number : 0;
}

static kanal_status item_load(struct history *h, yyjson_val *value)
{
    struct history_item *item = history_append(h);
    yyjson_val *content = kanal_json_at(value, "content");

    if (!item || !yyjson_is_arr(content))
        return KANAL_E_INVALID;
    item->number = number_of(value, "n");
    item->by_operator = kanal_str_is(kanal_json_text_at(value, "from"), "o");
    item->at_ms = kanal_json_int_at(value, "at", 0);
    item->edited_ms = kanal_json_int_at(value, "edited", 0);
    item->deleted = kanal_json_bool_at(value, "deleted");
    item->id = text_of(value, "id");
    item->command = text_of(value, "command");
    item->reply_to = text_of(value, "reply_to");
    item->author = text_of(value, "author");
    item->reference = text_of(value, "ref");
    item->content = yyjson_val_write(content, 0, NULL);
    return item->id && item->content && item->number > 0 ? KANAL_OK : KANAL_E_INVALID;
}

kanal_status history_load(struct history *h, kanal_str json)
{
    yyjson_doc *doc = kanal_json_parse(json);
    yyjson_val *root = yyjson_doc_get_root(doc), *items = kanal_json_at(root, "items"), *item;
    kanal_status status = kanal_json_int_at(root, "v", 0) == 1 ? KANAL_OK : KANAL_E_INVALID;
    size_t i, count;

    history_init(h);
    yyjson_arr_foreach (items, i, count, item) {
        if (status == KANAL_OK)
            status = item_load(h, item);
    }
    if (status == KANAL_OK) {
        uint64_t last = h->count ? h->items[h->count - 1].number : 0, next = number_of(root, "next");

        h->next = next > last ? next : last + 1;
        h->delivered = number_of(root, "delivered");
        h->read = number_of(root, "read");
        h->operator_read = number_of(root, "operator_read");
        h->sessions = number_of(root, "sessions");
        h->active_ms = kanal_json_int_at(root, "active", 0);
    } else {
        history_release(h);
    }
    yyjson_doc_free(doc);
    return status;
}

static void item_write(const struct history_item *item, struct kanal_json *json)
{
    kanal_json_object(json);
    kanal_json_member_int(json, "n", (int64_t)item->number);
    kanal_json_member_text(json, "id", item->id);
    kanal_json_member_text(json, "from", item->by_operator ? "o" : "v");
    kanal_json_member_int(json, "at", item->at_ms);
    if (item->edited_ms)
        kanal_json_member_int(json, "edited", item->edited_ms);
    if (item->deleted)
        kanal_json_member_bool(json, "deleted", 1);
    kanal_json_member_text(json, "command", item->command);
    kanal_json_member_text(json, "reply_to", item->reply_to);
    kanal_json_member_text(json, "author", item->author);
    kanal_json_member_text(json, "ref", item->reference);
    kanal_json_key(json, "content");
    kanal_json_raw(json, kanal_str_c(item->content));
    kanal_json_object_end(json);
}

void history_write(const struct history *h, struct kanal_buffer *out)
{
    struct kanal_json json;

    kanal_json_init(&json, out);
    kanal_json_object(&json);
    kanal_json_member_int(&json, "v", 1);
    kanal_json_member_int(&json, "next", (int64_t)h->next);
    kanal_json_member_int(&json, "sessions", (int64_t)h->sessions);
    kanal_json_member_int(&json, "active", h->active_ms);
    kanal_json_member_int(&json, "delivered", (int64_t)h->delivered);
    kanal_json_member_int(&json, "read", (int64_t)h->read);
    kanal_json_member_int(&json, "operator_read", (int64_t)h->operator_read);
    kanal_json_key(&json, "items");
    kanal_json_array(&json);
    for (size_t i = 0; i < h->count; i++)
        item_write(&h->items[i], &json);
    kanal_json_array_end(&json);
    kanal_json_object_end(&json);
}

void history_item_show(const struct history_item *item, struct kanal_json *json)
{
    kanal_json_object(json);
    kanal_json_member_text(json, "id", item->id);
    kanal_json_member_text(json, "from", item->by_operator ? "operator" : "visitor");
    kanal_json_member_int(json, "at", item->at_ms);
    if (item->edited_ms)
        kanal_json_member_int(json, "edited", item->edited_ms);
    if (item->deleted)
        kanal_json_member_bool(json, "deleted", 1);
    kanal_json_member_text(json, "reply_to", item->reply_to);
    kanal_json_member_text(json, "author", item->author);
    kanal_json_key(json, "content");
    kanal_json_raw(json, kanal_str_c(item->content));
    kanal_json_object_end(json);
}
