/* Buckets, watches and objects; and another client (nats.js) that reads and writes the same. */
#include "broker_support.h"

#include <openssl/sha.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "broker/kv.h"

struct value {
    int calls;
    kanal_status status;
    char text[256];
    uint64_t revision;
};

static void note_value(void *user, kanal_status status, kanal_str value, uint64_t revision)
{
    struct value *v = user;

    v->calls++;
    v->status = status;
    v->revision = revision;
    snprintf(v->text, sizeof v->text, "%s%.*s", value.ptr ? "" : "(absent)", (int)value.len,
             value.ptr ? value.ptr : "");
}

static void make_bucket(struct fixture *f, const char *name, int64_t ttl_ms, int32_t history)
{
    struct kv_bucket bucket = { .name = name, .ttl_ms = ttl_ms, .history = history };
    struct noted n = { 0 };

    kv_ensure(f->broker, &bucket, note_result, &n);
    cr_assert(run_until(&f->loop, &n.calls, 1, 3000));
    cr_assert_eq(n.status, KANAL_OK, "%s", n.text);
}

static struct value get(struct fixture *f, const char *key)
{
    struct value v = { 0 };

    kv_get(f->broker, "state", kanal_str_c(key), note_value, &v);
    cr_assert_eq(v.calls, 0);
    cr_assert(run_until(&f->loop, &v.calls, 1, 6000));
    return v;
}

static struct value put(struct fixture *f, const char *key, const char *text, uint64_t if_revision)
{
    struct value v = { 0 };

    kv_put(f->broker, "state", kanal_str_c(key), kanal_str_c(text), if_revision, note_value, &v);
    cr_assert_eq(v.calls, 0);
    cr_assert(run_until(&f->loop, &v.calls, 1, 6000));
    return v;
}

static struct value del(struct fixture *f, const char *key, uint64_t if_revision)
{
    struct value v = { 0 };

    kv_delete(f->broker, "state", kanal_str_c(key), if_revision, note_value, &v);
    cr_assert(run_until(&f->loop, &v.calls, 1, 6000));
    return v;
}

Test(kv, values_and_revisions, .timeout = 30)
{
    struct fixture f;
    struct value v;

    fixture_up(&f, NULL);
    make_bucket(&f, "state", 0, 1);
    make_bucket(&f, "state", 0, 1);
    v = get(&f, "shop.cursor");
    cr_assert(v.status == KANAL_E_NOT_FOUND && v.revision == 0);
    v = put(&f, "shop.cursor", "41", JS_ANY_SEQUENCE);
    cr_assert(v.status == KANAL_OK && v.revision == 1, "%d", v.status);
    v = put(&f, "shop.cursor", "42", 1);
    cr_assert(v.status == KANAL_OK && v.revision == 2);
    v = put(&f, "shop.cursor", "43", 1);
    cr_assert_eq(v.status, KANAL_E_REJECTED);
    v = get(&f, "shop.cursor");
    cr_assert(v.status == KANAL_OK && v.revision == 2 && strcmp(v.text, "42") == 0);
    v = put(&f, "empty", "", JS_ANY_SEQUENCE);
    v = get(&f, "empty");
    cr_assert(v.status == KANAL_OK && strcmp(v.text, "") == 0, "%s", v.text);
    v = get(&f, "bad key");
    cr_assert_eq(v.status, KANAL_E_INVALID);
    v = put(&f, ".bad", "x", 0);
    cr_assert_eq(v.status, KANAL_E_INVALID);
    v = put(&f, "a..b", "x", 0);
    cr_assert_eq(v.status, KANAL_E_INVALID);
    fixture_down(&f);
}

