#include "site.h"
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "http/server_private.h"
#include "kanal/sdk/str.h"
#include "wire.h"

/* ---- Answers in pieces ------------------------------------------------------------------------------------------------
 *
 *   /stream/length  10 pieces of 1,000 bytes, length told     /stream/chunked  … not told
 *   /stream/broken  the same as length, broken off at half    /stream/short    ends well, but with too few bytes
 *   /stream/cut     as chunked, broken off at half            /stream/empty    length 0
 *   /stream/slow    a piece each 20 ms                        /stream/endless  16 MiB as fast as it is taken
 *   /stream/stall   one byte, then nothing                    /stream/complete all bytes at once, the end 100 ms later */

struct source {
    struct site *site;
    struct http_exchange *exchange;
    uv_timer_t timer;
    kanal_str kind;
    uint64_t written, total;
    int is_over, is_paused;
};

static const char piece_bytes[16 * 1024] = "piece";

static void source_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void source_over(struct source *o)
{
    if (o->is_over)
        return;
    o->is_over = 1;
    uv_close((uv_handle_t *)&o->timer, source_closed);
}

static void source_end(struct source *o, int ok)
{
    http_stream_end(o->exchange, ok);
    source_over(o);
}

static size_t source_write(struct source *o, size_t len)
{
    o->written += len;
    atomic_fetch_add(&o->site->streamed, len);
    return http_stream_write(o->exchange, kanal_str_of(piece_bytes, len));
}

static void source_fast(struct source *o)
{
    while (!o->is_paused && o->written < 16 * 1024 * 1024)
        o->is_paused = source_write(o, sizeof piece_bytes) > 256 * 1024;
    if (!o->is_paused)
        source_end(o, 1);
}

static void source_go(struct source *o)
{
    int breaks = kanal_str_is(o->kind, "broken") || kanal_str_is(o->kind, "cut");

    if (kanal_str_is(o->kind, "endless")) {
        source_fast(o);
        return;
    }
    if (kanal_str_is(o->kind, "stall")) {
        if (o->written == 0)
            source_write(o, 1);
        return;
    }
    if (kanal_str_is(o->kind, "complete")) {
        if (o->written == 0)
            source_write(o, 10000);
        else
            source_end(o, 1);
        return;
    }
    while (o->written < o->total) {
        source_write(o, 1000);
        if (breaks && o->written >= o->total / 2) {
            source_end(o, 0);
            return;
        }
        if (kanal_str_is(o->kind, "slow"))
            return;
    }
    source_end(o, 1);
}

static void source_tick(uv_timer_t *timer)
{
    source_go(timer->data);
}

static void source_resume(void *user, struct http_exchange *x)
{
    struct source *o = user;

    (void)x;
    atomic_fetch_add(&o->site->stream_resumed, 1);
    o->is_paused = 0;
    source_go(o);
}

static void source_gone(void *user, struct http_exchange *x)
{
    struct source *o = user;

    (void)x;
    atomic_fetch_add(&o->site->stream_gone, 1);
    source_over(o);
}

static void start_stream(struct site *s, struct http_exchange *x, kanal_str kind)
{
    static const struct http_stream_events events = { source_resume, source_gone };
    static const kanal_field type = { { "content-type", 12 }, { "image/png", 9 } };
    struct source *o = calloc(1, sizeof *o);
    uint64_t length = UINT64_MAX;

    cr_assert(o);
    o->site = s;
    o->exchange = x;
    o->total = kanal_str_is(kind, "empty") ? 0 : kanal_str_is(kind, "short") ? 9000 : 10000;
    if (kanal_str_is(kind, "length") || kanal_str_is(kind, "broken") || kanal_str_is(kind, "short") ||
        kanal_str_is(kind, "complete"))
        length = 10000;
    else if (kanal_str_is(kind, "empty"))
        length = 0;
    /* The exchange's views do not outlive it, and the source may. */
    o->kind = kanal_str_c(kanal_str_is(kind, "length")     ? "length"
                          : kanal_str_is(kind, "broken")   ? "broken"
                          : kanal_str_is(kind, "short")    ? "short"
                          : kanal_str_is(kind, "cut")      ? "cut"
                          : kanal_str_is(kind, "empty")    ? "empty"
                          : kanal_str_is(kind, "slow")     ? "slow"
                          : kanal_str_is(kind, "endless")  ? "endless"
                          : kanal_str_is(kind, "stall")    ? "stall"
                          : kanal_str_is(kind, "complete") ? "complete"
                                                           : "chunked");
    uv_timer_init(&s->loop, &o->timer);
    o->timer.data = o;
    http_stream(x, 200, &type, 1, length, &events, o);
    uv_timer_start(&o->timer, source_tick, 0, kanal_str_is(o->kind, "complete") ? 100 : 20);
}

