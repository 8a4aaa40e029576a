/* Sharing: each replica says every 3 s that it is there, in the leases' bucket, "_.replica.<name>" = {"holder", "ttl_ms", "count", "asks"}, and hears
 * the others and who holds the core's own leases by a watch. Two rules move leases, one at a time each:
 *   the core's own   who has most gives one to who has least, until they are even (replicas_move());
 *   a channel's      who has its lane and not its lease asks for it, and whoever holds it without having the lane gives it.
 * Both only ever give to a certain replica (lease_give.c); what nobody holds is taken as before, a little later by those who have their share. */
#include <stdio.h>

#include "broker/kv.h"
#include "host/host.h"
#include "host/lease_inside.h"
#include "kanal/sdk/json.h"
#include "kanal/sdk/str.h"

#define TICK_MS 100u
#define ANNOUNCE_MS 3000u
#define ANNOUNCE_AT_LEAST_MS 200u /* between two, though there is news */
#define REPLICA_TTL_MS 9000u      /* without a word for so long it is not there */
#define DEAF_MS 5000u             /* our own word has not come through for so long: nor have others' */
#define SLOW_MS 1000u             /* a tick so late: this process stood still */
#define LOOK_TICKS 3u             /* what was asked for is looked at more often */
#define GRACE_MS 2300u            /* longer than what a waiter needs to find what is free */
#define ASKS_MAX 32u
#define PREFIX "_.replica."

/* Under way; its share is gone when NULL. */
struct announcement {
    struct share *share;
};

enum kind { KIND_INTAKE, KIND_LANE, KIND_PROJECTOR, KIND_CHANNEL, KINDS };
static const char *const kinds[KINDS] = { "intake", "lane", "projector", "channel" };

struct share {
    struct lease_book *book;
    struct kv_watch *watch;
    uv_timer_t timer;
    struct replicas replicas;
    struct announcement *announcement;
    struct kanal_buffer asks; /* as they were said last: a JSON array */
    uint64_t announced_ms, heard_ms, ticked_ms, count, ticks;
    int has_left;
    struct metric *held[KINDS], *there, *given;
};

static int is_core(const struct lease_group *g)
{
    return g->lane < 0;
}

static enum kind kind_of(const struct lease_group *g)
{
    return !is_core(g)                          ? KIND_CHANNEL
           : strcmp(g->key, "_.intake") == 0    ? KIND_INTAKE
           : strncmp(g->key, "_.lane-", 7) == 0 ? KIND_LANE
                                                : KIND_PROJECTOR;
}

/* What every gateway can do alike: the projector may be switched off in some. */
static int is_spread(const struct lease_group *g)
{
    return kind_of(g) == KIND_INTAKE || kind_of(g) == KIND_LANE;
}

static int is_me(const struct share *s, const char *name)
{
    return strcmp(name, s->book->holder) == 0;
}

static const char *holder_of(const struct lease_group *g)
{
    return g->held ? g->book->holder : g->holder;
}

/* ---- Saying that we are there ---- */

static int wants(struct share *s, const struct lease_group *g)
{
    return !is_core(g) && g->members && !g->held && s->book->lanes[g->lane] &&
           s->book->lanes[g->lane]->held && g->holder[0] && !is_me(s, g->holder) &&
           replicas_find(&s->replicas, kanal_str_c(g->holder));
}

static void write_asks(struct share *s, struct kanal_buffer *out)
{
    struct kanal_json json;
    size_t count = 0;
    kanal_json_init(&json, out);
    kanal_json_array(&json);
    for (const struct lease_group *g = s->book->groups; g && count < ASKS_MAX; g = g->next)
        if (wants(s, g)) {
            kanal_json_str(&json, kanal_str_c(g->key));
            count++;
        }
    kanal_json_array_end(&json);
}