/* A plain "expected 0" fails over a delete marker. */
Test(kv, create_works_over_a_delete_marker, .timeout = 30)
{
    struct fixture f;
    struct noted n;
    struct value v;

    fixture_up(&f, NULL);
    make_bucket(&f, "state", 0, 1);
    cr_assert_eq(put(&f, "lease", "a", 0).status, KANAL_OK);
    v = put(&f, "lease", "b", 0);
    cr_assert(v.status == KANAL_E_REJECTED && v.revision == 1, "%d %d", v.status, (int)v.revision);
    cr_assert_eq(del(&f, "lease", 7).status, KANAL_E_REJECTED);
    cr_assert_eq(del(&f, "lease", 1).status, KANAL_OK);
    v = get(&f, "lease");
    cr_assert(v.status == KANAL_E_NOT_FOUND && v.revision == 2, "%d %d", v.status, (int)v.revision);
    cr_assert_eq(publish(&f, "$KV.state.lease", "c", NULL, 0, &n), KANAL_E_REJECTED,
                 "the belief this rests on");
    v = put(&f, "lease", "c", 0);
    cr_assert(v.status == KANAL_OK && v.revision == 3, "%d %d", v.status, (int)v.revision);
    cr_assert_str_eq(get(&f, "lease").text, "c");
    fixture_down(&f);
}

/* A lease: its holder renews it, that makes it young again; when it stops, another may have it. */
Test(kv, leases_expire, .timeout = 60)
{
    struct fixture f;
    struct value v;

    fixture_up(&f, NULL);
    make_bucket(&f, "state", 1500, 1);
    v = put(&f, "lease", "a", 0);
    cr_assert_eq(v.status, KANAL_OK);
    for (int i = 0; i < 4; i++) {
        run_for(&f.loop, 700);
        cr_assert_eq(put(&f, "lease", "b", 0).status, KANAL_E_REJECTED);
        v = put(&f, "lease", "a", v.revision);
        cr_assert_eq(v.status, KANAL_OK, "renewal %d", i);
    }
    run_for(&f.loop, 3500);
    cr_assert_eq(put(&f, "lease", "a", v.revision).status, KANAL_E_REJECTED, "an old revision after expiry");
    cr_assert_eq(put(&f, "lease", "b", 0).status, KANAL_OK);
    fixture_down(&f);
}

/* ---- Watches ---- */

struct watched {
    int entries, all, deleted;
    int before_all;
    char log[4096];
    uint64_t last;
};

static void on_entry(void *user, kanal_str key, kanal_str value, uint64_t revision)
{
    struct watched *w = user;
    size_t n = strlen(w->log);

    if (!key.ptr) {
        w->all++;
        w->before_all = w->entries;
        snprintf(w->log + n, sizeof w->log - n, "| ");
        return;
    }
    w->entries++;
    w->deleted += value.ptr == NULL;
    w->last = revision;
    snprintf(w->log + n, sizeof w->log - n, "%.*s=%.*s ", (int)key.len, key.ptr,
             value.ptr ? (int)value.len : 1, value.ptr ? value.ptr : "-");
}

