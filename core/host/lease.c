#include "host/lease_inside.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "broker/kv.h"
#include "host/host.h"
#include "kanal/sdk/json.h"
#include "kanal/sdk/str.h"

struct ask {
    struct lease_group *group; /* NULL: nobody waits for it any more */
};

/* Goes on while this process or the whole machine stands still. */
uint64_t lease_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* So that waiting replicas do not all ask at once. */
static uint64_t jitter_ms(void)
{
    uint32_t random = 0;
    uv_random(NULL, NULL, &random, sizeof random, 0, NULL);
    return random % 200;
}

uint32_t lease_group_of(kanal_str id)
{
    uint32_t hash = 2166136261u; /* FNV-1a, as the lanes': equal in every replica and version */
    for (size_t i = 0; i < id.len; i++)
        hash = (hash ^ (unsigned char)id.ptr[i]) * 16777619u;
    return hash % LEASE_GROUPS;
}

static void tell(struct lease_group *g)
{
    for (struct lease_member *m = g->members, *next; m; m = next) {
        next = m->next;
        m->changed(m);
    }
}

static void on_timer(uv_timer_t *timer)
{
    lease_look(timer->data);
}

static void later(struct lease_group *g, uint64_t at_ms)
{
    uint64_t now = lease_now_ms();
    uv_timer_start(&g->timer, on_timer, at_ms > now ? at_ms - now : 0, 0);
}

/* ---- Held and lost ---- */

static void log_change(const struct lease_group *g, const char *what)
{
    log_write(g->book->host->log, KANAL_LOG_INFO, "lease", NULL, "%s %s", g->key, what);
}

void lease_lost(struct lease_group *g, const char *why)
{
    if (!g->held)
        return;
    g->held = 0;
    g->until_ms = 0;
    log_change(g, why);
    tell(g);
}

/* Our record of `count` stands there under this revision. */
static void confirmed(struct lease_group *g, uint64_t revision, uint64_t count)
{
    uint64_t now = lease_now_ms();
    g->revision = revision;
    g->seen_revision = 0;
    g->free_ms = 0;
    g->is_offered = 0;
    snprintf(g->holder, sizeof g->holder, "%s", g->book->holder);
    if (count == g->count)
        g->until_ms = g->sent_ms + g->ttl_ms - g->ttl_ms / 5;
    g->renew_ms = g->sent_ms + g->ttl_ms / 3;
    if (count != g->count && !g->held)
        g->renew_ms =
            now; /* another replica gave it to us, or it was our own before: it is held when it is renewed */
    if (g->held && now < g->until_ms)
        for (struct lease_member *m = g->members; m; m = m->next)
            if (m->renewed)
                m->renewed(m);
    if (now >= g->until_ms || g->held)
        return;
    g->held = 1;
    g->term = ++g->book->terms;
    log_change(g, "held");
    tell(g);
    share_gained(g->book->share, g);
}

/* ---- Asking the broker ---- */

static struct ask *ask_new(struct lease_group *g)
{
    struct ask *ask = calloc(1, sizeof *ask);
    if (!ask)
        return NULL;
    ask->group = g;
    g->ask = ask;
    return ask;
}

/* The group that asked, or NULL. */
static struct lease_group *ask_end(struct ask *ask)
{
    struct lease_group *g = ask->group;
    free(ask);
    if (g)
        g->ask = NULL;
    return g;
}

static void on_stored(void *user, kanal_status status, kanal_str value, uint64_t revision)
{
    struct lease_group *g = ask_end(user);
    (void)value;
    if (!g || status == KANAL_E_CANCELLED)
        return; /* the gateway ends */
    if (status == KANAL_OK) {
        confirmed(g, revision, g->count);
    } else {
        g->revision = 0; /* not known: perhaps it was stored, perhaps another's is there */
        if (status == KANAL_E_REJECTED)
            lease_lost(g, "lost: another replica has taken it");
    }
    lease_look(g);
}

static void put(struct lease_group *g, const char *holder, uint64_t count, uint64_t if_revision,
                kv_value_fn *fn)
{
    struct ask *ask = ask_new(g);
    struct kanal_buffer text = { 0 };
    struct kanal_json json;
    if (!ask)
        return;
    kanal_json_init(&json, &text);
    kanal_json_object(&json);
    kanal_json_member_text(&json, "holder", holder);
    kanal_json_member_int(&json, "ttl_ms", g->ttl_ms);
    kanal_json_member_int(&json, "count", (int64_t)count);
    kanal_json_object_end(&json);
    kv_put(g->book->host->broker, g->book->host->names.leases, kanal_str_c(g->key), kanal_buffer_view(&text),
           if_revision, fn, ask);
    kanal_buffer_release(&text);
}