static void on_announced(void *user, kanal_status status, kanal_str value, uint64_t revision)
{
    struct announcement *announcement = user;
    struct share *s = announcement->share;
    (void)value, (void)revision;
    free(announcement);
    if (!s)
        return;
    s->announcement = NULL;
    if (status == KANAL_OK)
        s->heard_ms = lease_now_ms();
}

static struct announcement *announcement_new(struct share *s)
{
    struct announcement *announcement = calloc(1, sizeof *announcement);
    if (announcement)
        announcement->share = s;
    return s->announcement = announcement;
}

static void key_of(const struct share *s, char ret_key[64])
{
    snprintf(ret_key, 64, PREFIX "%s", s->book->holder);
}

static void announce(struct share *s, uint64_t now)
{
    struct host *host = s->book->host;
    struct kanal_buffer asks = { 0 }, text = { 0 };
    struct kanal_json json;
    char key[64];
    write_asks(s, &asks);
    int is_news = !kanal_str_equal(kanal_buffer_view(&asks), kanal_buffer_view(&s->asks));
    if (now < s->announced_ms + (is_news ? ANNOUNCE_AT_LEAST_MS : ANNOUNCE_MS) || s->announcement ||
        !announcement_new(s)) {
        kanal_buffer_release(&asks);
        return;
    }
    kanal_buffer_release(&s->asks);
    s->asks = asks;
    s->announced_ms = now;
    kanal_json_init(&json, &text);
    kanal_json_object(&json);
    kanal_json_member_text(&json, "holder", s->book->holder);
    kanal_json_member_int(&json, "ttl_ms", REPLICA_TTL_MS);
    kanal_json_member_int(&json, "count", (int64_t)++s->count);
    kanal_json_key(&json, "asks");
    kanal_json_raw(&json, kanal_buffer_view(&s->asks));
    kanal_json_object_end(&json);
    key_of(s, key);
    kv_put(host->broker, host->names.leases, kanal_str_c(key), kanal_buffer_view(&text), JS_ANY_SEQUENCE,
           on_announced, s->announcement);
    kanal_buffer_release(&text);
}

/* ---- Hearing the others ---- */

/* A channel's lease goes to who has its lane. */
static void answer_ask(struct share *s, kanal_str who, kanal_str key)
{
    for (struct lease_group *g = s->book->groups; g; g = g->next) {
        const struct lease_group *lane = is_core(g) ? NULL : s->book->lanes[g->lane];
        if (!lane || !g->held || !kanal_str_is(key, g->key) || !kanal_str_is(who, holder_of(lane)))
            continue;
        const struct replica *to = replicas_find(&s->replicas, who);
        if (to && !s->has_left)
            lease_give(g, to->name);
    }
}

static void on_replica(struct share *s, kanal_str name, kanal_str value)
{
    yyjson_doc *doc = value.ptr ? kanal_json_parse(value) : NULL;
    yyjson_val *root = yyjson_doc_get_root(doc), *asks = kanal_json_at(root, "asks"), *ask;
    size_t i, max;
    if (kanal_str_is(name, s->book->holder))
        ;
    else if (!value.ptr)
        replicas_left(&s->replicas, name);
    else if (root && replicas_heard(&s->replicas, name, REPLICA_TTL_MS, lease_now_ms()))
        yyjson_arr_foreach (asks, i, max, ask) {
            if (i >= ASKS_MAX)
                break;
            answer_ask(s, name, kanal_json_text(ask));
        }
    yyjson_doc_free(doc);
}

static void on_refused(void *user, kanal_status status, kanal_str value, uint64_t revision)
{
    (void)user, (void)status, (void)value, (void)revision; /* then it lasts for its time */
}

/* It was given to us when we had gone already: the others need not wait until its time is over. */
static void refuse(const struct lease_group *g, uint64_t revision)
{
    struct host *host = g->book->host;
    kv_delete(host->broker, host->names.leases, kanal_str_c(g->key), revision, on_refused, NULL);
}