Test(kv, a_watch_tells_what_is_there_and_what_changes, .timeout = 60)
{
    struct fixture f;
    struct watched w = { 0 }, some = { 0 }, none = { 0 };
    struct kv_watch *watch, *filtered, *empty;

    fixture_up(&f, NULL);
    make_bucket(&f, "state", 0, 5);
    put(&f, "a.x", "1", JS_ANY_SEQUENCE);
    put(&f, "a.x", "2", JS_ANY_SEQUENCE);
    put(&f, "b.x", "3", JS_ANY_SEQUENCE);
    put(&f, "c.x", "4", JS_ANY_SEQUENCE);
    del(&f, "c.x", JS_ANY_SEQUENCE);
    cr_assert_eq(kv_watch_start(f.broker, "state", ">", on_entry, &w, &watch), 0);
    cr_assert_eq(kv_watch_start(f.broker, "state", "a.*", on_entry, &some, &filtered), 0);
    cr_assert_eq(kv_watch_start(f.broker, "state", "z.*", on_entry, &none, &empty), 0);
    cr_assert(run_until(&f.loop, &w.all, 1, 3000) && run_until(&f.loop, &some.all, 1, 3000) &&
              run_until(&f.loop, &none.all, 1, 3000));
    cr_assert_str_eq(w.log, "a.x=2 b.x=3 c.x=- | ");
    cr_assert_str_eq(some.log, "a.x=2 | ");
    cr_assert_str_eq(none.log, "| ");
    put(&f, "b.x", "5", JS_ANY_SEQUENCE);
    put(&f, "a.y", "", JS_ANY_SEQUENCE);
    del(&f, "a.x", JS_ANY_SEQUENCE);
    cr_assert(run_until(&f.loop, &w.entries, 6, 3000) && run_until(&f.loop, &some.entries, 3, 3000));
    cr_assert_str_eq(w.log, "a.x=2 b.x=3 c.x=- | b.x=5 a.y= a.x=- ");
    cr_assert_str_eq(some.log, "a.x=2 | a.y= a.x=- ");
    kv_watch_stop(watch);
    kv_watch_stop(filtered);
    kv_watch_stop(empty);
    put(&f, "b.x", "6", JS_ANY_SEQUENCE);
    run_for(&f.loop, 100);
    cr_assert_eq(w.entries, 6);
    fixture_down(&f);
}

#define CHANGING 3000

struct changing {
    struct broker *broker;
    int puts, all;
};

static void count_put(void *user, kanal_status status, kanal_str value, uint64_t revision)
{
    struct changing *c = user;

    (void)value, (void)revision;
    c->puts += status == KANAL_OK;
}

static void put_all(struct changing *c, int from)
{
    char key[16];

    for (int i = from; i < CHANGING; i++) {
        snprintf(key, sizeof key, "k%d", i);
        kv_put(c->broker, "state", kanal_str_c(key), KANAL_LIT("x"), JS_ANY_SEQUENCE, count_put, c);
    }
}

/* While the first values come, most of the others are written over: each is gone from where it stood, and comes later. */
static void change_meanwhile(void *user, kanal_str key, kanal_str value, uint64_t revision)
{
    struct changing *c = user;

    (void)value, (void)revision;
    if (kanal_str_is(key, "k0"))
        put_all(c, 100);
    c->all += key.ptr == NULL;
}

Test(kv, a_watch_ends_its_beginning_though_values_change, .timeout = 60)
{
    struct fixture f;
    struct changing c = { 0 };
    struct kv_watch *watch;

    fixture_up(&f, NULL);
    make_bucket(&f, "state", 0, 1);
    c.broker = f.broker;
    put_all(&c, 0);
    cr_assert(run_until(&f.loop, &c.puts, CHANGING, 20000));
    cr_assert_eq(kv_watch_start(f.broker, "state", ">", change_meanwhile, &c, &watch), 0);
    cr_assert(run_until(&f.loop, &c.all, 1, 10000), "of %d puts", c.puts);
    cr_assert(run_until(&f.loop, &c.puts, 2 * CHANGING - 100, 20000));
    cr_assert_eq(c.all, 1);
    kv_watch_stop(watch);
    fixture_down(&f);
}

