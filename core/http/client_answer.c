#include "http/client_private.h"
#include "kanal/sdk/str.h"

static size_t refuse_size(struct http_call *call)
{
    http_call_fail(call, KANAL_E_TOO_LARGE, "the answer's body is larger than %llu bytes",
                   (unsigned long long)call->max_response);
    return CURL_WRITEFUNC_ERROR;
}

static size_t on_header(char *data, size_t size, size_t count, void *user)
{
    struct http_call *call = user;
    size_t len = size * count;
    int was_complete = call->head.complete;
    int status;

    if (call->verdict != KANAL_OK)
        return CURL_WRITEFUNC_ERROR;
    status = http_head_line(&call->head, kanal_str_of(data, len));
    if (status == KANAL_E_TOO_LARGE)
        http_call_fail(call, KANAL_E_TOO_LARGE, "the answer's header is larger than %u bytes",
                       HTTP_HEAD_BYTES);
    else if (status != 0)
        http_call_fail(call, KANAL_E_MAYBE, "out of memory");
    if (status != 0)
        return CURL_WRITEFUNC_ERROR;
    if (call->head.complete && !was_complete && !http_redirect_due(call))
        http_call_head_complete(call);
    return len;
}

static size_t hand_on(struct http_call *call, kanal_str piece)
{
    call->received += piece.len;
    if (call->max_response > 0 && call->received > call->max_response)
        return refuse_size(call);
    call->heard_ms = uv_now(call->client->loop);
    /* The piece is the reader's even if it pauses; what comes next is held back above. */
    if (call->sink.data && call->sink.data(call->user, piece))
        call->paused = 1;
    return piece.len;
}

static size_t keep(struct http_call *call, kanal_str piece)
{
    curl_off_t announced = -1;

    if (call->received == 0) {
        curl_easy_getinfo(call->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &announced);
        if (announced > 0 && (uint64_t)announced > call->max_response)
            return refuse_size(call);
    }
    call->received += piece.len;
    if (call->received > call->max_response)
        return refuse_size(call);
    kanal_buffer_str(&call->body, piece);
    if (call->body.failed) {
        http_call_fail(call, KANAL_E_MAYBE, "out of memory");
        return CURL_WRITEFUNC_ERROR;
    }
    return piece.len;
}

static size_t on_body(char *data, size_t size, size_t count, void *user)
{
    struct http_call *call = user;
    kanal_str piece = kanal_str_of(data, size * count);

    if (call->verdict != KANAL_OK)
        return CURL_WRITEFUNC_ERROR;
    if (piece.len == 0)
        return 0;
    if (call->location.len > 0)
        return http_redirect_swallow(call, piece.len);
    if (!call->is_stream)
        return keep(call, piece);
    if (call->paused) {
        call->receive_paused = 1;
        return CURL_WRITEFUNC_PAUSE;
    }
    return hand_on(call, piece);
}

int http_answer_install(struct http_call *call)
{
    CURL *easy = call->easy;
    int failed = 0;

    failed |= curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_HEADERDATA, call) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_WRITEDATA, call) != CURLE_OK;
    return failed ? -1 : 0;
}
