#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include "http/client_private.h"

static void on_deadline(uv_timer_t *);
static void on_todo(uv_timer_t *);

/* ---- Taken and given back ---- */

/* What no request changes. libcurl's own timeout is not used: the deadline here knows whether the request has left. */
static int set_constants(struct http_call *call)
{
    const struct http_client *client = call->client;
    CURL *easy = call->easy;
    int failed = 0;

    failed |= curl_easy_setopt(easy, CURLOPT_PRIVATE, call) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->error) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_SHARE, client->share) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_USERAGENT, client->user_agent) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_PROXY, "") != CURLE_OK; /* not even from the environment */
    failed |= curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, HTTP_CONNECT_TIMEOUT_MS) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, HTTP_IDLE_CONNECTION_S) != CURLE_OK;
    /* Without it libcurl joins the resolver's thread when a call ends early, and the loop would stand still as long as
     * a name server does not answer. */
    failed |= curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) != CURLE_OK;
    /* With a CA path libcurl does not keep the parsed certificates, and reads all of them at each new connection. */
    failed |= curl_easy_setopt(easy, CURLOPT_CAPATH, NULL) != CURLE_OK;
    if (client->ca_file)
        failed |= curl_easy_setopt(easy, CURLOPT_CAINFO, client->ca_file) != CURLE_OK;
    return failed || http_gate_install(call) != 0 || http_answer_install(call) != 0 ? -1 : 0;
}

static void on_call_closed(uv_handle_t *handle)
{
    struct http_call *call = handle->data;
    struct http_client *client = call->client;

    free(call);
    http_client_handle_closed(client);
}

void http_call_free(struct http_call *call)
{
    curl_easy_cleanup(call->easy);
    kanal_buffer_release(&call->text);
    kanal_buffer_release(&call->body);
    kanal_buffer_release(&call->location);
    http_head_release(&call->head);
    free(call->lines);
    uv_close((uv_handle_t *)&call->deadline, on_call_closed);
}

static struct http_call *call_new(struct http_client *client)
{
    struct http_call *call = calloc(1, sizeof *call);

    if (!call)
        return NULL;
    if (uv_timer_init(client->loop, &call->deadline) != 0) {
        free(call);
        return NULL;
    }
    client->open_handles++;
    call->deadline.data = call;
    call->client = client;
    http_head_init(&call->head);
    call->easy = curl_easy_init();
    if (!call->easy || set_constants(call) != 0) {
        http_call_free(call);
        return NULL;
    }
    return call;
}

struct http_call *http_call_take(struct http_client *client, struct http_pool *pool)
{
    struct http_call *call = TAILQ_FIRST(&client->spare);

    if (call) {
        TAILQ_REMOVE(&client->spare, call, link);
        client->spare_count--;
    } else {
        call = call_new(client);
        if (!call)
            return NULL;
    }
    call->pool = pool;
    call->phase = HTTP_GATHERING;
    call->in_multi = 0;
    call->todo = 0;
    call->is_stream = call->is_source = 0;
    memset(&call->sink, 0, sizeof call->sink);
    call->attempts = call->denied = call->opened = 0;
    call->connecting = 1;
    call->started_ns = uv_hrtime();
    call->received = 0;
    call->paused = call->receive_paused = call->send_paused = 0;
    call->verdict = KANAL_OK;
    call->error[0] = call->message[0] = '\0';
    kanal_buffer_clear(&call->location);
    return call;
}

static void shrink(struct kanal_buffer *buffer)
{
    if (buffer->capacity > HTTP_SPARE_BYTES)
        kanal_buffer_release(buffer);
    else
        kanal_buffer_clear(buffer);
}

static void call_recycle(struct http_call *call)
{
    struct http_client *client = call->client;

    call->phase = HTTP_SPARE;
    http_parts_release(call);
    if (client->closing || client->spare_count >= HTTP_SPARE_CALLS) {
        http_call_free(call);
        return;
    }
    shrink(&call->text);
    shrink(&call->body);
    http_head_clear(&call->head);
    TAILQ_INSERT_HEAD(&client->spare, call, link);
    client->spare_count++;
}

void http_call_drop(struct http_call *call)
{
    if (call->todo != 0)
        TAILQ_REMOVE(&call->client->todo, call, todo_link);
    call->todo = 0;
    call_recycle(call);
}

/* ---- Started ---- */

static void call_start(struct http_call *call)
{
    int status = 0;

    if (call->phase != HTTP_GATHERING || call->verdict != KANAL_OK)
        return;
    if (call->kind == HTTP_KIND_PARTS)
        status = http_parts_finish(call);
    if (status == 0)
        status = http_request_apply(call);
    if (status == 0 && curl_multi_add_handle(call->pool->multi, call->easy) != CURLM_OK)
        status = KANAL_E_BUSY;
    if (status != 0) {
        http_call_fail(call, KANAL_E_NETWORK, "out of memory");
        return;
    }
    call->in_multi = 1;
    call->phase = HTTP_RUNNING;
}