Test(kv, a_watch_misses_nothing_over_a_restart, .timeout = 90)
{
    struct fixture f, other;
    struct broker_options options = { 0 };
    struct watched w = { 0 };
    struct kv_watch *watch;
    const char *url;

    fixture_up(&f, NULL);
    make_bucket(&f, "state", 0, 1);
    for (int i = 0; i < 50; i++) {
        char key[16];

        snprintf(key, sizeof key, "k%d", i);
        put(&f, key, "old", JS_ANY_SEQUENCE);
    }
    cr_assert_eq(kv_watch_start(f.broker, "state", ">", on_entry, &w, &watch), 0);
    cr_assert(run_until(&f.loop, &w.all, 1, 3000));
    cr_assert_eq(w.before_all, 50);
    w.log[0] = '\0';
    nats_kill(&f.nats);
    cr_assert(run_until_state(&f, BROKER_DOWN, 3000));
    nats_restart(&f.nats);
    /* Changes by another, before the watch can be back. */
    fixture_init(&other);
    url = f.nats.url;
    options.urls = &url;
    options.url_count = 1;
    fixture_connect(&other, &options);
    cr_assert(run_until_state(&other, BROKER_UP, 5000));
    cr_assert_eq(put(&other, "k7", "new", JS_ANY_SEQUENCE).status, KANAL_OK);
    cr_assert_eq(del(&other, "k9", JS_ANY_SEQUENCE).status, KANAL_OK);
    cr_assert(run_until_state(&f, BROKER_UP, 10000));
    cr_assert(run_until(&f.loop, &w.entries, 52, 5000), "%d %s", w.entries, w.log);
    cr_assert_str_eq(w.log, "k7=new k9=- ");
    cr_assert_eq(w.all, 1, "said once");
    cr_assert_eq(put(&other, "k8", "later", JS_ANY_SEQUENCE).status, KANAL_OK);
    cr_assert(run_until(&f.loop, &w.entries, 53, 3000));
    broker_free(other.broker);
    uv_run(&other.loop, UV_RUN_DEFAULT);
    uv_loop_close(&other.loop);
    kv_watch_stop(watch);
    fixture_down(&f);
}

/* The bucket was removed and made anew: everything is told again. */
Test(kv, a_watch_notices_another_bucket_of_the_same_name, .timeout = 90)
{
    struct fixture f;
    struct watched w = { 0 };
    struct kv_watch *watch;
    struct broker_out out = text_out("$JS.API.STREAM.DELETE.KV_state", "");
    struct noted n = { 0 };

    fixture_up(&f, NULL);
    make_bucket(&f, "state", 0, 1);
    for (int i = 0; i < 5; i++)
        put(&f, "a", "1", JS_ANY_SEQUENCE);
    cr_assert_eq(kv_watch_start(f.broker, "state", ">", on_entry, &w, &watch), 0);
    cr_assert(run_until(&f.loop, &w.all, 1, 3000));
    broker_request(f.broker, &out, 0, note_reply, &n);
    cr_assert(run_until(&f.loop, &n.calls, 1, 3000));
    make_bucket(&f, "state", 0, 1);
    put(&f, "b", "2", JS_ANY_SEQUENCE);
    cr_assert(run_until(&f.loop, &w.entries, 2, 20000), "%s", w.log);
    cr_assert_str_eq(w.log, "a=1 | b=2 ");
    kv_watch_stop(watch);
    fixture_down(&f);
}

static void stop_watch(void *user, kanal_str key, kanal_str value, uint64_t revision)
{
    struct kv_watch **watch = user;

    (void)key, (void)value, (void)revision;
    kv_watch_stop(*watch);
    *watch = NULL;
}

Test(kv, a_watch_can_be_stopped_at_any_time, .timeout = 30)
{
    struct fixture f;
    struct watched w = { 0 };
    struct kv_watch *watch;

    fixture_up(&f, NULL);
    make_bucket(&f, "state", 0, 1);
    put(&f, "a", "1", JS_ANY_SEQUENCE);
    cr_assert_eq(kv_watch_start(f.broker, "state", ">", on_entry, &w, &watch), 0);
    kv_watch_stop(watch); /* before anything came back */
    cr_assert_eq(kv_watch_start(f.broker, "state", ">", stop_watch, &watch, &watch), 0);
    for (int i = 0; i < 300 && watch; i++)
        run_for(&f.loop, 10);
    cr_assert_null(watch);
    cr_assert_eq(kv_watch_start(f.broker, "none", ">", on_entry, &w, &watch), 0);
    run_for(&f.loop, 100);
    cr_assert_eq(w.entries, 0);
    kv_watch_stop(watch);
    fixture_down(&f);
}

/* ---- Objects ---- */

struct got {
    int infos, pieces, dones, pause_at;
    kanal_status status;
    size_t bytes;
    uint64_t size;
    char name[64], type[64], filename[64];
    SHA256_CTX hash;
    unsigned char digest[32];
};