/* ---- WebSocket -------------------------------------------------------------------------------------------------------------
 *
 * Sends each message back. Of texts: "close NNNN" closes with that code and the reason "bye"; "flood" sends 32 MiB in pieces
 * of 64 KiB until it is refused; "mute" has nothing sent back. */

static void socket_open(void *user, struct http_socket *socket)
{
    struct site *s = user;

    s->socket = socket;
    atomic_fetch_add(&s->opened, 1);
}

static void socket_flood(struct http_socket *socket)
{
    static char block[65536];
    int status = 0;

    for (int i = 0; i < 512 && status == 0; i++)
        status = http_socket_send(socket, 0, kanal_str_of(block, sizeof block));
    cr_expect_eq(status, KANAL_E_BUSY);
    cr_expect_eq(http_socket_send(socket, 1, KANAL_LIT("more")), KANAL_E_NOT_FOUND);
}

static void socket_message(void *user, struct http_socket *socket, int is_text, kanal_str message)
{
    struct site *s = user;
    int64_t code;

    atomic_fetch_add(&s->messages, 1);
    if (is_text && kanal_str_starts(message, "close ")) {
        cr_assert(kanal_str_int(kanal_str_from(message, 6), &code) == 0);
        http_socket_close(socket, (uint16_t)code, KANAL_LIT("bye"));
    } else if (is_text && kanal_str_is(message, "flood")) {
        socket_flood(socket);
    } else if (!is_text || !kanal_str_is(message, "mute")) {
        http_socket_send(socket, is_text, message);
    }
}

static void socket_close(void *user, struct http_socket *socket, uint16_t code, kanal_str reason)
{
    struct site *s = user;

    if (s->socket == socket)
        s->socket = NULL;
    memcpy(s->close_reason, reason.ptr, reason.len);
    s->close_reason[reason.len] = '\0';
    atomic_store(&s->close_code, code);
    atomic_fetch_add(&s->closed, 1);
}

/* ---- The handler ------------------------------------------------------------------------------------------------------------- */

static int64_t begin(void *user, struct http_exchange *x, const struct http_request *r)
{
    struct site *s = user;

    atomic_fetch_add(&s->begun, 1);
    http_exchange_set_user(x, s);
    if (kanal_str_is(r->path, "/refuse")) {
        http_respond(x, 401, NULL, 0, KANAL_LIT("refused"));
        http_respond(x, 500, NULL, 0, KANAL_LIT("a second answer must not count"));
        return -1;
    }
    if (kanal_str_is(r->path, "/mute"))
        return -1;
    return kanal_str_is(r->path, "/small") ? 100 : 4 * 1024 * 1024;
}

static void line(struct kanal_buffer *out, const char *name, kanal_str value)
{
    kanal_buffer_text(out, name);
    kanal_buffer_byte(out, '=');
    kanal_buffer_str(out, value);
    kanal_buffer_byte(out, '\n');
}

static void echo(struct http_exchange *x, const struct http_request *r)
{
    struct kanal_buffer out = { 0 };

    line(&out, "method", r->method);
    line(&out, "target", r->target);
    line(&out, "path", r->path);
    line(&out, "query", r->query);
    line(&out, "remote", r->remote);
    for (size_t i = 0; i < r->header_count; i++) {
        kanal_buffer_text(&out, "header ");
        kanal_buffer_str(&out, r->headers[i].name);
        line(&out, "", r->headers[i].value);
    }
    line(&out, "body", r->body);
    http_respond(x, 200, NULL, 0, kanal_buffer_view(&out));
    kanal_buffer_release(&out);
}

struct later {
    uv_timer_t timer;
    struct http_exchange *exchange;
};