/* One of the core's own: gone, renewed, or ours from now on. */
static void on_core_record(struct lease_group *g, kanal_str value, uint64_t revision)
{
    if (revision <= g->watched_revision)
        return;
    g->watched_revision = revision;
    yyjson_doc *doc = value.ptr ? kanal_json_parse(value) : NULL;
    yyjson_val *root = yyjson_doc_get_root(doc);
    kanal_str holder = kanal_json_text_at(root, "holder");
    if (!g->held) {
        snprintf(g->holder, sizeof g->holder, "%.*s", holder.len <= REPLICA_NAME_MAX ? (int)holder.len : 0,
                 holder.ptr ? holder.ptr : "");
        g->is_offered = kanal_json_int_at(root, "count", 1) == 0;
        int is_ours = strcmp(g->holder, g->book->holder) == 0;
        if (g->members && (!value.ptr || is_ours))
            lease_look(g);
        else if (!g->members && is_ours && g->is_offered)
            refuse(g, revision);
    }
    yyjson_doc_free(doc);
}

static void on_entry(void *user, kanal_str key, kanal_str value, uint64_t revision)
{
    struct share *s = user;
    char name[48];
    if (key.len > strlen(PREFIX) && kanal_str_starts(key, PREFIX)) {
        on_replica(s, kanal_str_from(key, strlen(PREFIX)), value);
    } else if (key.len > 0 && key.len < sizeof name) {
        memcpy(name, key.ptr, key.len);
        name[key.len] = 0;
        struct lease_group *g = lease_group_find(s->book, name);
        if (g && is_core(g))
            on_core_record(g, value, revision);
    }
}

/* ---- Spreading the core's own ---- */

/* 0: something is in motion, or held by one that says nothing. */
static int count_loads(struct share *s)
{
    for (size_t i = 0; i < s->replicas.count; i++)
        s->replicas.list[i].load = 0;
    for (const struct lease_group *g = s->book->groups; g; g = g->next) {
        if (!is_spread(g))
            continue;
        struct replica *holder = replicas_find(&s->replicas, kanal_str_c(holder_of(g)));
        if (!holder || g->give.state != GIVE_NOTHING || (g->is_offered && !g->held))
            return 0;
        holder->load++;
    }
    return 1;
}

static void balance(struct share *s, uint64_t now)
{
    const struct replica *from, *to;
    if (replicas_there(&s->replicas) < 2 || !count_loads(s) ||
        !replicas_move(&s->replicas, now, &from, &to) || !is_me(s, from->name))
        return;
    for (struct lease_group *g = s->book->groups; g; g = g->next)
        if (is_spread(g) && lease_give(g, to->name)) {
            s->given->value++;
            return;
        }
}

/* ---- Each tick ---- */

static void each_group(struct share *s)
{
    double counts[KINDS] = { 0 };
    for (struct lease_group *g = s->book->groups; g; g = g->next) {
        lease_give_tick(g);
        if (s->ticks % LOOK_TICKS == 0 && !s->has_left && wants(s, g))
            lease_look(g);
        if (g->held)
            counts[kind_of(g)] += 1;
    }
    for (int i = 0; i < KINDS; i++)
        s->held[i]->value = counts[i];
}

static void on_tick(uv_timer_t *timer)
{
    struct share *s = timer->data;
    uint64_t now = lease_now_ms(), passed = now - s->ticked_ms;
    s->ticked_ms = now;
    s->ticks++;
    if (passed > SLOW_MS || now > s->heard_ms + DEAF_MS)
        replicas_deaf(&s->replicas, passed);
    if (!s->has_left)
        replicas_heard(&s->replicas, kanal_str_c(s->book->holder), REPLICA_TTL_MS, now);
    replicas_expire(&s->replicas, now);
    s->there->value = (double)replicas_there(&s->replicas);
    each_group(s);
    if (s->has_left)
        return;
    announce(s, now);
    balance(s, now);
}