#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

static void on_info(void *user, const struct object_info *info)
{
    struct got *g = user;

    g->infos++;
    g->size = info->size;
    snprintf(g->name, sizeof g->name, "%.*s", (int)info->name.len, info->name.ptr);
    snprintf(g->type, sizeof g->type, "%.*s", (int)info->content_type.len,
             info->content_type.ptr ? info->content_type.ptr : "");
    snprintf(g->filename, sizeof g->filename, "%.*s", (int)info->filename.len,
             info->filename.ptr ? info->filename.ptr : "");
    SHA256_Init(&g->hash);
}

static int on_data(void *user, kanal_str piece)
{
    struct got *g = user;

    g->bytes += piece.len;
    SHA256_Update(&g->hash, piece.ptr, piece.len);
    return ++g->pieces == g->pause_at;
}

static void on_done(void *user, kanal_status status)
{
    struct got *g = user;

    g->dones++;
    g->status = status;
    if (g->infos)
        SHA256_Final(g->digest, &g->hash);
}

static const struct object_sink sink = { on_info, on_data, on_done };

static void make_store(struct fixture *f)
{
    struct noted n = { 0 };

    object_store_ensure(f->broker, "media", 0, 1, note_result, &n);
    cr_assert(run_until(&f->loop, &n.calls, 1, 3000));
    cr_assert_eq(n.status, KANAL_OK, "%s", n.text);
}

static void store(struct fixture *f, const char *name, const char *data, size_t len)
{
    struct object_info info = { kanal_str_c(name), KANAL_LIT("image/png"), KANAL_LIT("фото.png"), len };
    struct noted n = { 0 };

    object_put(f->broker, "media", &info, kanal_str_of(data, len), note_result, &n);
    cr_assert_eq(n.calls, 0);
    cr_assert(run_until(&f->loop, &n.calls, 1, 20000));
    cr_assert_eq(n.status, KANAL_OK, "%d %s", n.status, n.text);
}

static struct got fetch(struct fixture *f, const char *name)
{
    struct got g = { 0 };
    struct object_read *read;

    cr_assert_eq(object_read_start(f->broker, "media", kanal_str_c(name), &sink, &g, &read), 0);
    cr_assert(run_until(&f->loop, &g.dones, 1, 20000));
    return g;
}

static char *pattern(size_t len)
{
    char *data = malloc(len + 1);

    for (size_t i = 0; i < len; i++)
        data[i] = (char)((i * 7 + (i >> 8)) & 255);
    return data;
}

static uint64_t stored_messages(struct fixture *f)
{
    struct broker_out out = text_out("$JS.API.STREAM.INFO.OBJ_media", "");
    struct noted n = { 0 };
    const char *p;

    broker_request(f->broker, &out, 0, note_reply, &n);
    cr_assert(run_until(&f->loop, &n.calls, 1, 3000));
    p = strstr(n.text, "\"messages\":");
    cr_assert_not_null(p);
    return strtoull(p + 11, NULL, 10);
}

Test(object, ten_mebibytes_there_and_back, .timeout = 60)
{
    struct fixture f;
    const size_t len = (10 << 20) + 17;
    char *data = pattern(len);
    unsigned char digest[32];
    struct got g;

    SHA256((unsigned char *)data, len, digest);
    fixture_up(&f, NULL);
    make_store(&f);
    make_store(&f);
    store(&f, "kanal/2026/фото 1", data, len);
    g = fetch(&f, "kanal/2026/фото 1");
    cr_assert_eq(g.status, KANAL_OK);
    cr_assert(g.infos == 1 && g.size == len && g.bytes == len && g.pieces == 81, "%d %d", (int)g.bytes,
              g.pieces);
    cr_assert_eq(memcmp(g.digest, digest, 32), 0);
    cr_assert_str_eq(g.name, "kanal/2026/фото 1");
    cr_assert_str_eq(g.type, "image/png");
    cr_assert_str_eq(g.filename, "фото.png");
    /* Written over: the chunks of the first are gone. */
    store(&f, "kanal/2026/фото 1", data, 1000);
    g = fetch(&f, "kanal/2026/фото 1");
    cr_assert(g.status == KANAL_OK && g.bytes == 1000);
    cr_assert_eq(stored_messages(&f), 2);
    store(&f, "nothing in it", "", 0);
    g = fetch(&f, "nothing in it");
    cr_assert(g.status == KANAL_OK && g.infos == 1 && g.bytes == 0);
    g = fetch(&f, "none");
    cr_assert(g.status == KANAL_E_NOT_FOUND && g.infos == 0);
    free(data);
    fixture_down(&f);
}