void http_call_open(struct http_call *call)
{
    struct http_client *client = call->client;

    TAILQ_INSERT_TAIL(&client->calls, call, link);
    client->pending += !call->is_source;
    uv_timer_start(&call->deadline, on_deadline, call->timeout_ms, 0);
    if (call->verdict != KANAL_OK || !http_parts_ready(call))
        return;
    if (client->in_curl)
        http_call_do(call, HTTP_TODO_START);
    else
        call_start(call);
}

/* ---- In the next turn ---- */

int http_call_todo_init(struct http_client *client)
{
    if (uv_timer_init(client->loop, &client->todo_timer) != 0)
        return -1;
    client->todo_timer.data = client;
    client->open_handles++;
    return 0;
}

void http_call_do(struct http_call *call, unsigned todo)
{
    struct http_client *client = call->client;

    if (call->phase == HTTP_SPARE || call->phase == HTTP_ENDED)
        return;
    if (call->todo == 0) {
        if (TAILQ_EMPTY(&client->todo))
            uv_timer_start(&client->todo_timer, on_todo, 0, 0);
        call->todo_turn = client->turn;
        TAILQ_INSERT_TAIL(&client->todo, call, todo_link);
    }
    call->todo |= todo;
}

static void go_on(struct http_call *call, unsigned todo)
{
    struct http_client *client = call->client;
    int mask;
    CURLcode result;

    if (todo & HTTP_TODO_RECEIVE)
        call->receive_paused = 0;
    if (todo & HTTP_TODO_SEND)
        call->send_paused = 0;
    if (!call->in_multi)
        return;
    mask = (call->receive_paused ? CURLPAUSE_RECV : 0) | (call->send_paused ? CURLPAUSE_SEND : 0);
    client->in_curl++; /* it hands on what it has kept back */
    result = curl_easy_pause(call->easy, mask);
    client->in_curl--;
    if (result != CURLE_OK &&
        result != CURLE_BAD_FUNCTION_ARGUMENT) /* the latter: it has no connection any more */
        http_call_end(call, result);
}

/* The only way to have one call of many looked at: a pause and its end mark it as due. Nothing flows while it connects. */
static void poke(struct http_call *call)
{
    if (!call->in_multi || !call->connecting)
        return;
    curl_easy_pause(call->easy, CURLPAUSE_RECV);
    curl_easy_pause(call->easy, CURLPAUSE_CONT);
}

static void on_todo(uv_timer_t *timer)
{
    struct http_client *client = timer->data;
    struct http_call *call;

    client->turn++;
    while ((call = TAILQ_FIRST(&client->todo)) != NULL && call->todo_turn != client->turn) {
        unsigned todo = call->todo;
        TAILQ_REMOVE(&client->todo, call, todo_link);
        call->todo = 0;
        if (todo & HTTP_TODO_END) {
            http_call_end(call, CURLE_ABORTED_BY_CALLBACK);
            continue;
        }
        if (todo & HTTP_TODO_START)
            call_start(call);
        if (todo & HTTP_TODO_POKE)
            poke(call);
        if (todo & (HTTP_TODO_RECEIVE | HTTP_TODO_SEND))
            go_on(call, todo);
    }
    http_pool_drain(&client->requests);
    http_pool_drain(&client->streams);
    if (!TAILQ_EMPTY(&client->todo))
        uv_timer_start(&client->todo_timer, on_todo, 0, 0);
}

/* ---- Ended ---- */

void http_call_fail(struct http_call *call, kanal_status status, const char *format, ...)
{
    char text[sizeof call->message];
    va_list arguments;

    if (call->verdict != KANAL_OK || call->phase == HTTP_ENDED)
        return;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    memcpy(call->message, text, sizeof text);
    call->verdict = status;
    http_call_do(call, HTTP_TODO_END);
}

/* CURLE_TOO_LARGE of libcurl 8.6 and newer. */
#define TOO_LARGE ((CURLcode)100)

static kanal_status unsent_status(CURLcode result)
{
    switch (result) {
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_BAD_FUNCTION_ARGUMENT:
        return KANAL_E_INVALID;
    case CURLE_OPERATION_TIMEDOUT:
        return KANAL_E_TIMEOUT;
    default:
        return KANAL_E_NETWORK;
    }
}

