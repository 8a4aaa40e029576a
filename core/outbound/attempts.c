#include "outbound/attempts.h"

#include <stdio.h>

#define STORE_TIMEOUT_MS 5000u
#define BATCH_BYTES_MAX (64u * 1024)
#define FORMER_SLOTS 1024u

struct waiter {
    struct job *job; /* NULL: it is gone */
    published_fn *done;
};

/* What one message of the log says. */
struct attempt_batch {
    struct attempt_batch *next;
    struct attempts *attempts; /* NULL: freed; whoever waits is gone */
    uint64_t sequence;         /* 0: not stored yet */
    size_t open;               /* commands that need what stands from here on */
    struct waiter *waiters;
    size_t count, capacity;
};

/* What the former holder knew of one part. */
struct former {
    struct former *next;
    char key[ID_LEN + 1];
    uint32_t part, number;
    int is_sent;
    char external_id[]; /* NUL-ended */
};

struct attempts {
    struct shard *shard;
    char subject[64];
    struct kanal_buffer text; /* being written */
    struct kanal_json json;
    struct attempt_batch *writing;
    struct attempt_batch *first, **last; /* sent, and the one being written */
    struct attempt_batch old;            /* everything that stood there at the takeover */
    struct former *formers[FORMER_SLOTS];
    size_t former_count;
    uint64_t read, purged;
    published_fn *read_done;
    void *read_user;
    int *alive; /* 0 when freed, for the reading that is under way */
};

struct attempts *attempts_new(struct shard *shard)
{
    struct attempts *a = calloc(1, sizeof *a);
    if (!a)
        return NULL;
    a->shard = shard;
    a->last = &a->first;
    snprintf(a->subject, sizeof a->subject, "%s.attempts.%u", shard->outbound->prefix, shard->index);
    return a;
}

static void batch_free(struct attempt_batch *batch)
{
    free(batch->waiters);
    free(batch);
}

static void tell(struct attempt_batch *batch, kanal_status status)
{
    struct waiter *waiters = batch->waiters;
    size_t count = batch->count;
    batch->waiters = NULL;
    batch->count = batch->capacity = 0;
    for (size_t i = 0; i < count; i++)
        if (waiters[i].job)
            waiters[i].done(waiters[i].job, status);
    free(waiters);
}

static struct former **former_slot(struct attempts *a, const char *key)
{
    uint32_t hash = 2166136261u;
    for (const char *c = key; *c; c++)
        hash = (hash ^ (unsigned char)*c) * 16777619u;
    return &a->formers[hash % FORMER_SLOTS];
}

static void formers_free(struct attempts *a)
{
    for (size_t i = 0; i < FORMER_SLOTS; i++)
        while (a->formers[i]) {
            struct former *former = a->formers[i];
            a->formers[i] = former->next;
            free(former);
        }
    a->former_count = 0;
}

void attempts_free(struct attempts *a)
{
    if (!a)
        return;
    for (struct attempt_batch *batch = a->first, *next; batch; batch = next) {
        next = batch->next;
        batch->attempts = NULL;
        tell(batch, KANAL_E_CANCELLED);
        if (batch == a->writing || batch->sequence > 0)
            batch_free(batch); /* else its answer frees it */
    }
    if (a->alive)
        *a->alive = 0;
    formers_free(a);
    kanal_buffer_release(&a->text);
    free(a);
}

/* ---- Writing ---- */

static void on_stored(void *user, kanal_status status, const struct js_ack *ack, kanal_str reason)
{
    struct attempt_batch *batch = user;
    (void)reason;
    if (!batch->attempts) {
        batch_free(batch);
        return;
    }
    /* One that could not be stored keeps its place in the row: nothing after it is purged before those that need it have ended. */
    batch->sequence = ack ? ack->sequence : 1;
    if (status == KANAL_E_REJECTED)
        status = KANAL_E_NETWORK;
    tell(batch, status);
}

void attempts_flush(struct attempts *a)
{
    struct attempt_batch *batch = a->writing;
    if (!batch)
        return;
    a->writing = NULL;
    kanal_json_array_end(&a->json);
    struct broker_out out = { .subject = kanal_str_c(a->subject), .payload = kanal_buffer_view(&a->text) };
    js_publish(a->shard->outbound->broker, &out, (kanal_str){ 0 }, JS_ANY_SEQUENCE, STORE_TIMEOUT_MS,
               on_stored, batch);
    kanal_buffer_clear(&a->text);
}

