#include "outbound/reader.h"

#include "ops/log.h"

static void make(struct reader *r);

static void on_error(void *user, kanal_str reason)
{
    struct reader *r = user;
    log_write(r->log, KANAL_LOG_WARN, r->area, NULL, "%s cannot be read: %.*s (tried again)",
              r->consumer.durable, (int)reason.len, reason.ptr ? reason.ptr : "");
}

static void on_gone(void *user)
{
    struct reader *r = user;
    log_write(r->log, KANAL_LOG_WARN, r->area, NULL, "the consumer %s is gone: it is made again",
              r->consumer.durable);
    r->broken(r->user);
}

/* The consumer counts what it gives. One that did not come went into a connection that broke, and would come again behind later ones. */
static void on_message(void *user, const struct js_delivered *delivered)
{
    struct reader *r = user;
    if (delivered->consumer_sequence > r->sequence + 1) {
        r->broken(r->user);
        return;
    }
    r->sequence = delivered->consumer_sequence;
    r->message(r->user, delivered);
}

static void pull(struct reader *r)
{
    struct js_pull_options options = { .stream = r->consumer.stream,
                                       .durable = r->consumer.durable,
                                       .batch = 256,
                                       .window = r->window,
                                       .ack_none = r->consumer.ack_none,
                                       .known = 1,
                                       .gone = on_gone };
    r->sequence = 0;
    r->told = KANAL_OK;
    if (js_pull_start(r->broker, &options, on_message, on_error, r, &r->pull) != 0)
        r->is_unmade = 1;
    else if (r->is_paused)
        js_pull_pause(r->pull);
}

/* 1: go on with the answer. */
static int answered(struct reader *r, kanal_status status, kanal_str reason)
{
    r->is_asking = 0;
    if (!r->is_on)
        return 0;
    if (r->is_outdated) {
        make(r);
        return 0;
    }
    if (status == KANAL_OK)
        return 1;
    r->is_unmade = 1;
    if (status == KANAL_E_REJECTED)
        r->is_deleted = 0; /* another configuration: of another version */
    if (status != r->told)
        log_write(r->log, KANAL_LOG_ERROR, r->area, NULL,
                  "the consumer %s cannot be made: %.*s (status %d; tried again)", r->consumer.durable,
                  (int)reason.len, reason.ptr ? reason.ptr : "", status);
    r->told = status;
    return 0;
}

static void on_made(void *user, kanal_status status, kanal_str reason)
{
    struct reader *r = user;
    if (answered(r, status, reason))
        pull(r);
}

static void on_deleted(void *user, kanal_status status, kanal_str reason)
{
    struct reader *r = user;
    if (!answered(r, status == KANAL_E_NOT_FOUND ? KANAL_OK : status, reason))
        return;
    r->is_deleted = 1;
    make(r);
}

/* One request at a time: a deletion that is under way could come after the making. */
static void make(struct reader *r)
{
    r->is_unmade = 0; /* until the answer */
    r->is_outdated = r->is_asking;
    if (r->is_asking)
        return;
    r->is_asking = 1;
    if (r->is_deleted)
        js_consumer_ensure(r->broker, &r->consumer, 0, on_made, r);
    else
        js_consumer_delete(r->broker, r->consumer.stream, r->consumer.durable, on_deleted, r);
}

void reader_start(struct reader *r)
{
    reader_stop(r);
    r->is_on = 1;
    make(r);
}

void reader_stop(struct reader *r)
{
    js_pull_stop(r->pull);
    r->pull = NULL;
    r->is_on = r->is_paused = r->is_deleted = r->is_unmade = 0;
    r->is_outdated = r->is_asking;
}

void reader_pause(struct reader *r, int is_paused)
{
    r->is_paused = is_paused;
    if (r->pull)
        (is_paused ? js_pull_pause : js_pull_resume)(r->pull);
}

void reader_tick(struct reader *r)
{
    if (r->is_on && r->is_unmade)
        make(r);
}