/* ---- What lease.c asks and tells ---- */

uint32_t share_grace_ms(const struct share *s, const struct lease_group *g)
{
    uint32_t held = 0, total = 0;
    if (!s || replicas_there(&s->replicas) < 2)
        return 0;
    if (s->has_left)
        return GRACE_MS;
    if (!is_core(g)) {
        const struct lease_group *lane = s->book->lanes[g->lane];
        return !lane || lane->held ? 0 : GRACE_MS;
    }
    for (const struct lease_group *one = s->book->groups; one; one = one->next)
        if (is_spread(one)) {
            held += (uint32_t)one->held;
            total++;
        }
    return held >= replicas_share(&s->replicas, total) ? GRACE_MS : 0;
}

void share_gained(struct share *s, const struct lease_group *lane)
{
    if (!s || !is_core(lane))
        return;
    for (struct lease_group *g = s->book->groups; g; g = g->next)
        if (!is_core(g) && g->members && !g->held && s->book->lanes[g->lane] == lane)
            lease_look(g);
}

int share_knows(struct share *s, const char *name)
{
    return s && replicas_find(&s->replicas, kanal_str_c(name)) != NULL;
}

void share_outlived(struct share *s, const char *holder)
{
    if (s && holder[0] && !is_me(s, holder))
        replicas_lost(&s->replicas, kanal_str_c(holder));
}

/* ---- Life ---- */

static struct metric *held(struct host *host, const char *kind)
{
    static const char *const by_kind[] = { "kind", NULL };
    kanal_str values[] = { kanal_str_c(kind) };
    return metric_series(metrics_family(host->metrics, METRIC_GAUGE, "kanal_leases_held",
                                        "Leases that this gateway holds.", by_kind),
                         values);
}

int lease_share(struct host *host)
{
    struct lease_book *book = lease_book_of(host);
    struct share *s = book ? calloc(1, sizeof *s) : NULL;
    if (!s)
        return KANAL_E_INTERNAL;
    s->book = book;
    if (kv_watch_start(host->broker, host->names.leases, "_.>", on_entry, s, &s->watch) != 0) {
        free(s);
        return KANAL_E_INTERNAL;
    }
    s->ticked_ms = s->heard_ms = lease_now_ms();
    for (int i = 0; i < KINDS; i++)
        s->held[i] = held(host, kinds[i]);
    s->there = metric_series(metrics_family(host->metrics, METRIC_GAUGE, "kanal_replicas",
                                            "Gateways that share the leases, with this one.", NULL),
                             NULL);
    s->given =
        metric_series(metrics_family(host->metrics, METRIC_COUNTER, "kanal_leases_given_total",
                                     "Leases given to another gateway, so that all have as many.", NULL),
                      NULL);
    uv_timer_init(host->loop, &s->timer);
    s->timer.data = s;
    uv_timer_start(&s->timer, on_tick, 0, TICK_MS);
    uv_unref((uv_handle_t *)&s->timer);
    book->share = s;
    return 0;
}

void lease_share_end(struct host *host)
{
    struct share *s = host->leases ? host->leases->share : NULL;
    char key[64];
    if (!s || s->has_left)
        return;
    s->has_left = 1;
    replicas_left(&s->replicas, kanal_str_c(s->book->holder));
    if (s->announcement)
        s->announcement->share = NULL;
    key_of(s, key);
    if (announcement_new(s))
        kv_delete(host->broker, host->names.leases, kanal_str_c(key), JS_ANY_SEQUENCE, on_announced,
                  s->announcement);
}

static void on_closed(uv_handle_t *timer)
{
    free(timer->data);
}

void share_free(struct share *s)
{
    if (!s)
        return;
    kv_watch_stop(s->watch);
    if (s->announcement)
        s->announcement->share = NULL;
    kanal_buffer_release(&s->asks);
    uv_close((uv_handle_t *)&s->timer, on_closed);
}