int attempts_settled(const struct attempts *a)
{
    for (const struct attempt_batch *batch = a ? a->first : NULL; batch; batch = batch->next)
        if (batch == a->writing || batch->sequence == 0)
            return 0;
    return 1;
}

static struct attempt_batch *batch_to_write(struct attempts *a)
{
    if (a->writing && a->text.len > BATCH_BYTES_MAX)
        attempts_flush(a);
    if (a->writing)
        return a->writing;
    struct attempt_batch *batch = calloc(1, sizeof *batch);
    if (!batch)
        return NULL;
    batch->attempts = a;
    *a->last = batch;
    a->last = &batch->next;
    kanal_json_init(&a->json, &a->text);
    kanal_json_array(&a->json);
    return a->writing = batch;
}

static int wait_for(struct attempt_batch *batch, struct job *job, published_fn *done)
{
    if (batch->count == batch->capacity) {
        size_t capacity = batch->capacity ? batch->capacity * 2 : 16;
        struct waiter *waiters = realloc(batch->waiters, capacity * sizeof *waiters);
        if (!waiters)
            return -1;
        batch->waiters = waiters;
        batch->capacity = capacity;
    }
    batch->waiters[batch->count++] = (struct waiter){ job, done };
    return 0;
}

static void write_entry(struct attempts *a, const struct job *job, const char *what, kanal_str external_id)
{
    kanal_json_array(&a->json);
    kanal_json_str(&a->json, kanal_str_c(job->key.text));
    kanal_json_int(&a->json, job->part);
    kanal_json_int(&a->json, job->attempt);
    kanal_json_str(&a->json, kanal_str_c(what));
    if (external_id.len > 0)
        kanal_json_str(&a->json, external_id);
    kanal_json_array_end(&a->json);
}

static void hold(struct job *job, struct attempt_batch *batch)
{
    if (job->recorded)
        return; /* what is older is kept, and so is this */
    job->recorded = batch;
    batch->open++;
}

static void on_start(void *user, kanal_status status)
{
    job_recorded(user, status);
}

int attempts_start(struct attempts *a, struct job *job)
{
    struct attempt_batch *batch = batch_to_write(a);
    if (!batch || wait_for(batch, job, on_start) != 0)
        return KANAL_E_BUSY;
    hold(job, batch);
    write_entry(a, job, "start", (kanal_str){ 0 });
    return 0;
}

void attempts_end(struct attempts *a, struct job *job)
{
    if (!job->recorded)
        return;
    if (batch_to_write(a))
        write_entry(a, job, "end", (kanal_str){ 0 });
    if (job->part <= 1)
        attempts_release(job); /* nothing of it was sent */
}

void attempts_sent(struct attempts *a, struct job *job, kanal_str external_id, published_fn *done)
{
    struct attempt_batch *batch = batch_to_write(a);
    if (!batch || wait_for(batch, job, done) != 0) {
        done(job, KANAL_E_BUSY);
        return;
    }
    hold(job, batch);
    write_entry(a, job, "sent", external_id);
}

void attempts_forget(struct attempts *a, struct job *job)
{
    for (struct attempt_batch *batch = a->first; batch; batch = batch->next)
        for (size_t i = 0; i < batch->count; i++)
            if (batch->waiters[i].job == job)
                batch->waiters[i].job = NULL;
}

void attempts_release(struct job *job)
{
    if (job->recorded)
        job->recorded->open--;
    job->recorded = NULL;
}

/* ---- Reading what the former holder left ---- */

static void note(struct attempts *a, yyjson_val *entry)
{
    kanal_str key = kanal_json_text(yyjson_arr_get(entry, 0));
    kanal_str what = kanal_json_text(yyjson_arr_get(entry, 3));
    kanal_str external_id = kanal_json_text(yyjson_arr_get(entry, 4));
    uint32_t part = (uint32_t)yyjson_get_uint(yyjson_arr_get(entry, 1));
    if (key.len == 0 || key.len > ID_LEN || memchr(key.ptr, 0, key.len) || external_id.len > 1024)
        return;
    char text[ID_LEN + 1] = "";
    memcpy(text, key.ptr, key.len);
    struct former **slot = former_slot(a, text);
    for (struct former **link = slot; *link; link = &(*link)->next)
        if ((*link)->part == part && strcmp((*link)->key, text) == 0) {
            struct former *old = *link;
            *link = old->next;
            free(old);
            a->former_count--;
            break;
        }
    if (kanal_str_is(what, "end"))
        return;
    struct former *former = calloc(1, sizeof *former + external_id.len + 1);
    if (!former)
        return;
    memcpy(former->key, text, sizeof text);
    former->part = part;
    former->number = (uint32_t)yyjson_get_uint(yyjson_arr_get(entry, 2));
    former->is_sent = kanal_str_is(what, "sent");
    if (external_id.len > 0)
        memcpy(former->external_id, external_id.ptr, external_id.len);
    former->next = *slot;
    *slot = former;
    a->former_count++;
}

