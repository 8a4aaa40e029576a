/* Redirects, of streams only. Each is a new request to whatever the answer names, so each is asked about like a new one: the
 * URL by the caller's redirect(), the address by its allow(). */
#include <stdlib.h>
#include "http/client_private.h"
#include "kanal/sdk/str.h"
#include "kanal/sdk/url.h"

/* What comes as the body of a redirect is for people; more than so much is not waited for. */
#define BODY_BYTES_MAX 16384u

static int is_redirect(int code)
{
    return code == 301 || code == 302 || code == 303 || code == 307 || code == 308;
}

/* The absolute URL of the answer's Location, without its fragment (RFC 9110, 10.2.2); to be freed with curl_free(). NULL: none. */
static char *resolve(const char *base, kanal_str location)
{
    CURLU *url = curl_url();
    char *relative = kanal_str_dup(location), *text = NULL;

    if (url && relative && !memchr(location.ptr, '\0', location.len) &&
        curl_url_set(url, CURLUPART_URL, base, 0) == CURLUE_OK &&
        curl_url_set(url, CURLUPART_URL, relative, 0) == CURLUE_OK &&
        curl_url_set(url, CURLUPART_FRAGMENT, NULL, 0) == CURLUE_OK)
        curl_url_get(url, CURLUPART_URL, &text, 0);
    free(relative);
    curl_url_cleanup(url);
    return text;
}

static int is_same_origin(kanal_str a, kanal_str b)
{
    struct kanal_url one, other;

    return kanal_url_parse(a, &one) == 0 && kanal_url_parse(b, &other) == 0 &&
           kanal_str_equal(one.scheme, other.scheme) && kanal_str_equal_nocase(one.host, other.host) &&
           kanal_str_equal(one.port, other.port);
}

/* 0, or the call has failed. */
static int judge(struct http_call *call, kanal_str url)
{
    int was_tls = call->is_tls;

    if (http_request_check_url(call, url) != 0)
        return -1;
    if (was_tls && !call->is_tls) {
        http_call_fail(call, KANAL_E_DENIED, "a redirect from https to http");
        return -1;
    }
    if (!call->redirect(call->allow_user, url, &call->allow_user)) {
        http_call_fail(call, KANAL_E_DENIED, "a redirect to a host that is not granted");
        return -1;
    }
    return 0;
}

int http_redirect_due(struct http_call *call)
{
    kanal_field fields[HTTP_HEAD_FIELDS];
    kanal_str location;
    char *url;

    if (!call->redirect || call->kind != HTTP_KIND_GET || call->custom_method ||
        !is_redirect(call->head.code))
        return 0;
    location = kanal_field_get(fields, http_head_fields(&call->head, fields), "location");
    if (location.len == 0)
        return 0;
    if (call->redirects_left == 0) {
        http_call_fail(call, KANAL_E_DENIED, "too many redirects");
        return 1;
    }
    call->redirects_left--;
    url = resolve(call->text.data + call->url_at, location);
    if (!url) {
        http_call_fail(call, KANAL_E_DENIED, "a redirect to what is no URL");
        return 1;
    }
    if (judge(call, kanal_str_c(url)) == 0) {
        kanal_buffer_text(&call->location, url);
        kanal_buffer_byte(&call->location, '\0');
        if (call->location.failed)
            http_call_fail(call, KANAL_E_BUSY, "out of memory");
    }
    curl_free(url);
    return 1;
}

size_t http_redirect_swallow(struct http_call *call, size_t len)
{
    call->received += len;
    return call->received > BODY_BYTES_MAX ? CURL_WRITEFUNC_ERROR : len;
}

/* The request's text anew. To another origin no header of the caller's goes along: it may hold a secret. */
static int rebuild(struct http_call *call)
{
    struct kanal_buffer old = call->text;
    const char *url = call->location.data;
    int keep = is_same_origin(kanal_str_c(old.data + call->url_at), kanal_str_c(url));

    call->text = (struct kanal_buffer){ 0 };
    kanal_buffer_append(&call->text, url, strlen(url) + 1);
    size_t method_at = call->text.len;
    kanal_buffer_append(&call->text, "GET", 4);
    size_t lines_at = call->text.len;
    if (keep)
        kanal_buffer_append(&call->text, old.data + call->lines_at, call->body_at - call->lines_at);
    else
        call->line_count = 0;
    call->url_at = 0;
    call->method_at = method_at;
    call->lines_at = lines_at;
    call->body_at = call->text.len;
    kanal_buffer_release(&old);
    return call->text.failed ? KANAL_E_BUSY : http_request_link_lines(call);
}

void http_redirect_follow(struct http_call *call)
{
    if (call->in_multi)
        curl_multi_remove_handle(call->pool->multi, call->easy);
    call->in_multi = 0;
    int status = rebuild(call);
    kanal_buffer_clear(&call->location);
    http_head_clear(&call->head);
    call->received = 0;
    call->attempts = call->denied = call->opened = 0;
    call->connecting = 1;
    call->paused = call->receive_paused = 0;
    call->error[0] = call->message[0] = '\0';
    if (status == 0)
        status = http_request_apply(call);
    if (status == 0 && curl_multi_add_handle(call->pool->multi, call->easy) != CURLM_OK)
        status = KANAL_E_BUSY;
    call->in_multi = status == 0;
    if (status != 0)
        http_call_fail(call, KANAL_E_NETWORK, "out of memory");
}