static void store(struct lease_group *g, uint64_t if_revision)
{
    g->ttl_ms = LEASE_TTL_MAX_MS;
    for (const struct lease_member *m = g->members; m; m = m->next)
        g->ttl_ms = m->ttl_ms < g->ttl_ms ? m->ttl_ms : g->ttl_ms;
    g->sent_ms = lease_now_ms();
    put(g, g->book->holder, ++g->count, if_revision, on_stored);
}

static void on_released(void *user, kanal_status status, kanal_str value, uint64_t revision)
{
    struct lease_group *g = ask_end(user);
    (void)value, (void)revision;
    if (g && status != KANAL_E_CANCELLED)
        lease_look(g);
}

void lease_sign_over(struct lease_group *g, const char *to, uint64_t revision)
{
    snprintf(g->holder, sizeof g->holder, "%s", to);
    g->is_offered = 1;
    if (g->watched_revision < revision)
        g->watched_revision = revision; /* what comes of ours is older */
    put(g, to, 0, revision, on_released);
}

static void give_back(struct lease_group *g)
{
    uint64_t revision = g->revision;
    lease_lost(g, "given back");
    g->revision = 0;
    if (g->ask || revision == 0)
        return; /* a renewal is on its way: the record lasts for its ttl */
    struct ask *ask = ask_new(g);
    if (ask)
        kv_delete(g->book->host->broker, g->book->host->names.leases, kanal_str_c(g->key), revision,
                  on_released, ask);
}

/* It could be taken: now, or a little later, if others should have it. */
static void take(struct lease_group *g, uint64_t if_revision, int is_given_back)
{
    uint64_t now = lease_now_ms();
    if (g->free_ms == 0) {
        g->free_ms = now;
        if (!is_given_back)
            share_outlived(g->book->share, g->holder);
    }
    if (now >= g->free_ms + share_grace_ms(g->book->share, g))
        store(g, if_revision);
}

/* Somebody else's record: how long it has stood there decides. */
static void on_others(struct lease_group *g, uint64_t revision, yyjson_val *root)
{
    uint64_t now = lease_now_ms();
    kanal_str holder = kanal_json_text_at(root, "holder");
    lease_lost(g, "lost: another replica has taken it");
    if (revision != g->seen_revision) {
        int64_t ttl_ms = kanal_json_int_at(root, "ttl_ms", LEASE_TTL_MAX_MS);
        g->seen_revision = revision;
        g->seen_ms = now;
        g->free_ms = 0;
        g->seen_ttl_ms = ttl_ms < LEASE_TTL_MIN_MS   ? LEASE_TTL_MIN_MS
                         : ttl_ms > LEASE_TTL_MAX_MS ? LEASE_TTL_MAX_MS
                                                     : (uint32_t)ttl_ms;
        snprintf(g->holder, sizeof g->holder, "%.*s", holder.len <= REPLICA_NAME_MAX ? (int)holder.len : 0,
                 holder.ptr ? holder.ptr : "");
        g->is_offered = kanal_json_int_at(root, "count", 1) == 0;
    }
    if (now >= g->seen_ms + g->seen_ttl_ms)
        take(g, revision, 0);
}

static void on_nobodys(struct lease_group *g, uint64_t marker)
{
    /* A delete marker was put there by the holder. Without one the bucket has forgotten the record, by the broker's clock. */
    if (marker == 0 && g->seen_revision != 0 && lease_now_ms() < g->seen_ms + g->seen_ttl_ms)
        return;
    take(g, marker, marker != 0);
    g->holder[0] = 0;
}

static void on_record(void *user, kanal_status status, kanal_str value, uint64_t revision)
{
    struct lease_group *g = ask_end(user);
    if (!g || status == KANAL_E_CANCELLED)
        return;
    yyjson_doc *doc = status == KANAL_OK ? kanal_json_parse(value) : NULL;
    yyjson_val *root = yyjson_doc_get_root(doc);
    int is_ours = kanal_str_is(kanal_json_text_at(root, "holder"), g->book->holder);
    if (!g->members)
        ;
    else if (status == KANAL_E_NOT_FOUND)
        on_nobodys(g, revision);
    else if (status == KANAL_OK && is_ours)
        confirmed(g, revision, (uint64_t)kanal_json_int_at(root, "count", 0));
    else if (status == KANAL_OK)
        on_others(g, revision, root);
    yyjson_doc_free(doc);
    /* Whatever it was: when to look again. */
    uint64_t now = lease_now_ms(), next = now + g->ttl_ms / 5 + jitter_ms();
    if (g->revision != 0)
        next = g->renew_ms > now ? g->renew_ms : now;
    else if (g->seen_revision != 0 && g->seen_ms + g->seen_ttl_ms > now && g->seen_ms + g->seen_ttl_ms < next)
        next = g->seen_ms + g->seen_ttl_ms;
    if (g->held && g->until_ms < next)
        next = g->until_ms;
    later(g, next);
}

