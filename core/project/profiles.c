#include "project/profiles.h"

#include <inttypes.h>
#include <stdio.h>

#include "broker/kv.h"
#include "kanal/sdk/str.h"

#define CACHE_BYTES_MAX (32u << 20)
#define SLOTS 16384u                 /* of the hash table: chains of a few at CACHE_BYTES_MAX */
#define STORING_BYTES_MAX (4u << 20) /* puts under way: half of what the connection buffers */

/* An event of the present batch. */
struct pending {
    struct pending *next;
    const struct projected *event;
    projected_fn *done;
    void *user;
};

enum entry_state { ENTRY_LOADING, ENTRY_LOADED, ENTRY_QUEUED, ENTRY_STORING };

/* A node's record in memory. */
struct entry {
    struct entry *chain;         /* of the slot */
    struct entry *newer, *older; /* by use */
    struct entry *next_touched;  /* in this batch */
    struct profiles *profiles;   /* NULL: nobody waits for the broker's answer */
    struct id node;
    enum entry_state state;
    int is_touched, is_complete; /* the batch has its events; and all of them */
    struct kanal_buffer record;
    uint64_t revision;
    struct pending *first, **last;
};

struct profiles {
    struct projection projection;
    struct host *host;
    char bucket[64];
    uint64_t generation;
    struct entry **slots;
    struct entry *newest, *oldest;
    struct entry *touched, **last_touched; /* of the batch, in the order in which they came */
    struct entry *unstored, **last_unstored;
    size_t bytes, storing_bytes;
    struct metric *puts;
};

void profiles_bucket(const char *prefix, char ret_bucket[64])
{
    snprintf(ret_bucket, 64, "%s_profiles", prefix);
}

kanal_str profiles_key(uint64_t generation, const char *node, char ret_key[64])
{
    return kanal_str_of(ret_key, (size_t)snprintf(ret_key, 64, "%" PRIu64 ".%s", generation, node));
}

/* ---- The records in memory ---- */

static struct entry **slot_of(struct profiles *p, const struct id *node)
{
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (size_t i = 2; i < ID_LEN; i++)
        hash = (hash ^ (unsigned char)node->text[i]) * 16777619u;
    return &p->slots[hash % SLOTS];
}

static void unlink_used(struct profiles *p, struct entry *e)
{
    *(e->newer ? &e->newer->older : &p->newest) = e->older;
    *(e->older ? &e->older->newer : &p->oldest) = e->newer;
    e->newer = e->older = NULL;
}

static void use(struct profiles *p, struct entry *e)
{
    e->older = p->newest;
    e->newer = NULL;
    *(p->newest ? &p->newest->newer : &p->oldest) = e;
    p->newest = e;
}

static size_t entry_bytes(const struct entry *e)
{
    return sizeof *e + e->record.capacity;
}

static void entry_free(struct entry *e)
{
    kanal_buffer_release(&e->record);
    free(e);
}

static void take_out(struct profiles *p, struct entry *e)
{
    struct entry **link = slot_of(p, &e->node);
    while (*link != e)
        link = &(*link)->chain;
    *link = e->chain;
    unlink_used(p, e);
    p->bytes -= entry_bytes(e);
}

/* The least used go, but not those of the batch. */
static void shrink(struct profiles *p)
{
    for (struct entry *e = p->oldest, *newer; e && p->bytes > CACHE_BYTES_MAX; e = newer) {
        newer = e->newer;
        if (e->state != ENTRY_LOADED || e->is_touched)
            continue;
        take_out(p, e);
        entry_free(e);
    }
}

static void answer(struct entry *e, kanal_status status)
{
    struct pending *all = e->first;
    e->first = NULL;
    e->last = &e->first;
    e->is_touched = e->is_complete = 0;
    for (struct pending *one = all, *next; one; one = next) {
        next = one->next;
        one->done(one->user, status);
        free(one);
    }
}

/* What is there is not known any more: it is read anew when it is needed. */
static void forget(struct profiles *p, struct entry *e, kanal_status status)
{
    take_out(p, e);
    e->profiles = NULL;
    answer(e, status);
    entry_free(e);
}

/* ---- Storing ---- */

static void store_some(struct profiles *p);

static void on_put(void *user, kanal_status status, kanal_str value, uint64_t revision)
{
    struct entry *e = user;
    struct profiles *p = e->profiles;
    (void)value;
    if (!p) { /* forgotten meanwhile */
        entry_free(e);
        return;
    }
    p->storing_bytes -= e->record.len;
    if (status == KANAL_OK) {
        e->state = ENTRY_LOADED;
        e->revision = revision;
        answer(e, KANAL_OK);
        shrink(p);
    } else {
        forget(p, e, status);
    }
    store_some(p);
}

/* As many at once as the connection takes. */
static void store_some(struct profiles *p)
{
    char key[64];
    while (p->unstored &&
           (p->storing_bytes == 0 || p->storing_bytes + p->unstored->record.len <= STORING_BYTES_MAX)) {
        struct entry *e = p->unstored;
        p->unstored = e->next_touched;
        if (!p->unstored)
            p->last_unstored = &p->unstored;
        e->next_touched = NULL;
        e->state = ENTRY_STORING;
        p->storing_bytes += e->record.len;
        p->puts->value++;
        kv_put(p->host->broker, p->bucket, profiles_key(p->generation, e->node.text, key),
               kanal_buffer_view(&e->record), e->revision, on_put, e);
    }
}