Test(object, reading_pauses_resumes_and_can_be_cancelled, .timeout = 60)
{
    struct fixture f;
    char *data = pattern(1000000);
    struct got g = { .pause_at = 3 }, cancelled = { 0 };
    struct object_read *read;

    fixture_up(&f, NULL);
    make_store(&f);
    store(&f, "a", data, 1000000);
    cr_assert_eq(object_read_start(f.broker, "media", KANAL_LIT("a"), &sink, &g, &read), 0);
    cr_assert(run_until(&f.loop, &g.pieces, 3, 5000));
    run_for(&f.loop, 200);
    cr_assert(g.pieces == 3 && g.dones == 0, "%d", g.pieces);
    object_read_resume(read);
    cr_assert_eq(g.pieces, 3);
    cr_assert(run_until(&f.loop, &g.dones, 1, 3000));
    cr_assert(g.status == KANAL_OK && g.bytes == 1000000);
    cr_assert_eq(object_read_start(f.broker, "media", KANAL_LIT("a"), &sink, &cancelled, &read), 0);
    cr_assert(run_until(&f.loop, &cancelled.pieces, 2, 3000));
    object_read_cancel(read);
    run_for(&f.loop, 200);
    cr_assert(cancelled.dones == 0 && cancelled.pieces == 2, "%d", cancelled.pieces);
    free(data);
    fixture_down(&f);
}

static void copy_text(void *user, kanal_status status, const struct js_message *m)
{
    cr_assert_eq(status, KANAL_OK);
    snprintf(user, 4096, "%.*s", (int)m->payload.len, m->payload.ptr);
}

/* The digest does not fit: somebody has changed something. */
Test(object, a_wrong_digest_is_found, .timeout = 60)
{
    struct fixture f;
    kanal_field rollup = { KANAL_LIT("Nats-Rollup"), KANAL_LIT("sub") };
    struct broker_out out = text_out("$O.media.M.YQ==", "");
    struct noted n = { 0 };
    char *data = pattern(200000), meta[4096] = "", *digest;
    struct got g;

    fixture_up(&f, NULL);
    make_store(&f);
    store(&f, "a", data, 200000);
    js_get_last(f.broker, "OBJ_media", out.subject, copy_text, meta);
    run_for(&f.loop, 200);
    digest = strstr(meta, "SHA-256=");
    cr_assert_not_null(digest);
    digest[10] = digest[10] == 'A' ? 'B' : 'A';
    out.payload = kanal_str_c(meta);
    out.headers = &rollup;
    out.header_count = 1;
    js_publish(f.broker, &out, kanal_str_of(NULL, 0), JS_ANY_SEQUENCE, 0, note_ack, &n);
    cr_assert(run_until(&f.loop, &n.calls, 1, 3000));
    cr_assert_eq(n.status, KANAL_OK, "%s", n.text);
    g = fetch(&f, "a");
    cr_assert(g.bytes == 200000 && g.status == KANAL_E_REJECTED, "%d", g.status);
    free(data);
    fixture_down(&f);
}

