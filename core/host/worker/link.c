/* A worker's socket: frames of one turn are written at once, what comes is read in pieces. */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/worker/worker.h"

#define LINES_PER_SECOND 20u
#define LAZY_BYTES 1024u

/* ---- Writing ---- */

static void mark_dirty(struct worker *worker)
{
    struct workers *workers = worker->workers;
    if (worker->is_dirty)
        return;
    worker->is_dirty = 1;
    worker->next_dirty = workers->first_dirty;
    workers->first_dirty = worker;
}

static int append(struct kanal_channel *instance, enum wire_type type, const void *frame)
{
    struct worker *worker = instance->worker;
    struct area *area = worker->process ? &worker->process->got.area : NULL;
    int status = wire_put_large(&worker->out, area, type, instance->number, frame);
    if (status == KANAL_E_INTERNAL)
        worker_end(worker, "memory", "the gateway has no memory for its frames");
    if (status != 0)
        return status;
    worker->frames_out->value++;
    if (type != WIRE_DESTROY && type != WIRE_CREATE) { /* those are not told as run */
        instance->outstanding++;
    }
    worker->frames_sent++;
    return 0;
}

int worker_send(struct kanal_channel *instance, enum wire_type type, const void *frame)
{
    int status = append(instance, type, frame);
    if (status == 0)
        mark_dirty(instance->worker);
    return status;
}

int worker_send_lazily(struct kanal_channel *instance, enum wire_type type, const void *frame)
{
    int status = append(instance, type, frame);
    if (instance->worker->out.len > LAZY_BYTES)
        mark_dirty(instance->worker);
    return status;
}

static void on_socket(uv_poll_t *poll, int status, int events);

static void watch_socket(struct worker *worker, int events)
{
    if (!worker->poll || worker->poll_events == events)
        return;
    worker->poll_events = events;
    uv_poll_start(worker->poll, events, on_socket);
}

