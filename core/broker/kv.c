#include "kv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "api.h"
#include "kv_entry.h"

#define MAX_KEY 256u

/* One call under way. */
struct call {
    struct broker *broker;
    kv_value_fn *fn;
    void *user;
    char stream[160], subject[160 + MAX_KEY];
    struct kanal_buffer value; /* of a put that may be repeated over a delete marker */
};

int kv_key_valid(kanal_str key)
{
    if (key.len == 0 || key.len > MAX_KEY || key.ptr[0] == '.' || key.ptr[key.len - 1] == '.')
        return 0;
    for (size_t i = 0; i < key.len; i++) {
        char c = key.ptr[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              (c != '\0' && strchr("-/_=.", c))))
            return 0;
        if (c == '.' && key.ptr[i + 1] == '.')
            return 0;
    }
    return 1;
}

void kv_ensure(struct broker *b, const struct kv_bucket *bucket, js_result_fn *fn, void *user)
{
    char name[160], subject[160];
    const char *subjects[] = { subject, NULL };
    struct js_stream stream = {
        .name = name,
        .subjects = subjects,
        .max_age_ms = bucket->ttl_ms,
        .max_msgs_per_subject = bucket->history ? bucket->history : 1,
        .max_msg_size = bucket->max_value,
        .replicas = bucket->replicas,
        .allow_direct = 1,
        .allow_rollup = 1,
        .deny_delete = 1,
        .discard_new = 1,
    };

    /* As the other clients do: not longer than the values live. */
    stream.duplicate_window_ms = bucket->ttl_ms > 0 && bucket->ttl_ms < 120000 ? bucket->ttl_ms : 120000;
    snprintf(name, sizeof name, "KV_%s", bucket->name);
    snprintf(subject, sizeof subject, "$KV.%s.>", bucket->name);
    js_stream_ensure(b, &stream, fn, user);
}

static void fail_later(const struct broker_asker *asker, kanal_status status, const struct broker_in *in)
{
    (void)in;
    ((kv_value_fn *)asker->fn)(asker->user, status, kanal_str_of(NULL, 0), 0);
}

static struct call *call_new(struct broker *b, const char *bucket, kanal_str key, kv_value_fn *fn, void *user)
{
    struct broker_asker asker = { fail_later, (void (*)(void))fn, user };
    int valid = js_name_valid(kanal_str_c(bucket)) && kv_key_valid(key);
    struct call *c = valid ? calloc(1, sizeof *c) : NULL;

    if (!c) {
        broker_defer(b, &asker, valid ? KANAL_E_BUSY : KANAL_E_INVALID);
        return NULL;
    }
    c->broker = b;
    c->fn = fn;
    c->user = user;
    snprintf(c->stream, sizeof c->stream, "KV_%s", bucket);
    snprintf(c->subject, sizeof c->subject, "$KV.%s.%.*s", bucket, (int)key.len, key.ptr);
    return c;
}

static void done(struct call *c, kanal_status status, kanal_str value, uint64_t revision)
{
    c->fn(c->user, status, value, revision);
    if (c->value.data)
        explicit_bzero(c->value.data, c->value.capacity);
    kanal_buffer_release(&c->value);
    free(c);
}

int kv_is_removed(kanal_str operation)
{
    return kanal_str_is(operation, "DEL") || kanal_str_is(operation, "PURGE");
}

static void got(void *user, kanal_status status, const struct js_message *m)
{
    struct call *c = user;

    if (status == KANAL_OK && kv_is_removed(m->operation))
        done(c, KANAL_E_NOT_FOUND, kanal_str_of(NULL, 0), m->sequence);
    else if (status == KANAL_OK)
        done(c, KANAL_OK, m->payload.ptr ? m->payload : KANAL_LIT(""), m->sequence);
    else
        done(c, status, kanal_str_of(NULL, 0), 0);
}

void kv_get(struct broker *b, const char *bucket, kanal_str key, kv_value_fn *fn, void *user)
{
    struct call *c = call_new(b, bucket, key, fn, user);

    if (c)
        js_get_last(b, c->stream, kanal_str_c(c->subject), got, c);
}

/* ---- Writing ---- */

static void stored(void *user, kanal_status status, const struct js_ack *ack, kanal_str reason)
{
    (void)reason;
    done(user, status, kanal_str_of(NULL, 0), ack ? ack->sequence : 0);
}

static void put(struct call *c, uint64_t if_revision, js_ack_fn *fn)
{
    struct broker_out out = { .subject = kanal_str_c(c->subject), .payload = kanal_buffer_view(&c->value) };

    js_publish(c->broker, &out, kanal_str_of(NULL, 0), if_revision, 0, fn, c);
}

/* "Nothing may stand there": what stands there is looked at, and a delete marker is written over, at just
 * its revision. */
static void found_before(void *user, kanal_status status, const struct js_message *m)
{
    struct call *c = user;

    if (status == KANAL_OK && kv_is_removed(m->operation))
        put(c, m->sequence, stored);
    else if (status == KANAL_OK)
        done(c, KANAL_E_REJECTED, kanal_str_of(NULL, 0), m->sequence);
    else if (status == KANAL_E_NOT_FOUND)
        put(c, 0, stored); /* it has just expired */
    else
        done(c, status, kanal_str_of(NULL, 0), 0);
}

static void created(void *user, kanal_status status, const struct js_ack *ack, kanal_str reason)
{
    struct call *c = user;

    if (status == KANAL_E_REJECTED && kanal_str_starts(reason, "wrong last sequence"))
        js_get_last(c->broker, c->stream, kanal_str_c(c->subject), found_before, c);
    else
        stored(c, status, ack, reason);
}

void kv_put(struct broker *b, const char *bucket, kanal_str key, kanal_str value, uint64_t if_revision,
            kv_value_fn *fn, void *user)
{
    struct broker_asker asker = { fail_later, (void (*)(void))fn, user };
    struct call *c = call_new(b, bucket, key, fn, user);

    if (!c)
        return;
    kanal_buffer_str(&c->value, value);
    if (c->value.failed) {
        kanal_buffer_release(&c->value);
        free(c);
        broker_defer(b, &asker, KANAL_E_BUSY);
        return;
    }
    put(c, if_revision, if_revision == 0 ? created : stored);
}

void kv_delete(struct broker *b, const char *bucket, kanal_str key, uint64_t if_revision, kv_value_fn *fn,
               void *user)
{
    struct call *c = call_new(b, bucket, key, fn, user);
    kanal_field header = { KANAL_LIT("KV-Operation"), KANAL_LIT("DEL") };
    struct broker_out out = { .headers = &header, .header_count = 1 };

    if (!c)
        return;
    out.subject = kanal_str_c(c->subject);
    js_publish(b, &out, kanal_str_of(NULL, 0), if_revision, 0, stored, c);
}