/* A reading under way, which may outlive the shard's being ours. */
struct reading {
    struct attempts *attempts;
    int is_alive;
};

static void read_next(struct reading *reading);

static void finish(struct reading *reading, kanal_status status)
{
    struct attempts *a = reading->attempts;
    a->alive = NULL;
    free(reading);
    if (a->former_count > 0)
        a->old.open = 1; /* until everything that stood there has come */
    a->read_done(a->read_user, status);
}

static void on_entry(void *user, kanal_status status, const struct js_message *m)
{
    struct reading *reading = user;
    if (!reading->is_alive) {
        free(reading);
        return;
    }
    struct attempts *a = reading->attempts;
    if (status != KANAL_OK) {
        finish(reading, status == KANAL_E_NOT_FOUND ? KANAL_OK : status);
        return;
    }
    yyjson_doc *doc = kanal_json_parse(m->payload);
    yyjson_val *root = yyjson_doc_get_root(doc), *entry;
    size_t index, max;
    yyjson_arr_foreach (root, index, max, entry)
        note(a, entry);
    yyjson_doc_free(doc);
    a->read = m->sequence;
    read_next(reading);
}

static void read_next(struct reading *reading)
{
    struct attempts *a = reading->attempts;
    struct outbound *o = a->shard->outbound;
    js_get_next(o->broker, o->attempts_stream, kanal_str_c(a->subject), a->read + 1, on_entry, reading);
}

void attempts_read(struct attempts *a, published_fn *read, void *user)
{
    struct reading *reading = malloc(sizeof *reading);
    if (!reading) {
        read(user, KANAL_E_BUSY);
        return;
    }
    *reading = (struct reading){ .attempts = a, .is_alive = 1 };
    a->alive = &reading->is_alive;
    a->read_done = read;
    a->read_user = user;
    read_next(reading);
}

void attempts_recall(struct attempts *a, struct job *job)
{
    const struct former *newest = NULL;
    if (a->former_count == 0)
        return;
    for (const struct former *former = *former_slot(a, job->key.text); former; former = former->next)
        if (strcmp(former->key, job->key.text) == 0 && (!newest || former->part > newest->part))
            newest = former;
    if (!newest || newest->part == 0 || newest->part > (job->parts > 0 ? job->parts : 1))
        return;
    job->part = newest->part;
    job->attempt = newest->number;
    job->recalled = newest->is_sent ? RECALL_SENT : RECALL_STARTED;
    kanal_buffer_clear(&job->external_id);
    kanal_buffer_text(&job->external_id, newest->external_id);
    hold(job, &a->old);
}

/* ---- Purging ---- */

static void on_purged(void *user, kanal_status status, kanal_str reason)
{
    (void)user, (void)status, (void)reason;
}

static void purge_before(struct attempts *a, uint64_t sequence)
{
    struct outbound *o = a->shard->outbound;
    if (sequence <= a->purged + 1)
        return;
    /* What could not be purged is, the next time. */
    js_purge_before(o->broker, o->attempts_stream, a->subject, sequence, on_purged, NULL);
    a->purged = sequence - 1;
}

void attempts_purge(struct attempts *a, int caught_up)
{
    if (caught_up && a->former_count > 0) {
        formers_free(a); /* of commands that were done with */
        a->old.open--;
    }
    if (a->old.open > 0)
        return;
    uint64_t newest = a->read;
    while (a->first && a->first != a->writing && a->first->sequence > 0 && a->first->open == 0) {
        struct attempt_batch *batch = a->first;
        newest = batch->sequence > newest ? batch->sequence : newest;
        a->first = batch->next;
        if (!a->first)
            a->last = &a->first;
        batch_free(batch);
    }
    purge_before(a, newest + 1);
}
