#include "find.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "api.h"
#include "kanal/sdk/str.h"

#define NEAR 8u /* sequence numbers: nearer than this is walked */

struct find {
    struct broker *broker;
    js_find_fn *fn;
    void *user;
    int64_t since_ms, until_ms;
    uint64_t low;  /* a message of the subject that is too old stands here or before … */
    uint64_t high; /* … and one that is young enough here */
    uint64_t
        last; /* the subject's last message when it began: what came since is what the window remembers */
    uint32_t requests, walked, most;
    char stream[160];
    size_t subject_len, id_len;
    char text[]; /* the subject, then the id */
};

static void next(struct find *f, uint64_t sequence, js_message_fn *fn)
{
    f->requests++;
    js_get_next(f->broker, f->stream, kanal_str_of(f->text, f->subject_len), sequence, fn, f);
}

static void done(struct find *f, kanal_status status)
{
    f->fn(f->user, status, f->requests);
    free(f);
}

static int is_it(const struct find *f, const struct js_message *message)
{
    return kanal_str_equal(message->msg_id, kanal_str_of(f->text + f->subject_len, f->id_len));
}

/* ---- Every message, from a place on ---- */

static void walked(void *user, kanal_status status, const struct js_message *message)
{
    struct find *f = user;

    if (status != KANAL_OK)
        done(f, status); /* none left: not found */
    else if (is_it(f, message))
        done(f, KANAL_OK);
    else if (message->sequence >= f->last || message->time_ms > f->until_ms)
        done(f, KANAL_E_NOT_FOUND);
    else if (++f->walked >= f->most)
        done(f, KANAL_E_TOO_LARGE);
    else
        next(f, message->sequence + 1, walked);
}

/* ---- Where to begin ---- */

static void halve(struct find *f);

static void halved(void *user, kanal_status status, const struct js_message *message)
{
    struct find *f = user;

    if (status != KANAL_OK) {
        done(f, status);
    } else if (is_it(f, message)) {
        done(f, KANAL_OK);
    } else {
        /* The message asked for stands at `middle` or behind it, up to `high`. */
        uint64_t middle = f->low + (f->high - f->low) / 2;
        if (message->time_ms < f->since_ms)
            f->low = message->sequence;
        else
            f->high = middle; /* nothing of the subject between the two */
        halve(f);
    }
}

static void halve(struct find *f)
{
    if (f->high - f->low <= NEAR)
        next(f, f->low + 1, walked);
    else
        next(f, f->low + (f->high - f->low) / 2, halved);
}

static void got_first(void *user, kanal_status status, const struct js_message *message)
{
    struct find *f = user;

    if (status != KANAL_OK) {
        done(f, status);
    } else if (message->time_ms >= f->since_ms) {
        walked(f, status, message);
    } else {
        f->low = message->sequence;
        halve(f);
    }
}

static void got_last(void *user, kanal_status status, const struct js_message *message)
{
    struct find *f = user;

    if (status != KANAL_OK) {
        done(f, status);
    } else if (is_it(f, message)) {
        done(f, KANAL_OK);
    } else if (message->time_ms < f->since_ms) {
        done(f, KANAL_E_NOT_FOUND);
    } else {
        f->last = f->high = message->sequence;
        next(f, 1, got_first);
    }
}

static void fail_later(const struct broker_asker *asker, kanal_status status, const struct broker_in *in)
{
    (void)in;
    ((js_find_fn *)asker->fn)(asker->user, status, 0);
}

void js_find(struct broker *b, const struct js_find *what, js_find_fn *fn, void *user)
{
    struct broker_asker asker = { fail_later, (void (*)(void))fn, user };
    struct find *f = calloc(1, sizeof *f + what->subject.len + what->msg_id.len + 1);

    if (!f) {
        broker_defer(b, &asker, KANAL_E_BUSY);
        return;
    }
    f->broker = b;
    f->fn = fn;
    f->user = user;
    f->since_ms = what->since_ms;
    f->until_ms = what->until_ms ? what->until_ms : INT64_MAX;
    f->most = what->most ? what->most : JS_FIND_MOST;
    snprintf(f->stream, sizeof f->stream, "%s", what->stream);
    f->subject_len = what->subject.len;
    f->id_len = what->msg_id.len;
    if (what->subject.len > 0)
        memcpy(f->text, what->subject.ptr, what->subject.len);
    if (what->msg_id.len > 0)
        memcpy(f->text + f->subject_len, what->msg_id.ptr, what->msg_id.len);
    f->requests++;
    js_get_last(b, f->stream, kanal_str_of(f->text, f->subject_len), got_last, f);
}
