#include "window.h"

#include <stdio.h>

#include "webhook.h"

#define STORE_EACH_MS (INT64_C(10) * 60 * 1000)
/* Storage may be that much behind, and clocks differ. */
#define SLACK_MS (STORE_EACH_MS + 2 * 60 * 1000)
#define KEY_MAX 48

static uint64_t fnv(kanal_str text, uint64_t hash)
{
    for (size_t i = 0; i < text.len; i++)
        hash = (hash ^ (unsigned char)text.ptr[i]) * UINT64_C(1099511628211);
    return hash ? hash : 1;
}

static uint64_t hash_of(kanal_str chat)
{
    return fnv(chat, UINT64_C(14695981039346656037));
}

/* Not the number itself: a key of the storage is seen by whoever administers the broker. */
static kanal_str state_key(char out[KEY_MAX], kanal_str chat)
{
    int n = snprintf(out, KEY_MAX, "w/%016llx%016llx", (unsigned long long)hash_of(chat),
                     (unsigned long long)fnv(chat, UINT64_C(0x9e3779b97f4a7c15)));
    return kanal_str_of(out, n > 0 ? (size_t)n : 0);
}

/* One place for each hash; who comes later takes it, storage remembers both. */
static struct wa_slot *slot_of(struct kanal_channel *channel, kanal_str chat, int make)
{
    uint64_t key = hash_of(chat);
    if (!channel->slots && make)
        channel->slots = calloc(WA_WINDOW_SLOTS, sizeof *channel->slots);
    if (!channel->slots)
        return NULL;
    struct wa_slot *slot = &channel->slots[key % WA_WINDOW_SLOTS];
    if (slot->key != key && !make)
        return NULL;
    if (slot->key != key) {
        memset(slot, 0, sizeof *slot);
        slot->key = key;
    }
    return slot;
}

/* ---- Writing ---- */

static void on_stored(void *user, kanal_status status, kanal_str value, uint64_t revision)
{
    struct kanal_channel *channel = user;
    (void)value;
    (void)revision;
    if (status != KANAL_OK && status != KANAL_E_CANCELLED)
        kanal_log(channel->base.host, 0, KANAL_LOG_DEBUG,
                  "the time of a customer's message could not be stored", kanal_str_of(NULL, 0));
    kanal_calls_let_go(&channel->base.calls);
}

static void store(struct kanal_channel *channel, kanal_str chat, struct wa_slot *slot)
{
    char key[KEY_MAX], value[WA_MESSAGE_ID_MAX + 32];
    const kanal_host *host = channel->base.host;
    int n = snprintf(value, sizeof value, "%lld %s", (long long)slot->last_ms, slot->message_id);
    if (n <= 0 || (size_t)n >= sizeof value)
        return;
    if (host->state_put(host, state_key(key, chat), kanal_str_of(value, (size_t)n), UINT64_MAX, on_stored,
                        channel) == 0)
        return;
    kanal_calls_hold(&channel->base.calls);
    slot->stored_ms = slot->last_ms;
}

void wa_window_note(struct kanal_channel *channel, kanal_str chat, int64_t time_ms, kanal_str message_id)
{
    int64_t now_ms = channel->base.host->now_ms(channel->base.host);
    struct wa_slot *slot =
        chat.len > 0 && channel->base.calls.stopping == 0 ? slot_of(channel, chat, 1) : NULL;
    if (time_ms <= 0 || time_ms > now_ms)
        time_ms = now_ms;
    if (!slot || time_ms <= slot->last_ms) /* an older one, told late */
        return;
    slot->last_ms = time_ms;
    if (message_id.len > 0 && message_id.len < sizeof slot->message_id) {
        memcpy(slot->message_id, message_id.ptr, message_id.len);
        slot->message_id[message_id.len] = 0;
    }
    if (time_ms - slot->stored_ms >= STORE_EACH_MS)
        store(channel, chat, slot);
}

/* ---- Reading ---- */

int wa_window_is_closed(const struct wa_window *window, int64_t now_ms)
{
    return window->is_known && now_ms - window->last_ms > WA_WINDOW_MS + SLACK_MS;
}

struct question {
    struct kanal_channel *channel;
    wa_window_fn *done;
    void *user;
};

static void read_record(struct wa_window *window, kanal_str value)
{
    size_t space = 0;
    while (space < value.len && value.ptr[space] != ' ')
        space++;
    kanal_str id = kanal_str_from(value, space + 1);
    if (kanal_str_int(kanal_str_of(value.ptr, space), &window->last_ms) != 0 || window->last_ms <= 0)
        return;
    window->is_known = 1;
    if (id.len > 0 && id.len < sizeof window->message_id)
        memcpy(window->message_id, id.ptr, id.len);
}

static void on_record(void *user, kanal_status status, kanal_str value, uint64_t revision)
{
    struct question question = *(struct question *)user;
    struct wa_window window = { 0 };
    (void)revision;
    free(user);
    if (status == KANAL_OK)
        read_record(&window, value);
    question.done(question.user, &window);
    kanal_calls_let_go(&question.channel->base.calls);
}

void wa_window_ask(struct kanal_channel *channel, kanal_str chat, int needs_message, wa_window_fn *done,
                   void *user)
{
    const kanal_host *host = channel->base.host;
    const struct wa_slot *slot = slot_of(channel, chat, 0);
    struct wa_window window = { 0 };
    char key[KEY_MAX];
    if (slot) {
        window.is_known = 1;
        window.last_ms = slot->last_ms;
        memcpy(window.message_id, slot->message_id, sizeof window.message_id);
    }
    int suffices = window.is_known && !wa_window_is_closed(&window, host->now_ms(host)) &&
                   (!needs_message || window.message_id[0]);
    struct question *question = suffices ? NULL : malloc(sizeof *question);
    if (question) {
        *question = (struct question){ channel, done, user };
        if (host->state_get(host, state_key(key, chat), on_record, question) != 0) {
            kanal_calls_hold(&channel->base.calls);
            return;
        }
        free(question);
    }
    done(user, &window);
}
