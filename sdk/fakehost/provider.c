/* A provider that answers by itself, also on its bad days. */
#include "inside.h"
#include <stdio.h>

#define HUGE_BYTES (1024u * 1024u)

void fake_provider(struct fake_host *host, fake_provider_fn *provider, void *user)
{
    host->provider = provider;
    host->provider_user = user;
}

void fake_provider_trouble(struct fake_host *host, enum fake_trouble trouble)
{
    host->trouble = trouble;
    host->asked = 0;
}

int fake_asked_provider(const struct fake_host *host)
{
    return host->asked;
}

void fake_provider_reply(struct fake_host *host, struct task *task, const struct fake_reply *reply)
{
    const kanal_field json = { KANAL_LIT("content-type"), KANAL_LIT("application/json") };
    const int is_plain = reply->header_count == 0;
    const kanal_http_response response = { .struct_size = sizeof response,
                                           .code = reply->code ? reply->code : 200,
                                           .body = reply->body.ptr ? reply->body : KANAL_LIT(""),
                                           .headers = is_plain ? &json : reply->headers,
                                           .header_count = is_plain ? 1 : reply->header_count };
    if (reply->status == KANAL_OK)
        fake_arena_response(&task->copies, &task->response, &response);
    if (reply->delay_ms == 0) {
        fake_ready(host, task, reply->status);
        return;
    }
    task->planned = reply->status;
    task->due_ms = host->now_ms + reply->delay_ms;
    fake_wait(host, task);
}

/* ---- Bad days ---- */

/* JSON that is nothing like what the plugin expects. */
static kanal_str strange_body(struct fake_host *host)
{
    static const char *const bodies[] = { "null",
                                          "[]",
                                          "{}",
                                          "0",
                                          "\"ok\"",
                                          "[[[[[[[[[[]]]]]]]]]]",
                                          "{\"ok\":\"yes\",\"result\":7}",
                                          "{\"ok\":true}",
                                          "{\"ok\":true,\"result\":null}",
                                          "{\"id\":{},\"message\":[1,2],\"error\":-1e308}",
                                          "{\"ok\":false,\"error_code\":\"x\",\"parameters\":[]}" };
    return kanal_str_c(bodies[host->troubled % (sizeof bodies / sizeof *bodies)]);
}

static kanal_str random_body(struct fake_host *host, struct kanal_buffer *scratch)
{
    char bytes[257];
    fake_random(host, bytes, sizeof bytes);
    kanal_buffer_append(scratch, bytes, sizeof bytes);
    return kanal_buffer_view(scratch);
}

static kanal_str huge_body(struct kanal_buffer *scratch)
{
    kanal_buffer_text(scratch, "{\"ok\":true,\"text\":\"");
    while (scratch->len < HUGE_BYTES - 2)
        kanal_buffer_byte(scratch, 'x');
    kanal_buffer_text(scratch, "\"}");
    return kanal_buffer_view(scratch);
}

/* reply: the script's answer, turned into that of a bad day. */
static void make_trouble(struct fake_host *host, struct fake_reply *reply, struct kanal_buffer *scratch)
{
    static const kanal_field retry_after[] = { { { "content-type", 12 }, { "application/json", 16 } },
                                               { { "retry-after", 11 }, { "7", 1 } } };
    static const kanal_field html = { { "content-type", 12 }, { "text/html", 9 } };
    const kanal_str usual = reply->body;
    host->troubled++;
    *reply = (struct fake_reply){ 0 };
    switch (host->trouble) {
    case FAKE_429:
        *reply = (struct fake_reply){ .code = 429,
                                      .body = KANAL_LIT("{\"ok\":false,\"error_code\":429,\"parameters\":{"
                                                        "\"retry_after\":7}}"),
                                      .headers = retry_after,
                                      .header_count = 2 };
        break;
    case FAKE_500:
        *reply = (struct fake_reply){
            .code = 500, .body = KANAL_LIT("<h1>500</h1>"), .headers = &html, .header_count = 1
        };
        break;
    case FAKE_401:
        *reply = (struct fake_reply){ .code = 401, .body = KANAL_LIT("{\"ok\":false,\"error_code\":401}") };
        break;
    case FAKE_400:
        *reply =
            (struct fake_reply){ .code = 400,
                                 .body = KANAL_LIT("{\"ok\":false,\"error_code\":400,\"error\":\"no\"}") };
        break;
    case FAKE_TIMEOUT:
        reply->status = KANAL_E_TIMEOUT;
        break;
    case FAKE_NETWORK:
        reply->status = KANAL_E_NETWORK;
        break;
    case FAKE_MAYBE:
        reply->status = KANAL_E_MAYBE;
        break;
    case FAKE_GARBAGE:
        reply->body = random_body(host, scratch);
        break;
    case FAKE_CUT:
        reply->body = kanal_str_of(usual.ptr ? usual.ptr : "{\"ok\":tr", usual.ptr ? usual.len / 2 : 8);
        break;
    case FAKE_STRANGE:
        reply->body = strange_body(host);
        break;
    case FAKE_HUGE:
        reply->body = huge_body(scratch);
        break;
    case FAKE_FINE:
    case FAKE_SILENT:
    case FAKE_EMPTY:
        break;
    }
}

/* ---- A request leaves ---- */

int fake_provider_asked(struct fake_host *host, struct task *task)
{
    struct fake_reply reply = { 0 };
    struct kanal_buffer scratch = { 0 };
    const struct fake_request *request = task->request;
    host->asked = 1;
    if (host->trouble == FAKE_SILENT)
        return 0;
    int answered = fake_script_answers(host, request, &reply);
    if (!answered && host->provider != NULL)
        answered = host->provider(host->provider_user, request, &reply);
    if (!answered && host->flags & FAKE_SCRIPT_ONLY) {
        fake_fault(host, FAKE_FAULT_TEST, "http_send(): no rule of the script answers %.*s %.*s",
                   (int)request->request.method.len, request->request.method.ptr,
                   (int)request->request.url.len, request->request.url.ptr);
        reply.code = 404;
        answered = 1;
    }
    if (host->trouble != FAKE_FINE) {
        make_trouble(host, &reply, &scratch);
        answered = 1;
    }
    if (answered)
        fake_provider_reply(host, task, &reply);
    kanal_buffer_release(&scratch);
    return answered;
}