static void later_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void later_fires(uv_timer_t *timer)
{
    struct later *l = timer->data;

    http_respond(l->exchange, 200, NULL, 0, KANAL_LIT("later"));
    uv_close((uv_handle_t *)timer, later_closed);
}

static void later(struct site *s, struct http_exchange *x)
{
    struct later *l = calloc(1, sizeof *l);

    cr_assert(l);
    l->exchange = x;
    l->timer.data = l;
    uv_timer_init(&s->loop, &l->timer);
    uv_timer_start(&l->timer, later_fires, 5, 0);
}

static void answer_with_headers(struct http_exchange *x)
{
    const kanal_field fields[] = {
        { KANAL_LIT("content-type"), KANAL_LIT("application/json") },
        { KANAL_LIT("set-cookie"), KANAL_LIT("a=1") },
        { KANAL_LIT("set-cookie"), KANAL_LIT("b=2") },
        { KANAL_LIT("content-length"), KANAL_LIT("999") },
        { KANAL_LIT("connection"), KANAL_LIT("close") },
        { KANAL_LIT("date"), KANAL_LIT("never") },
        { KANAL_LIT("transfer-encoding"), KANAL_LIT("chunked") },
        { KANAL_LIT("x-evil"), KANAL_LIT("a\r\nx-b: c") },
        { KANAL_LIT("x evil"), KANAL_LIT("a") },
        { KANAL_LIT("x-nul"), KANAL_LIT("a\0b") },
        { KANAL_LIT("x-utf8"), KANAL_LIT("\xc3\xa9") },
    };

    http_respond(x, 200, fields, sizeof fields / sizeof *fields, KANAL_LIT("{}"));
}

static void run_coded(struct http_exchange *x, kanal_str number)
{
    int64_t code = 0;

    kanal_str_int(number, &code);
    http_respond(x, (int)code, NULL, 0, KANAL_LIT("coded"));
    http_respond(x, 500, NULL, 0, KANAL_LIT("a second answer must not count"));
}

static void run_big(struct http_exchange *x)
{
    char *bytes = malloc(1024 * 1024);

    cr_assert(bytes);
    memset(bytes, 'b', 1024 * 1024);
    http_respond(x, 200, NULL, 0, kanal_str_of(bytes, 1024 * 1024));
    memset(bytes, 'x', 1024 * 1024); /* it was copied */
    free(bytes);
}

static void run(void *user, struct http_exchange *x, const struct http_request *r)
{
    static const struct http_socket_events events = { socket_open, socket_message, socket_close };
    struct site *s = user;

    atomic_fetch_add(&s->ran, 1);
    cr_expect_eq(http_exchange_user(x), s);
    cr_expect_eq(http_exchange_request(x), r);
    if (kanal_str_is(r->path, "/now"))
        http_respond(x, 200, NULL, 0, KANAL_LIT("now"));
    else if (kanal_str_is(r->path, "/later"))
        later(s, x);
    else if (kanal_str_is(r->path, "/hold") && s->held_count < SITE_HELD)
        s->held[s->held_count++] = x;
    else if (kanal_str_is(r->path, "/big"))
        run_big(x);
    else if (kanal_str_is(r->path, "/header"))
        answer_with_headers(x);
    else if (kanal_str_starts(r->path, "/code/"))
        run_coded(x, kanal_str_from(r->path, 6));
    else if (kanal_str_starts(r->path, "/stream/"))
        start_stream(s, x, kanal_str_from(r->path, 8));
    else if (kanal_str_is(r->path, "/ws") && r->is_websocket)
        http_upgrade(x, 65536, &events, s);
    else
        echo(x, r);
}

static void gone(void *user, struct http_exchange *x)
{
    struct site *s = user;

    atomic_fetch_add(&s->gone, 1);
    for (size_t i = 0; i < s->held_count; i++)
        if (s->held[i] == x)
            s->held[i] = s->held[--s->held_count];
}

const struct http_handler site_handler = { begin, run, gone };

/* ---- The thread ------------------------------------------------------------------------------------------------------------- */

static void on_async(uv_async_t *async)
{
    struct site *s = async->data;

    uv_mutex_lock(&s->mutex);
    if (s->call) {
        s->call(s, s->call_argument);
        s->call = NULL;
        uv_cond_signal(&s->done);
    }
    uv_mutex_unlock(&s->mutex);
}