/* ---- What to do now ---- */

void lease_look(struct lease_group *g)
{
    uint64_t now = lease_now_ms();
    if (g->held && now >= g->until_ms)
        lease_lost(g, "lost: it could not be renewed in time");
    if (g->give.state == GIVE_TOLD)
        return; /* looked at again when it has been given, or stays */
    if (!g->members) {
        if (g->held)
            give_back(g);
        return;
    }
    if (!g->ask && g->revision != 0 && now >= g->renew_ms) {
        store(g, g->revision);
    } else if (!g->ask && g->revision == 0) {
        struct ask *ask = ask_new(g);
        if (ask)
            kv_get(g->book->host->broker, g->book->host->names.leases, kanal_str_c(g->key), on_record, ask);
    }
    uint64_t next = g->revision != 0 && !g->ask ? g->renew_ms : now + g->ttl_ms / 5;
    if (g->held && g->until_ms < next)
        next = g->until_ms;
    later(g, next > now ? next : now + 10);
}

/* ---- Members ---- */

struct lease_book *lease_book_of(struct host *host)
{
    struct lease_book *book = host->leases;
    struct id id;
    if (book)
        return book;
    book = calloc(1, sizeof *book);
    if (!book || (!host->instance && ids_random("l_", &id) != 0)) {
        free(book);
        return NULL;
    }
    snprintf(book->holder, sizeof book->holder, "%s", host->instance ? host->instance : id.text);
    book->host = host;
    host->leases = book;
    return book;
}

struct lease_group *lease_group_find(struct lease_book *book, const char *key)
{
    struct lease_group *g = book->groups;
    while (g && strcmp(g->key, key) != 0)
        g = g->next;
    return g;
}

static struct lease_group *group_of(struct lease_book *book, const char *key, int lane)
{
    struct lease_group *g = lease_group_find(book, key);
    if (g || !(g = calloc(1, sizeof *g)))
        return g;
    snprintf(g->key, sizeof g->key, "%s", key);
    g->lane = lane;
    g->book = book;
    g->ttl_ms = LEASE_TTL_DEFAULT_MS;
    g->count = lease_now_ms(); /* none that a former process of this name has sent */
    uv_timer_init(book->host->loop, &g->timer);
    uv_unref((uv_handle_t *)&g->timer);
    g->timer.data = g;
    g->next = book->groups;
    book->groups = g;
    return g;
}

static int join(struct host *host, const char *key, int lane, struct lease_member *member)
{
    struct lease_book *book = lease_book_of(host);
    struct lease_group *g = book ? group_of(book, key, lane) : NULL;
    if (!g)
        return KANAL_E_INTERNAL;
    member->group = g;
    member->next = g->members;
    g->members = member;
    later(g, lease_now_ms());
    return 0;
}

int lease_join(struct host *host, kanal_str plugin, kanal_str channel_id, struct lease_member *member)
{
    char key[48];
    uint32_t number = lease_group_of(channel_id);
    snprintf(key, sizeof key, "%.*s.%" PRIu32, (int)(plugin.len < 32 ? plugin.len : 32), plugin.ptr, number);
    return join(host, key, (int)(number % LEASE_LANES), member);
}

int lease_join_named(struct host *host, const char *key, struct lease_member *member)
{
    return join(host, key, -1, member);
}

int lease_join_lane(struct host *host, uint32_t lane, struct lease_member *member)
{
    char key[48];
    snprintf(key, sizeof key, "_.lane-%" PRIu32, lane);
    int r = join(host, key, -1, member);
    if (r == 0)
        host->leases->lanes[lane] = member->group;
    return r;
}

void lease_leave(struct lease_member *member)
{
    struct lease_group *g = member->group;
    if (!g)
        return;
    for (struct lease_member **link = &g->members; *link; link = &(*link)->next)
        if (*link == member) {
            *link = member->next;
            break;
        }
    member->group = NULL;
    if (!g->members)
        later(g, lease_now_ms()); /* not now: one channel that starts anew leaves and joins */
}

uint64_t lease_term(const struct lease_member *member)
{
    const struct lease_group *g = member->group;
    return g && g->held && lease_now_ms() < g->until_ms ? g->term : 0;
}

uint64_t lease_until_ms(const struct lease_member *member)
{
    return lease_term(member) ? member->group->until_ms : 0;
}

static void on_group_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void lease_book_free(struct lease_book *book)
{
    if (!book)
        return;
    share_free(book->share);
    for (struct lease_group *g = book->groups, *next; g; g = next) {
        next = g->next;
        if (g->ask)
            g->ask->group = NULL;
        uv_close((uv_handle_t *)&g->timer, on_group_closed);
    }
    free(book);
}