void worker_flush(struct worker *worker)
{
    struct kanal_buffer *out = &worker->out;
    if (worker->state != WORKER_UP || !worker->poll)
        return; /* the frames wait until the worker has said what it is */
    while (worker->out_sent < out->len) {
        ssize_t n = send(worker->process->socket, out->data + worker->out_sent, out->len - worker->out_sent,
                         MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break; /* full; or broken, which its end tells */
        worker->out_sent += (size_t)n;
    }
    worker->frames_flushed = worker->frames_sent; /* as soon as one of them is on its way */
    worker->process->sent.unreturned = 0;         /* and so are the answers to what stood aside */
    if (worker->out_sent == out->len) {
        worker->out_sent = 0;
        if (out->capacity > WORKER_OUT_MOST)
            kanal_buffer_release(out); /* of one large frame */
        else
            kanal_buffer_clear(out);
    } else if (worker->out_sent > out->len / 2) {
        memmove(out->data, out->data + worker->out_sent, out->len - worker->out_sent);
        out->len -= worker->out_sent;
        worker->out_sent = 0;
    }
    watch_socket(worker, UV_READABLE | (out->len > 0 ? UV_WRITABLE : 0));
}

/* ---- Back-pressure ---- */

void worker_unpark(struct worker *worker)
{
    if (worker->out.len - worker->out_sent >= WORKER_OUT_MOST / 2)
        return;
    for (struct kanal_channel **link = &worker->first_parked; *link;) {
        struct kanal_channel *instance = *link;
        if (instance->outstanding > WORKER_CALLS_MOST / 2) {
            link = &instance->next_parked;
            continue;
        }
        *link = instance->next_parked;
        instance->is_parked = 0;
        lane_resume(&instance->channel->lane);
    }
}

/* ---- Reading ---- */

/* What stood aside is read: the worker may write there again. */
static void tell_taken(struct worker *worker, const struct wire_frame *frame)
{
    struct wire_count taken = { frame->at };
    if (!frame->is_aside || !worker->poll)
        return;
    wire_put(&worker->out, WIRE_TAKEN, WIRE_NOBODY, &taken);
    mark_dirty(worker);
}

static void read_frames(struct worker *worker)
{
    struct wire_frame frame;
    int came = worker_process_read(worker->process), found = 0;
    worker->heard_ms = (int64_t)uv_now(worker->workers->host->loop);
    while (worker->poll && (found = worker_process_next(worker->process, &frame)) > 0) {
        worker->frames_in->value++;
        if (worker_receive(worker, &frame) == 0) {
            tell_taken(worker, &frame);
            continue;
        }
        worker_end(worker, "broken_frame", "it sent a broken frame of type %s", wire_name(frame.type));
        return;
    }
    if (!worker->poll)
        return; /* it was ended by one of the frames */
    process_forget_aside(worker->process);
    if (found == KANAL_E_INTERNAL)
        worker_end(worker, "memory", "the gateway has no memory for its frames");
    else if (found < 0)
        worker_end(worker, "broken_frame", "it sent what is no frame");
    else if (came < 0)
        worker_end(worker, NULL, "%s", "");
}

static void on_socket(uv_poll_t *poll, int status, int events)
{
    struct worker *worker = poll->data;
    if (status < 0 || (events & UV_READABLE))
        read_frames(worker);
    if (worker->poll && (events & UV_WRITABLE))
        worker_flush(worker);
    if (worker->first_parked)
        worker_unpark(worker);
}

/* ---- What it says on stderr ---- */

static void say_line(struct worker *worker)
{
    struct host *host = worker->workers->host;
    int64_t second = (int64_t)uv_now(host->loop) / 1000;
    if (second != worker->line_second) {
        if (worker->lines > LINES_PER_SECOND)
            log_write(host->log, KANAL_LOG_WARN, "worker", NULL,
                      "%u lines of plugin '%s' on stderr were dropped", worker->lines - LINES_PER_SECOND,
                      worker->plugin->descriptor.id);
        worker->line_second = second;
        worker->lines = 0;
    }
    if (worker->line_bytes > 0 && ++worker->lines <= LINES_PER_SECOND)
        log_write(host->log, KANAL_LOG_WARN, "worker", worker->owner ? worker->owner->id.ptr : NULL,
                  "plugin '%s' on stderr: %.*s", worker->plugin->descriptor.id, (int)worker->line_bytes,
                  worker->line);
    worker->line_bytes = 0;
}

static void on_errors(uv_poll_t *poll, int status, int events)
{
    struct worker *worker = poll->data;
    char bytes[4096];
    (void)events;
    ssize_t n = read(worker->process->errors, bytes, sizeof bytes);
    if (status < 0 || n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
        uv_poll_stop(poll); /* its end is told by the socket */
        return;
    }
    for (ssize_t i = 0; i < n; i++) {
        if (bytes[i] == '\n' || worker->line_bytes == sizeof worker->line)
            say_line(worker);
        if (bytes[i] != '\n')
            worker->line[worker->line_bytes++] = bytes[i];
    }
}

/* ---- To the loop and from it ---- */

static void on_closed(uv_handle_t *handle)
{
    free(handle);
}

static uv_poll_t *poll_new(struct worker *worker, int fd)
{
    uv_poll_t *poll = calloc(1, sizeof *poll);
    if (!poll || uv_poll_init(worker->workers->host->loop, poll, fd) != 0) {
        free(poll);
        return NULL;
    }
    poll->data = worker;
    return poll;
}

int worker_attach(struct worker *worker, struct worker_process *process)
{
    worker->process = process;
    worker->poll = poll_new(worker, process->socket);
    worker->errors = poll_new(worker, process->errors);
    worker->poll_events = 0;
    if (worker->errors)
        uv_poll_start(worker->errors, UV_READABLE, on_errors);
    if (!worker->poll)
        return KANAL_E_INTERNAL;
    watch_socket(worker, UV_READABLE);
    return 0;
}

void worker_detach(struct worker *worker)
{
    if (worker->errors && worker->process) {
        on_errors(worker->errors, 0, 0); /* its last words */
        say_line(worker);
    }
    if (worker->poll)
        uv_close((uv_handle_t *)worker->poll, on_closed);
    if (worker->errors)
        uv_close((uv_handle_t *)worker->errors, on_closed);
    worker->poll = worker->errors = NULL;
}
