#include "inbound/spool/spool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define READ_BYTES (4u << 20)

struct append {
    struct append *next;
    struct spool_event *const *events;
    size_t count;
    uint64_t bytes;
    spool_done_fn *done;
    void *user;
};

struct removal {
    int64_t seq;
    const char *why; /* NULL: it is removed, else refused */
};

/* What goes to the other thread and comes back. */
struct job {
    struct append *appends;
    size_t event_count;
    struct removal *removals;
    size_t removal_count;
    int is_read;
    int64_t after;
    /* What came of it. */
    kanal_status appended, removed, has_read;
    struct spool_event *events[SPOOL_READ_MOST];
    size_t read_count, damaged;
    int64_t oldest_ms;
    char trouble[STORE_REASON_BYTES];
};

struct spool {
    uv_loop_t *loop;
    uv_idle_t idle; /* active: a job begins at the end of this turn */
    uv_work_t work;
    uv_sem_t worked;
    struct store *store;
    struct job job;
    int is_busy, is_closed, is_idle_over;
    uint64_t max_bytes, max_rows;
    uint64_t rows, bytes; /* on disk, and those that wait to be */
    int64_t oldest_ms;
    int is_full;
    char trouble[STORE_REASON_BYTES];
    struct append *first, **last;
    struct removal *removals; /* not on disk yet; those of the job stand first */
    size_t removal_count, removal_capacity;
    int is_removal_stuck; /* the disk did not take the last ones */
    spool_read_fn *read;  /* NULL: nobody reads */
    void *read_user;
    int64_t read_after;
};

/* ---- On the other thread ---- */

static kanal_status add_all(struct spool *s, struct job *job)
{
    struct spool_event **events = malloc(job->event_count * sizeof *events);
    size_t n = 0;
    if (!events) {
        snprintf(job->trouble, sizeof job->trouble, "out of memory");
        return KANAL_E_INTERNAL;
    }
    for (struct append *append = job->appends; append; append = append->next)
        for (size_t i = 0; i < append->count; i++)
            events[n++] = append->events[i];
    kanal_status status = store_add(s->store, events, n, job->trouble);
    free(events);
    return status;
}

static kanal_status remove_all(struct spool *s, struct job *job)
{
    int64_t *seqs = malloc(job->removal_count * sizeof *seqs);
    kanal_status status = seqs ? KANAL_OK : KANAL_E_INTERNAL;
    size_t n = 0;
    for (size_t i = 0; status == KANAL_OK && i < job->removal_count; i++)
        if (job->removals[i].why)
            status = store_refuse(s->store, job->removals[i].seq, job->removals[i].why, job->trouble);
        else
            seqs[n++] = job->removals[i].seq;
    if (status == KANAL_OK && n > 0)
        status = store_remove(s->store, seqs, n, job->trouble);
    free(seqs);
    return status;
}

static void work(struct spool *s)
{
    struct job *job = &s->job;
    /* Removing first: it makes room. */
    if (job->removal_count > 0)
        job->removed = remove_all(s, job);
    if (job->appends)
        job->appended = add_all(s, job);
    if (job->is_read)
        job->has_read = store_read(s->store, job->after, SPOOL_READ_MOST, READ_BYTES, job->events,
                                   &job->read_count, &job->damaged, job->trouble);
    job->oldest_ms = store_oldest(s->store);
    if (job->removal_count > 0 && job->oldest_ms == 0)
        store_trim(s->store);
}

static void on_work(uv_work_t *request)
{
    struct spool *s = request->data;
    work(s);
    uv_sem_post(&s->worked);
}

/* ---- Back in the loop ---- */

static int compare(const void *a, const void *b)
{
    int64_t x = ((const struct removal *)a)->seq, y = ((const struct removal *)b)->seq;
    return x < y ? -1 : x > y;
}

static void settle_removals(struct spool *s, struct job *job)
{
    /* Those that the disk did not take are tried again with the next job. */
    if (job->removal_count > 0 && job->removed == KANAL_OK) {
        s->removal_count -= job->removal_count;
        memmove(s->removals, s->removals + job->removal_count, s->removal_count * sizeof *s->removals);
    }
    free(job->removals);
}

/* How many of the events are on disk for the first time, and their bytes. */
static void count_new(const struct append *append, uint64_t *rows, uint64_t *bytes)
{
    for (size_t i = 0; i < append->count; i++)
        if (append->events[i]->seq != 0) {
            *rows += 1;
            *bytes += store_bytes_of(append->events[i]);
        }
}