void site_call(struct site *s, void (*function)(struct site *, void *), void *argument)
{
    uv_mutex_lock(&s->mutex);
    s->call = function;
    s->call_argument = argument;
    uv_async_send(&s->async);
    while (s->call)
        uv_cond_wait(&s->done, &s->mutex);
    uv_mutex_unlock(&s->mutex);
}

static void main_loop(void *site)
{
    struct site *s = site;

    uv_run(&s->loop, UV_RUN_DEFAULT);
}

struct site *site_start(const struct site_options *options)
{
    struct site *s = calloc(1, sizeof *s);
    struct http_server_options o = { .listen = "127.0.0.1:0" };

    cr_assert(s);
    if (options)
        s->options = *options;
    o.limits = s->options.limits;
    if (s->options.listen)
        o.listen = s->options.listen;
    o.trusted_proxies = s->options.proxies;
    o.trusted_proxy_count = s->options.proxy_count;
    uv_loop_init(&s->loop);
    uv_mutex_init(&s->mutex);
    uv_cond_init(&s->done);
    uv_async_init(&s->loop, &s->async, on_async);
    s->async.data = s;
    s->status = http_server_new(&s->server, &s->loop, &o, &site_handler, s);
    cr_assert_eq(s->status, 0);
    if (s->options.ping_ms)
        s->server->ping_ms = s->options.ping_ms;
    if (s->options.close_ms)
        s->server->close_ms = s->options.close_ms;
    if (s->options.linger_ms)
        s->server->linger_ms = s->options.linger_ms;
    if (s->options.least_bytes_per_ms)
        s->server->least_bytes_per_ms = s->options.least_bytes_per_ms;
    s->port = http_server_port(s->server);
    uv_thread_create(&s->thread, main_loop, s);
    return s;
}

/* What the site itself had running: its sources and timers, whose exchanges go away with the server. */
static void close_timer(uv_handle_t *handle, void *argument)
{
    (void)argument;
    if (handle->type == UV_TIMER && !uv_is_closing(handle))
        uv_close(handle, source_closed);
}

static void close_all(struct site *s, void *argument)
{
    (void)argument;
    http_server_free(s->server);
    s->server = NULL;
    uv_walk(&s->loop, close_timer, NULL);
    uv_close((uv_handle_t *)&s->async, NULL);
}

void site_stop(struct site *s)
{
    site_call(s, close_all, NULL);
    uv_thread_join(&s->thread);
    cr_assert_eq(uv_loop_close(&s->loop), 0, "the server left a handle open");
    uv_mutex_destroy(&s->mutex);
    uv_cond_destroy(&s->done);
    free(s);
}

static void answer_held(struct site *s, void *argument)
{
    (void)argument;
    char text[32];

    for (size_t i = 0; i < s->held_count; i++) {
        int len = snprintf(text, sizeof text, "held %zu", i);

        http_respond(s->held[i], 200, NULL, 0, kanal_str_of(text, (size_t)len));
    }
    s->held_count = 0;
}

void site_answer_held(struct site *s)
{
    site_call(s, answer_held, NULL);
}

static void count_open(struct site *s, void *count)
{
    *(size_t *)count = http_server_open(s->server);
}

size_t site_open(struct site *s)
{
    size_t count = 0;

    site_call(s, count_open, &count);
    return count;
}

static void drain(struct site *s, void *argument)
{
    (void)argument;
    http_server_drain(s->server);
}

void site_drain(struct site *s)
{
    site_call(s, drain, NULL);
}

void site_wait(atomic_uint *counter, unsigned value)
{
    uint64_t until = wire_now_ms() + 5000;

    while (atomic_load(counter) < value && wire_now_ms() < until)
        wire_sleep(2);
    cr_assert(atomic_load(counter) >= value, "it is %u, not %u", atomic_load(counter), value);
}

double site_cpu_ms(struct site *s)
{
    clockid_t clock;
    struct timespec used;

    cr_assert(pthread_getcpuclockid(s->thread, &clock) == 0 && clock_gettime(clock, &used) == 0);
    return (double)used.tv_sec * 1000 + (double)used.tv_nsec / 1e6;
}