/* A chunk is gone. */
Test(object, damage_is_found, .timeout = 60)
{
    struct fixture f;
    struct broker_out out = text_out("$JS.API.STREAM.MSG.DELETE.OBJ_media", "{\"seq\":2}");
    struct noted n = { 0 };
    char *data = pattern(400000);
    struct got g;

    fixture_up(&f, NULL);
    make_store(&f);
    store(&f, "a", data, 400000);
    broker_request(f.broker, &out, 0, note_reply, &n);
    cr_assert(run_until(&f.loop, &n.calls, 1, 3000));
    g = fetch(&f, "a");
    cr_assert_eq(g.status, KANAL_E_REJECTED);
    free(data);
    fixture_down(&f);
}

/* ---- nats.js ---- */

/* Runs the peer while our loop stands still; returns its output, or NULL if npm or the module is not to be
 * had. */
static char *peer(struct fixture *f, const char *commands)
{
    static char output[8192];
    char command[2048];
    const char *dir = BROKER_PEER_BUILD;
    size_t n;
    FILE *p;

    mkdir(dir, 0755);
    snprintf(command, sizeof command,
             "cd '%s' && cp '%s'/package.json '%s'/peer.mjs . && { [ -d node_modules/nats ] || timeout 60 "
             "npm install "
             "--no-package-lock --ignore-scripts --no-audit --no-fund >/dev/null 2>&1; } && [ -d "
             "node_modules/nats ]",
             dir, BROKER_PEER, BROKER_PEER);
    if (system(command) != 0)
        return NULL;
    snprintf(command, sizeof command, "cd '%s' && timeout 30 node peer.mjs %s %s 2>&1", dir, f->nats.url,
             commands);
    p = popen(command, "re");
    cr_assert_not_null(p);
    n = fread(output, 1, sizeof output - 1, p);
    output[n] = '\0';
    cr_assert_eq(pclose(p), 0, "%s", output);
    run_for(&f->loop, 100); /* the loop stood still meanwhile, and may take the broker for stalled */
    cr_assert(run_until_state(f, BROKER_UP, 5000));
    return output;
}

Test(peer, another_client_reads_and_writes_the_same, .timeout = 120)
{
    struct fixture f;
    char *data = pattern(300001), hex[65], line[256], *out;
    unsigned char digest[32];
    struct got g;

    fixture_up(&f, NULL);
    make_bucket(&f, "state", 0, 3);
    make_store(&f);
    put(&f, "ours", "from us", JS_ANY_SEQUENCE);
    put(&f, "gone", "x", JS_ANY_SEQUENCE);
    del(&f, "gone", JS_ANY_SEQUENCE);
    store(&f, "our/object", data, 300001);
    out = peer(&f, "'kvget state ours' 'kvget state gone' 'kvput state theirs hello' 'kvkeys state' "
                   "'kvdelete state ours' "
                   "'objget media our/object' 'objput media theirs 300001'");
    if (!out) {
        cr_skip("npm or the package nats is not available");
        return;
    }
    cr_assert_not_null(strstr(out, "kvget state ours -> from us@1"), "%s", out);
    cr_assert_not_null(strstr(out, "kvget state gone -> none"), "%s", out);
    cr_assert_not_null(strstr(out, "kvkeys state -> ours,theirs"), "%s", out);
    SHA256((unsigned char *)data, 300001, digest);
    for (int i = 0; i < 32; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    snprintf(line, sizeof line, "objget media our/object -> 300001 %s image/png ok", hex);
    cr_assert_not_null(strstr(out, line), "%s", out);
    cr_assert_str_eq(get(&f, "theirs").text, "hello");
    cr_assert_eq(get(&f, "ours").status, KANAL_E_NOT_FOUND);
    cr_assert_eq(put(&f, "ours", "again", 0).status, KANAL_OK, "over their delete marker");
    g = fetch(&f, "theirs");
    cr_assert_eq(g.status, KANAL_OK);
    cr_assert(g.bytes == 300001 && memcmp(g.digest, digest, 32) == 0);
    free(data);
    fixture_down(&f);
}