static void settle_appends(struct spool *s, struct job *job)
{
    if (job->appends)
        s->is_full = job->appended == KANAL_E_BUSY;
    for (struct append *append = job->appends, *next; append; append = next) {
        uint64_t rows = 0, bytes = 0;
        next = append->next;
        if (job->appended == KANAL_OK)
            count_new(append, &rows, &bytes);
        s->rows -= append->count - rows;
        s->bytes -= append->bytes - bytes;
        append->done(append->user, job->appended);
        free(append);
    }
}

/* What is removed, and is so far only in memory, is not read again. */
static size_t drop_removed(struct spool *s, struct job *job)
{
    size_t n = 0;
    if (s->removal_count > 0)
        qsort(s->removals, s->removal_count, sizeof *s->removals, compare);
    for (size_t i = 0; i < job->read_count; i++) {
        struct removal key = { .seq = job->events[i]->seq };
        if (s->removal_count > 0 && bsearch(&key, s->removals, s->removal_count, sizeof key, compare))
            free(job->events[i]);
        else
            job->events[n++] = job->events[i];
    }
    return n;
}

static void settle_read(struct spool *s, struct job *job)
{
    spool_read_fn *read = s->read;
    struct spool_event *events[SPOOL_READ_MOST];
    size_t count = job->has_read == KANAL_OK ? drop_removed(s, job) : 0, damaged = job->damaged;
    s->read = NULL;
    s->rows -= damaged < s->rows ? damaged : s->rows;
    if (s->rows == 0)
        s->bytes = 0; /* what the damaged ones had is not known */
    memcpy(events, job->events, count * sizeof *events);
    read(s->read_user, job->has_read, events, count, damaged);
}

static void settle(struct spool *s)
{
    struct job job = s->job; /* whoever is told may ask again */
    s->is_busy = 0;
    s->oldest_ms = job.oldest_ms;
    s->is_removal_stuck = job.removed != KANAL_OK;
    /* A disk that can be read is not yet one that can be written. */
    if (job.trouble[0] || job.appends || job.removal_count > 0)
        snprintf(s->trouble, sizeof s->trouble, "%s", job.trouble);
    settle_removals(s, &job);
    settle_appends(s, &job);
    if (job.is_read)
        settle_read(s, &job);
}

static void take(struct spool *s)
{
    s->job = (struct job){ .appends = s->first, .is_read = s->read != NULL, .after = s->read_after };
    for (const struct append *append = s->first; append; append = append->next)
        s->job.event_count += append->count;
    s->first = NULL;
    s->last = &s->first;
    if (s->removal_count > 0 && (s->job.removals = malloc(s->removal_count * sizeof *s->removals))) {
        memcpy(s->job.removals, s->removals, s->removal_count * sizeof *s->removals);
        s->job.removal_count = s->removal_count;
    }
    s->is_busy = 1;
}

static void free_if_over(struct spool *s)
{
    if (!s->is_closed || s->is_busy || !s->is_idle_over)
        return;
    uv_sem_destroy(&s->worked);
    free(s->removals);
    free(s);
}

static void wake(struct spool *s);

static void after_work(uv_work_t *request, int status)
{
    struct spool *s = request->data;
    (void)status;
    if (s->is_closed) {
        s->is_busy = 0;
        free_if_over(s);
        return;
    }
    uv_sem_wait(&s->worked); /* was posted: the count is for spool_free() */
    settle(s);
    if (s->first || s->read || (s->removal_count > 0 && !s->is_removal_stuck))
        wake(s);
}

static void on_idle(uv_idle_t *idle)
{
    struct spool *s = idle->data;
    uv_idle_stop(idle);
    if (s->is_busy || s->is_closed)
        return;
    take(s);
    s->work.data = s;
    uv_queue_work(s->loop, &s->work, on_work, after_work);
}

/* An idle handle runs once whatever else this turn brings has been asked for, and keeps the loop from sleeping until then. */
static void wake(struct spool *s)
{
    if (!s->is_busy && !s->is_closed)
        uv_idle_start(&s->idle, on_idle);
}

/* ---- Asked for ---- */

