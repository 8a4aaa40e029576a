/* The worker's socket: frames are read in pieces, run, and what they made is written in one go. */
#include "inside.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "kanal/sdk/str.h"

#define READ_BYTES (64u * 1024)
#define WRITE_EARLY (64u * 1024) /* in the middle of a batch: the core works on it meanwhile */
#define RAN_EARLY 64u            /* frames of a channel: a quarter of what the core lets be under way */
#define SLOW_NS (1000 * INT64_C(1000000))

/* A frame that was read, in its channel's queue. */
struct inside_todo {
    struct wire_frame frame;
    size_t next; /* of the channel, + 1 */
};

void inside_wake(struct inside *in)
{
    uint64_t one = 1;
    (void)!write(in->wake, &one, sizeof one); /* full means that it is awake */
}

/* ---- The page ---- */

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void show(const struct inside *in, uint32_t running, enum wire_type slot)
{
    struct worker_page *page = in->page;
    __atomic_store_n(&page->slot, (uint32_t)slot, __ATOMIC_RELAXED);
    __atomic_store_n(&page->running, running, __ATOMIC_RELAXED);
    __atomic_store_n(&page->calls, page->calls + 1, __ATOMIC_RELAXED);
}

void inside_enter(struct inside_channel *channel, enum wire_type slot)
{
    show(channel->inside, channel->number + 1, slot);
    channel->entered_ns = now_ns();
}

void inside_leave(struct inside_channel *channel, enum wire_type slot)
{
    int64_t took_ns = now_ns() - channel->entered_ns;
    show(channel->inside, 0, slot);
    if (took_ns <= SLOW_NS)
        return;
    char text[160];
    int n = snprintf(text, sizeof text, "%s() of plugin '%s' held its worker up for %lld ms", wire_name(slot),
                     channel->inside->plugin.id, (long long)(took_ns / 1000000));
    inside_log(channel, KANAL_LOG_WARN, kanal_str_of(text, (size_t)n));
}

/* ---- Writing ---- */

/* 1: all is written. The lock is held. */
static int write_some(struct inside *in)
{
    while (in->out_sent < in->out.len) {
        ssize_t n = send(in->socket, in->out.data + in->out_sent, in->out.len - in->out_sent,
                         MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK)
            in->is_over = 1;
        if (n <= 0)
            return 0;
        in->out_sent += (size_t)n;
    }
    in->out_sent = 0;
    if (in->out.capacity > 4 * READ_BYTES)
        kanal_buffer_release(&in->out); /* of one large frame */
    else
        kanal_buffer_clear(&in->out);
    return 1;
}

void inside_flush(struct inside *in)
{
    pthread_mutex_lock(&in->out_lock);
    write_some(in);
    pthread_mutex_unlock(&in->out_lock);
}

static size_t unwritten(struct inside *in)
{
    pthread_mutex_lock(&in->out_lock);
    size_t bytes = in->out.len - in->out_sent;
    pthread_mutex_unlock(&in->out_lock);
    return bytes;
}

/* The core reads whatever else it does, so this ends: a plugin that floods waits here, and no memory grows. */
static void wait_until_written(struct inside *in)
{
    while (!in->is_over && unwritten(in) > INSIDE_OUT_MOST / 2) {
        struct pollfd socket = { .fd = in->socket, .events = POLLOUT };
        poll(&socket, 1, -1);
        inside_flush(in);
    }
}

int inside_send(struct inside *in, enum wire_type type, const struct inside_channel *channel,
                const void *value)
{
    pthread_mutex_lock(&in->out_lock);
    unsigned aside = in->sent.count;
    int status = wire_put_large(&in->out, &in->sent, type, channel ? channel->number : WIRE_NOBODY, value);
    if (status == KANAL_E_INTERNAL)
        in->is_over = 1; /* half a frame may stand there: this worker has no memory left, and ends */
    size_t bytes = in->out.len - in->out_sent;
    if (bytes > WRITE_EARLY || in->sent.count > aside)
        write_some(in);
    pthread_mutex_unlock(&in->out_lock);
    if (bytes > INSIDE_OUT_MOST)
        wait_until_written(in);
    return status;
}

int inside_area_frame(struct inside *in, enum wire_type type, uint32_t number)
{
    uint32_t unused;
    int status = 0;
    pthread_mutex_lock(&in->out_lock);
    if (type == WIRE_TAKEN)
        status = area_give_back(&in->sent, number, &unused);
    else if (number > WORKER_AREA_BYTES_MOST || number % AREA_PAGE_BYTES != 0)
        status = -1;
    else
        in->sent.bytes = number;
    pthread_mutex_unlock(&in->out_lock);
    return status == 0 ? 0 : KANAL_E_INVALID;
}

/* ---- Reading ---- */

static void dispatch(struct inside *in, const struct wire_frame *frame)
{
    struct wire_count taken = { frame->at };
    if (in->is_over)
        return;
    if (inside_dispatch(in, frame) != 0) {
        fprintf(stderr, "kanal-worker: the core sent a broken frame of type %s\n", wire_name(frame->type));
        in->is_over = 1;
    } else if (frame->is_aside) {
        inside_send(in, WIRE_TAKEN, NULL, &taken);
    }
}