/* 1: the record has changed; 0: all of it was seen; else negative. */
static int fold_all(struct entry *e)
{
    struct profile *profile;
    int changed = 0, status = profile_open(&profile, kanal_buffer_view(&e->record));
    if (status != 0)
        return status;
    for (const struct pending *one = e->first; one; one = one->next)
        changed |= profile_fold(profile, one->event);
    if (changed) {
        kanal_buffer_clear(&e->record);
        status = profile_write(profile, &e->record);
    }
    profile_free(profile);
    return status != 0 ? status : changed;
}

/* The record is known, and all of its events of this batch are. */
static void fold(struct profiles *p, struct entry *e)
{
    p->bytes -= entry_bytes(e);
    int status = fold_all(e);
    if (status ==
        KANAL_E_INVALID) { /* somebody else's writing: it is made anew, and a rebuild counts again */
        log_write(p->host->log, KANAL_LOG_ERROR, "projector", NULL,
                  "the profile %s is no record of this gateway and is begun anew; `kanal profiles rebuild` "
                  "makes it whole",
                  e->node.text);
        kanal_buffer_clear(&e->record);
        status = fold_all(e);
    }
    p->bytes += entry_bytes(e);
    if (status < 0) {
        forget(p, e, status);
    } else if (status == 0) {
        answer(e, KANAL_OK);
    } else {
        e->state = ENTRY_QUEUED;
        *p->last_unstored = e;
        p->last_unstored = &e->next_touched;
        e->next_touched = NULL;
    }
}

/* ---- Loading ---- */

static void on_got(void *user, kanal_status status, kanal_str value, uint64_t revision)
{
    struct entry *e = user;
    struct profiles *p = e->profiles;
    if (!p) {
        entry_free(e);
        return;
    }
    if (status != KANAL_OK && status != KANAL_E_NOT_FOUND) {
        forget(p, e, status);
        return;
    }
    kanal_buffer_str(&e->record, value);
    p->bytes += e->record.capacity;
    e->revision = revision;
    e->state = ENTRY_LOADED;
    if (e->record.failed) {
        p->bytes -= e->record.capacity;
        forget(p, e, KANAL_E_INTERNAL);
    } else if (e->is_complete) {
        fold(p, e);
        store_some(p);
    }
}

static struct entry *entry_of(struct profiles *p, const struct id *node)
{
    char key[64];
    struct entry **slot = slot_of(p, node), *e = *slot;
    while (e && strcmp(e->node.text, node->text) != 0)
        e = e->chain;
    if (e) {
        unlink_used(p, e);
        use(p, e);
        return e;
    }
    e = calloc(1, sizeof *e);
    if (!e)
        return NULL;
    e->profiles = p;
    e->node = *node;
    e->last = &e->first;
    e->chain = *slot;
    *slot = e;
    use(p, e);
    p->bytes += entry_bytes(e);
    kv_get(p->host->broker, p->bucket, profiles_key(p->generation, node->text, key), on_got, e);
    return e;
}

/* ---- The projection ---- */

static void on_event(void *user, const struct projected *event, projected_fn *done, void *done_user)
{
    struct profiles *p = user;
    struct entry *e = event->node.text[0] ? entry_of(p, &event->node) : NULL;
    struct pending *pending = e ? malloc(sizeof *pending) : NULL;
    if (!pending) {
        done(done_user, event->node.text[0] ? KANAL_E_INTERNAL : KANAL_OK);
        return;
    }
    *pending = (struct pending){ NULL, event, done, done_user };
    *e->last = pending;
    e->last = &pending->next;
    if (e->is_touched)
        return;
    e->is_touched = 1;
    e->next_touched = NULL;
    *p->last_touched = e;
    p->last_touched = &e->next_touched;
}

static void on_flush(void *user)
{
    struct profiles *p = user;
    struct entry *all = p->touched;
    p->touched = NULL;
    p->last_touched = &p->touched;
    for (struct entry *e = all, *next; e; e = next) {
        next = e->next_touched;
        e->is_complete = 1;
        if (e->state == ENTRY_LOADED)
            fold(p, e);
    }
    store_some(p);
}

/* Answers that are still to come find nobody. */
static void on_reset(void *user)
{
    struct profiles *p = user;
    p->touched = p->unstored = NULL;
    p->last_touched = &p->touched;
    p->last_unstored = &p->unstored;
    p->storing_bytes = 0;
    for (struct entry *e = p->newest, *older; e; e = older) {
        older = e->older;
        int is_waited_for = e->state == ENTRY_LOADING || e->state == ENTRY_STORING;
        take_out(p, e);
        e->profiles = NULL;
        answer(e, KANAL_E_CANCELLED);
        if (!is_waited_for)
            entry_free(e);
    }
}

int profiles_new(struct profiles **ret_profiles, struct host *host, const char *prefix)
{
    struct profiles *p = calloc(1, sizeof *p);
    if (p)
        p->slots = calloc(SLOTS, sizeof *p->slots);
    if (!p || !p->slots) {
        free(p);
        return KANAL_E_INTERNAL;
    }
    p->projection = (struct projection){
        .name = "profiles", .event = on_event, .flush = on_flush, .reset = on_reset, .user = p
    };
    p->host = host;
    p->generation = 1;
    p->last_touched = &p->touched;
    p->last_unstored = &p->unstored;
    profiles_bucket(prefix, p->bucket);
    p->puts =
        metric_series(metrics_family(host->metrics, METRIC_COUNTER, "kanal_projector_profile_puts_total",
                                     "Records of profiles that were stored.", NULL),
                      NULL);
    *ret_profiles = p;
    return 0;
}

struct projection *profiles_projection(struct profiles *p)
{
    return &p->projection;
}

void profiles_set_generation(struct profiles *p, uint64_t generation)
{
    p->generation = generation;
}

void profiles_free(struct profiles *p)
{
    if (!p)
        return;
    on_reset(p);
    free(p->slots);
    free(p);
}
