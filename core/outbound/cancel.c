#include "outbound/cancel.h"

#include "broker/kv.h"

#define KEY_LEN (ID_LEN - 2)
#define SLOTS_MIN 256u

struct cancels {
    struct outbound *outbound;
    struct kv_watch *watch;
    void (*fn)(struct outbound *, const char *key);
    char (*keys)[KEY_LEN + 1]; /* open-addressed */
    size_t slots, count;
};

struct cancels *cancels_new(struct outbound *o, void (*fn)(struct outbound *, const char *key))
{
    struct cancels *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->outbound = o;
    c->fn = fn;
    return c;
}

void cancels_free(struct cancels *c)
{
    if (!c)
        return;
    if (c->watch)
        kv_watch_stop(c->watch);
    free(c->keys);
    free(c);
}

/* The keys are hashes themselves. */
static size_t slot_of(const struct cancels *c, const char *key)
{
    size_t hash = 0;
    for (size_t i = 0; i < 12; i++)
        hash = hash * 33 + (unsigned char)key[i];
    size_t slot = hash & (c->slots - 1);
    while (c->keys[slot][0] && memcmp(c->keys[slot], key, KEY_LEN) != 0)
        slot = (slot + 1) & (c->slots - 1);
    return slot;
}

int cancels_have(const struct cancels *c, const char *key)
{
    return c->count > 0 && c->keys[slot_of(c, key)][0];
}

static int grow(struct cancels *c)
{
    if (c->slots > 0 && c->count * 2 < c->slots)
        return 0;
    char(*old)[KEY_LEN + 1] = c->keys;
    size_t old_slots = c->slots, slots = old_slots ? old_slots * 2 : SLOTS_MIN;
    char(*keys)[KEY_LEN + 1] = calloc(slots, sizeof *keys);
    if (!keys)
        return -1;
    c->keys = keys;
    c->slots = slots;
    for (size_t i = 0; i < old_slots; i++)
        if (old[i][0])
            memcpy(keys[slot_of(c, old[i])], old[i], KEY_LEN + 1);
    free(old);
    return 0;
}

static void on_entry(void *user, kanal_str key, kanal_str value, uint64_t revision)
{
    struct cancels *c = user;
    (void)revision;
    if (key.len != 2 + KEY_LEN || !value.ptr || grow(c) != 0)
        return;
    char text[KEY_LEN + 1] = "";
    memcpy(text, key.ptr + 2, KEY_LEN);
    size_t slot = slot_of(c, text);
    if (c->keys[slot][0])
        return;
    memcpy(c->keys[slot], text, sizeof text);
    c->count++;
    c->fn(c->outbound, text);
}

void cancels_start(struct cancels *c)
{
    if (!c->watch)
        kv_watch_start(c->outbound->broker, c->outbound->host->names.sent, "k.*", on_entry, c, &c->watch);
}

struct adding {
    published_fn *done;
    void *user;
};

static void on_added(void *user, kanal_status status, kanal_str value, uint64_t revision)
{
    struct adding *adding = user;
    (void)value, (void)revision;
    adding->done(adding->user, status == KANAL_E_REJECTED ? KANAL_E_NETWORK : status);
    free(adding);
}

void cancels_add(struct cancels *c, const char *key, published_fn *done, void *user)
{
    struct adding *adding = malloc(sizeof *adding);
    char name[2 + KEY_LEN + 1];
    if (!adding) {
        done(user, KANAL_E_BUSY);
        return;
    }
    *adding = (struct adding){ done, user };
    snprintf(name, sizeof name, "k.%s", key);
    kv_put(c->outbound->broker, c->outbound->host->names.sent, kanal_str_c(name), KANAL_LIT("{}"),
           JS_ANY_SEQUENCE, on_added, adding);
}