/* What stands aside is read where it stands: the core leaves it alone until it is told. */
static int look_up(const struct inside *in, struct wire_frame *frame)
{
    if (!frame->is_aside)
        return 0;
    if (!in->got || frame->body.len > WORKER_AREA_BYTES_MOST ||
        frame->at > WORKER_AREA_BYTES_MOST - frame->body.len)
        return -1;
    frame->body.ptr = in->got + frame->at;
    return 0;
}

/* What belongs to no living channel is done at once; the rest goes into the channel's queue. */
static int sort_frame(struct inside *in, const struct wire_frame *frame, size_t *count,
                      struct inside_channel ***last_ready)
{
    struct inside_channel *channel = inside_find(in, frame->channel);
    if (!channel) {
        dispatch(in, frame);
        return 0;
    }
    if (*count == in->todo_room) {
        size_t room = in->todo_room ? in->todo_room * 2 : 64;
        struct inside_todo *todo = realloc(in->todo, room * sizeof *todo);
        if (!todo)
            return -1;
        in->todo = todo;
        in->todo_room = room;
    }
    in->todo[(*count)++] = (struct inside_todo){ .frame = *frame };
    if (channel->last_todo) {
        in->todo[channel->last_todo - 1].next = *count;
    } else {
        channel->first_todo = *count;
        channel->next_ready = NULL;
        **last_ready = channel;
        *last_ready = &channel->next_ready;
    }
    channel->last_todo = *count;
    return 0;
}

/* One frame of each channel at a time: a busy one does not starve the others. */
static void run_round_robin(struct inside *in, struct inside_channel *first)
{
    struct inside_channel **last = &first;
    while (*last)
        last = &(*last)->next_ready;
    while (first && !in->is_over) {
        struct inside_channel *channel = first;
        struct wire_frame frame = in->todo[channel->first_todo - 1].frame;
        first = channel->next_ready;
        if (!first)
            last = &first;
        channel->first_todo = in->todo[channel->first_todo - 1].next;
        if (!channel->first_todo)
            channel->last_todo = 0;
        int has_more = channel->first_todo != 0;
        if (has_more) {
            channel->next_ready = NULL;
            *last = channel;
            last = &channel->next_ready;
        }
        dispatch(in, &frame); /* a DESTROY is always the last of its channel */
    }
}

/* All whole frames of the buffer; what is left over moves to its beginning. */
static void run_frames(struct inside *in)
{
    struct inside_channel *first = NULL, **last = &first;
    size_t used = 0, count = 0, needed = WIRE_HEADER_BYTES;
    for (;;) {
        struct wire_frame frame;
        int found =
            wire_next(kanal_str_of(in->in + used, in->in_bytes - used), WIRE_FROM_CORE, &frame, &needed);
        if (found < 0 || (found > 0 && look_up(in, &frame) != 0) ||
            (found > 0 && sort_frame(in, &frame, &count, &last) != 0))
            in->is_over = 1;
        if (found <= 0 || in->is_over)
            break;
        used += needed;
    }
    run_round_robin(in, first);
    in->in_bytes -= used;
    memmove(in->in, in->in + used, in->in_bytes);
    size_t room = needed > READ_BYTES ? needed : READ_BYTES;
    if (room > in->in_capacity || (in->in_capacity > READ_BYTES && room < in->in_capacity)) {
        char *more = realloc(in->in, room);
        if (!more) {
            in->is_over = room > in->in_capacity || in->is_over;
            return;
        }
        in->in = more;
        in->in_capacity = room;
    }
}

/* The core's limit of what a channel has under way rests on these. Few of them wait until something else is to be said. */
static void tell_ran(struct inside *in)
{
    struct inside_channel **link = &in->first_ran;
    int has_more_to_say = unwritten(in) > 0;
    while (*link) {
        struct inside_channel *channel = *link;
        if (channel->ran < RAN_EARLY && !has_more_to_say) {
            link = &channel->next_ran;
            continue;
        }
        struct wire_count ran = { channel->ran };
        *link = channel->next_ran;
        channel->has_ran = 0;
        channel->ran = 0;
        inside_send(in, WIRE_RAN, channel, &ran);
    }
}

static void read_some(struct inside *in)
{
    if (!in->in && !(in->in = malloc(in->in_capacity = READ_BYTES))) {
        in->is_over = 1;
        return;
    }
    ssize_t n = recv(in->socket, in->in + in->in_bytes, in->in_capacity - in->in_bytes, MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN && errno != EWOULDBLOCK))
        in->is_over = 1;
    if (n <= 0)
        return;
    in->in_bytes += (size_t)n;
    run_frames(in);
}

void inside_run(struct inside *in)
{
    while (!in->is_over) {
        size_t waiting = unwritten(in);
        short events = (short)((waiting < INSIDE_OUT_MOST ? POLLIN : 0) | (waiting > 0 ? POLLOUT : 0));
        struct pollfd fds[] = { { .fd = in->socket, .events = events },
                                { .fd = in->wake, .events = POLLIN } };
        if (poll(fds, 2, in->local ? 0 : -1) < 0 && errno != EINTR)
            break;
        if (fds[1].revents) {
            uint64_t count;
            (void)!read(in->wake, &count, sizeof count);
            inside_run_woken(in);
        }
        inside_run_local(in);
        if (fds[0].revents & (POLLIN | POLLHUP | POLLERR))
            read_some(in);
        tell_ran(in);
        inside_flush(in);
        __atomic_store_n(&in->page->frames, in->frames, __ATOMIC_RELEASE);
    }
}
