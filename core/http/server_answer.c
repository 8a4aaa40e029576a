#include "http/server_private.h"
#include <string.h>
#include <sys/socket.h>
#include "kanal/sdk/str.h"

/* ---- Cutting off -------------------------------------------------------------------------------------------------------- */

void exchange_resume(struct http_exchange *x)
{
    if (!x->is_suspended)
        return;
    x->is_suspended = 0;
    MHD_resume_connection(x->mhd);
    http_server_wake(x->server);
}

void exchange_cut(struct http_exchange *x)
{
    if (x->phase == PHASE_DEAD)
        return;
    x->phase = PHASE_DEAD;
    x->deadline_ms = 0;
    shutdown(x->fd, SHUT_RDWR); /* libmicrohttpd reads the end of the connection then */
    exchange_resume(x);
}

static void send_bytes(const struct http_exchange *x, kanal_str bytes)
{
    /* What the socket's buffer does not take at once is lost: there is nobody left to wait for it. */
    if (bytes.len > 0)
        (void)!send(x->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

void exchange_cut_with(struct http_exchange *x, int code, const char *text)
{
    kanal_field type = { KANAL_LIT("content-type"), KANAL_LIT("text/plain; charset=utf-8") };
    struct kanal_buffer raw = { 0 };

    response_write(&raw, code, &type, 1, kanal_str_c(text), x->is_head);
    send_bytes(x, kanal_buffer_view(&raw));
    kanal_buffer_release(&raw);
    exchange_cut(x);
}

/* ---- The answer ---------------------------------------------------------------------------------------------------------- */

void exchange_drop_answer(struct http_exchange *x)
{
    if (x->cached)
        x->cached->pins--;
    else if (x->response)
        MHD_destroy_response(x->response);
    x->cached = NULL;
    x->response = NULL;
}

static void set_answer(struct http_exchange *x, int code, const kanal_field *headers, size_t count,
                       kanal_str body)
{
    x->code = code;
    x->answer_bytes = body.len;
    x->response = response_get(x->server, headers, count, body, &x->cached);
    /* While its body is coming in, the answer may have to be written without libmicrohttpd's help. */
    if (x->phase == PHASE_HEADERS || x->phase == PHASE_BODY) {
        kanal_buffer_clear(&x->raw);
        if (x->content_length > 0)
            response_write(&x->raw, code, headers, count, body, x->is_head);
    }
}

void exchange_answer_text(struct http_exchange *x, int code, const char *text)
{
    kanal_field fields[3] = { { KANAL_LIT("content-type"), KANAL_LIT("text/plain; charset=utf-8") } };
    size_t count = 1;

    if (code == 503 || code == 429)
        fields[count++] = (kanal_field){ KANAL_LIT("retry-after"), KANAL_LIT("1") };
    if (x->is_version_bad && code == 426) {
        fields[count++] = (kanal_field){ KANAL_LIT("upgrade"), KANAL_LIT("websocket") };
        fields[count++] = (kanal_field){ KANAL_LIT("sec-websocket-version"), KANAL_LIT("13") };
    }
    set_answer(x, code, fields, count, kanal_str_c(text));
}

enum MHD_Result exchange_queue(struct http_exchange *x)
{
    struct http_server *s = x->server;
    enum MHD_Result done;

    if (!x->response)
        return MHD_NO; /* there was no memory for it */
    x->phase = x->stream.is_active ? PHASE_STREAMING : PHASE_SENDING;
    /* A client may read slowly, but not for ever. */
    x->deadline_ms = http_server_now(s) + s->limits.idle_timeout_ms + x->answer_bytes / s->least_bytes_per_ms;
    done = MHD_queue_response(x->mhd, (unsigned)x->code, x->response);
    exchange_drop_answer(x);
    return done;
}

enum MHD_Result exchange_linger(struct http_exchange *x)
{
    send_bytes(x, kanal_buffer_view(&x->raw));
    shutdown(x->fd, SHUT_WR);
    x->phase = PHASE_LINGER;
    x->deadline_ms = http_server_now(x->server) + x->server->linger_ms;
    return MHD_YES;
}

/* An answer that libmicrohttpd is given before the body closes the connection at once, and what then arrives of the body
 * makes the kernel reset it: the client would lose its answer. So a small body is thrown away first, which also keeps the
 * connection; before a large one, the answer is written past libmicrohttpd and the connection only closed when the client
 * has had time to read it. */
enum MHD_Result exchange_refuse(struct http_exchange *x, int must_close)
{
    int body_follows = x->content_length > x->body_seen;
    int is_first_call = x->body_seen == 0 && x->swallowed == 0;

    x->phase = PHASE_REFUSED;
    if (is_first_call && ((must_close && !body_follows) || (body_follows && x->expects_continue)))
        return exchange_queue(x);
    if (!body_follows && !x->is_chunked)
        return MHD_YES;
    if (must_close || (!x->is_chunked && x->content_length - x->body_seen > EXCHANGE_SWALLOW_BYTES))
        return exchange_linger(x);
    return MHD_YES;
}

void http_respond(struct http_exchange *x, int code, const kanal_field *headers, size_t count, kanal_str body)
{
    int running = x->phase == PHASE_RUNNING;

    if ((!running && x->phase != PHASE_BODY) || x->response)
        return; /* the one answer was given, or it is too late for it */
    x->is_owed = 0;
    set_answer(x, code >= 200 && code <= 599 ? code : 500, headers, count, body);
    if (!running)
        return; /* inside begin() */
    x->phase = PHASE_ANSWERED;
    exchange_resume(x);
}