int spool_append(struct spool *s, struct spool_event *const *events, size_t count, spool_done_fn *done,
                 void *user)
{
    struct append *append = malloc(sizeof *append);
    uint64_t bytes = 0;
    for (size_t i = 0; i < count; i++)
        bytes += store_bytes_of(events[i]);
    int is_full = s->rows + count > s->max_rows || s->bytes + bytes > s->max_bytes;
    if (!append || is_full) {
        s->is_full |= is_full;
        free(append);
        return KANAL_E_BUSY;
    }
    *append = (struct append){ .events = events, .count = count, .bytes = bytes, .done = done, .user = user };
    *s->last = append;
    s->last = &append->next;
    s->rows += count;
    s->bytes += bytes;
    wake(s);
    return KANAL_OK;
}

static void take_out(struct spool *s, const struct spool_event *event, const char *why)
{
    uint64_t bytes = store_bytes_of(event);
    if (s->removal_count == s->removal_capacity) {
        size_t capacity = s->removal_capacity ? s->removal_capacity * 2 : SPOOL_READ_MOST;
        struct removal *larger = realloc(s->removals, capacity * sizeof *larger);
        if (!larger)
            return; /* it stays, and is looked up when it is read again */
        s->removals = larger;
        s->removal_capacity = capacity;
    }
    s->is_full = 0;
    s->removals[s->removal_count++] = (struct removal){ event->seq, why };
    s->rows -= s->rows > 0;
    s->bytes -= bytes < s->bytes ? bytes : s->bytes;
    wake(s);
}

void spool_remove(struct spool *s, const struct spool_event *event)
{
    take_out(s, event, NULL);
}

void spool_refuse(struct spool *s, const struct spool_event *event, const char *why)
{
    take_out(s, event, why);
}

void spool_retry(struct spool *s)
{
    if (s->removal_count > 0)
        wake(s);
}

void spool_read(struct spool *s, int64_t after, spool_read_fn *read, void *user)
{
    s->read = read;
    s->read_user = user;
    s->read_after = after;
    wake(s);
}

void spool_state(const struct spool *s, struct spool_state *ret_state)
{
    *ret_state = (struct spool_state){ .rows = s->rows,
                                       .bytes = s->bytes,
                                       .oldest_ms = s->rows > 0 ? s->oldest_ms : 0,
                                       .is_full = s->is_full,
                                       .trouble = s->trouble };
}

int spool_each(struct spool *s, store_row_fn *fn, void *user)
{
    return store_each(s->store, fn, user);
}

/* ---- Life ---- */

int spool_new(struct spool **ret_spool, const struct spool_options *options, struct store_opened *ret_opened,
              char reason[STORE_REASON_BYTES])
{
    struct spool *s = calloc(1, sizeof *s);
    if (!s) {
        snprintf(reason, STORE_REASON_BYTES, "out of memory");
        return KANAL_E_INTERNAL;
    }
    int status = store_open(&s->store, options->directory, options->max_bytes * 2, ret_opened, reason);
    if (status != 0) {
        free(s);
        return status;
    }
    s->loop = options->loop;
    s->max_bytes = options->max_bytes;
    s->max_rows = options->max_rows;
    s->rows = ret_opened->size.rows;
    s->bytes = ret_opened->size.bytes;
    s->oldest_ms = ret_opened->size.oldest_ms;
    s->last = &s->first;
    uv_sem_init(&s->worked, 0);
    uv_idle_init(s->loop, &s->idle);
    s->idle.data = s;
    *ret_spool = s;
    return 0;
}

static void on_idle_closed(uv_handle_t *handle)
{
    struct spool *s = handle->data;
    s->is_idle_over = 1;
    free_if_over(s);
}

static void no_read(void *user, kanal_status status, struct spool_event **events, size_t count,
                    size_t damaged)
{
    (void)user, (void)status, (void)damaged;
    for (size_t i = 0; i < count; i++)
        free(events[i]);
}

void spool_free(struct spool *s)
{
    if (!s)
        return;
    int was_busy = s->is_busy;
    s->read = s->read ? no_read : NULL; /* whoever reads is gone */
    if (was_busy) {
        /* One that waits for a thread is done here. */
        if (uv_cancel((uv_req_t *)&s->work) == 0)
            work(s);
        else
            uv_sem_wait(&s->worked);
        settle(s);
    }
    if (s->first || s->removal_count > 0) {
        take(s);
        s->job.is_read = 0;
        work(s);
        settle(s);
    }
    store_close(s->store);
    s->is_closed = 1;
    s->is_busy = was_busy; /* after_work() is still to come */
    uv_close((uv_handle_t *)&s->idle, on_idle_closed);
}