static kanal_status call_status(struct http_call *call, CURLcode result)
{
    int sent;

    if (call->verdict != KANAL_OK)
        return call->verdict;
    if (result == CURLE_OK && call->head.complete)
        return KANAL_OK;
    sent = http_gate_sent(call);
    if (sent && !call->head.complete && (result == CURLE_OUT_OF_MEMORY || result == TOO_LARGE)) {
        snprintf(call->message, sizeof call->message, "a line of the answer's header is too long");
        return KANAL_E_TOO_LARGE; /* libcurl's own limit of one line, by its name of it */
    }
    if (!sent && call->denied > 0 && call->opened == 0)
        return KANAL_E_DENIED; /* the message is the gate's */
    call->message[0] = '\0';
    return sent ? KANAL_E_MAYBE : unsent_status(result);
}

/* libcurl's words, as one line of printable text; a URL could hold a secret, so with one in it only the error's name. */
static const char *call_message(struct http_call *call, CURLcode result)
{
    char *text = call->message;

    if (text[0] == '\0' && result == CURLE_OK) /* for libcurl, the end of the connection ends a header too */
        snprintf(text, sizeof call->message, "the connection ended within the answer's header");
    if (text[0] == '\0')
        snprintf(text, sizeof call->message, "%s", call->error[0] ? call->error : curl_easy_strerror(result));
    if (strstr(text, "://"))
        snprintf(text, sizeof call->message, "%s", curl_easy_strerror(result));
    for (char *c = text; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
    }
    return text;
}

static void call_done(struct http_call *call, CURLcode result)
{
    kanal_status status = call_status(call, result);
    kanal_field fields[HTTP_HEAD_FIELDS];
    struct http_in in = { .code = call->head.code, .headers = fields };

    if (!call->done)
        return;
    if (status != KANAL_OK) {
        call->done(call->user, status, NULL, call_message(call, result));
        return;
    }
    in.header_count = http_head_fields(&call->head, fields);
    in.body = kanal_buffer_view(&call->body);
    in.total_ms = (uint32_t)((uv_hrtime() - call->started_ns) / 1000000);
    call->done(call->user, KANAL_OK, &in, "");
}

void http_call_end(struct http_call *call, CURLcode result)
{
    struct http_client *client = call->client;

    if (call->phase == HTTP_ENDED || call->phase == HTTP_SPARE)
        return;
    assert(!call->in_multi || client->in_curl == 0);
    if (call->location.len > 0 && call->verdict == KANAL_OK &&
        call->done) { /* no done: nobody waits any more */
        http_redirect_follow(call);
        return;
    }
    call->phase = HTTP_ENDED;
    if (call->in_multi)
        curl_multi_remove_handle(call->pool->multi, call->easy);
    call->in_multi = 0;
    uv_timer_stop(&call->deadline);
    if (call->todo != 0)
        TAILQ_REMOVE(&client->todo, call, todo_link);
    call->todo = 0;
    TAILQ_REMOVE(&client->calls, call, link);
    client->pending -= !call->is_source;
    call_done(call, result);
    call_recycle(call);
}

/* ---- Time ---- */

void http_call_head_complete(struct http_call *call)
{
    kanal_field fields[HTTP_HEAD_FIELDS];
    struct http_in in = { .code = call->head.code, .headers = fields };

    if (!call->is_stream)
        return;
    call->heard_ms = uv_now(call->client->loop);
    uv_timer_start(&call->deadline, on_deadline, call->client->stream_idle_ms, 0);
    in.header_count = http_head_fields(&call->head, fields);
    in.total_ms = (uint32_t)((uv_hrtime() - call->started_ns) / 1000000);
    if (call->sink.head)
        call->sink.head(call->user, &in);
}

static void on_quiet(struct http_call *call)
{
    uint64_t limit_ms = call->client->stream_idle_ms;
    uint64_t quiet_ms = call->paused ? 0 : uv_now(call->client->loop) - call->heard_ms;

    if (quiet_ms < limit_ms) {
        uv_timer_start(&call->deadline, on_deadline, limit_ms - quiet_ms, 0);
        return;
    }
    http_call_fail(call, KANAL_E_MAYBE, "no byte for %u s", (unsigned)(limit_ms / 1000));
    http_call_end(call, CURLE_OPERATION_TIMEDOUT);
}

static void on_deadline(uv_timer_t *timer)
{
    struct http_call *call = timer->data;

    if (call->is_stream && call->head.complete && call->location.len == 0) {
        on_quiet(call);
        return;
    }
    if (http_gate_sent(call))
        http_call_fail(call, KANAL_E_MAYBE, "no whole answer in %u ms", (unsigned)call->timeout_ms);
    else
        http_call_fail(call, KANAL_E_TIMEOUT, "nothing could be sent in %u ms", (unsigned)call->timeout_ms);
    http_call_end(call, CURLE_OPERATION_TIMEDOUT);
}
