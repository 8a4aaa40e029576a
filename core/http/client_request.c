#include <stdlib.h>
#include "http/client_private.h"
#include "kanal/sdk/str.h"

#define URL_BYTES_MAX 8192u
#define METHOD_BYTES_MAX 16u
#define HEADERS_MAX 128u
/* libcurl would wait for "100 Continue" before bodies of 1 MiB. */
#define EXPECT_BYTES (512u * 1024)

/* Methods that RFC 9110, 9.2.2 calls idempotent; the rest is never sent twice. */
static const char *const idempotent[] = { "GET", "HEAD", "PUT", "DELETE", "OPTIONS" };
/* The connection's own headers (RFC 9110, 7.6.1; RFC 9112, 6): with one of these a request could be made to end elsewhere
 * than libcurl thinks. Host is what the URL says, because that is what was granted. */
static const char *const reserved[] = {
    "host",       "content-length",      "transfer-encoding", "connection", "expect",
    "keep-alive", "proxy-authorization", "proxy-connection",  "te",         "trailer",
    "upgrade"
};

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static int is_token(kanal_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if ((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
            continue;
        if (c == '\0' || !strchr("!#$%&'*+-.^_`|~", c))
            return 0;
    }
    return s.len > 0;
}

static int has_control(kanal_str s, unsigned char upto)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if ((c <= upto && c != '\t') || c == 0x7f)
            return 1;
    }
    return 0;
}

static int invalid(struct http_call *call, const char *what)
{
    http_call_fail(call, KANAL_E_INVALID, "%s", what);
    return KANAL_E_INVALID;
}

static int starts_nocase(kanal_str s, const char *prefix)
{
    kanal_str head = kanal_str_of(s.ptr, strlen(prefix));

    return s.len >= head.len && kanal_str_equal_nocase(head, kanal_str_c(prefix));
}

/* Host and port, written so that no two parsers can read two hosts in it: who grants hosts looks at the same text. User
 * information is refused for that, and because secrets do not belong into URLs. */
static int is_authority(kanal_str rest)
{
    size_t len = 0;

    for (; len < rest.len && !strchr("/?#", rest.ptr[len]); len++) {
        unsigned char c = (unsigned char)rest.ptr[len];
        int is_letter =
            (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c >= 0x80;
        if (!is_letter && !strchr(".-_:[]", c))
            return 0;
    }
    return len > 0;
}

int http_request_check_url(struct http_call *call, kanal_str url)
{
    if (url.len > URL_BYTES_MAX)
        return invalid(call, "the URL is longer than 8 KiB");
    if (has_control(url, ' ') || (url.len > 0 && memchr(url.ptr, '\t', url.len)))
        return invalid(call, "the URL holds a space or a control character");
    call->is_tls = starts_nocase(url, "https://");
    if (!call->is_tls && !starts_nocase(url, "http://"))
        return invalid(call, "the URL is neither http nor https");
    if (!is_authority(kanal_str_from(url, call->is_tls ? 8 : 7)))
        return invalid(call, "the URL's host is missing or malformed, or user information stands before it");
    return 0;
}

static int check_method(struct http_call *call, const struct http_out *out)
{
    if (!is_token(out->method) || out->method.len > METHOD_BYTES_MAX)
        return invalid(call, "the method is not a word");
    if (kanal_str_is(out->method, "CONNECT") || kanal_str_is(out->method, "TRACE"))
        return invalid(call, "the method is not supported");
    if (kanal_str_is(out->method, "HEAD") && (out->body.len > 0 || out->part_count > 0))
        return invalid(call, "a HEAD request has no body");
    if (out->part_count > 0 && out->body.len > 0)
        return invalid(call, "a request has either a body or parts");
    return 0;
}

static int check_header(struct http_call *call, const kanal_field *field, const struct http_out *out)
{
    if (!is_token(field->name))
        return invalid(call, "a header's name is not a word");
    if (has_control(field->value, 0x1f))
        return invalid(call, "a header's value holds a control character");
    for (size_t i = 0; i < COUNT(reserved); i++) {
        if (kanal_str_equal_nocase(field->name, kanal_str_c(reserved[i])))
            return invalid(
                call, "a header is the client's own: Host, Content-Length, Transfer-Encoding, Connection, "
                      "Expect, Keep-Alive, Proxy-…, TE, Trailer, Upgrade");
    }
    if (out->part_count > 0 && kanal_str_equal_nocase(field->name, KANAL_LIT("content-type")))
        return invalid(call, "the Content-Type of a multipart request is the client's own");
    return 0;
}

static int check(struct http_call *call, const struct http_out *out)
{
    int status = http_request_check_url(call, out->url);

    if (status == 0)
        status = check_method(call, out);
    if (status == 0 && out->header_count > HEADERS_MAX)
        status = invalid(call, "more than 128 headers");
    for (size_t i = 0; i < out->header_count && status == 0; i++)
        status = check_header(call, &out->headers[i], out);
    return status;
}

static int is_idempotent(kanal_str method)
{
    for (size_t i = 0; i < COUNT(idempotent); i++) {
        if (kanal_str_is(method, idempotent[i]))
            return 1;
    }
    return 0;
}

/* GET, HEAD and POST are libcurl's own; a GET with a body and everything else is set by name. */
static void choose_kind(struct http_call *call, const struct http_out *out)
{
    kanal_str method = out->method;
    int bodiless =
        kanal_str_is(method, "GET") || kanal_str_is(method, "DELETE") || kanal_str_is(method, "OPTIONS");

    if (out->part_count > 0)
        call->kind = HTTP_KIND_PARTS;
    else if (kanal_str_is(method, "HEAD"))
        call->kind = HTTP_KIND_HEAD;
    else if (bodiless && out->body.len == 0)
        call->kind = HTTP_KIND_GET;
    else
        call->kind = HTTP_KIND_BODY; /* also an empty one: "Content-Length: 0" */
    if (call->kind == HTTP_KIND_GET)
        call->custom_method = !kanal_str_is(method, "GET");
    else
        call->custom_method = call->kind != HTTP_KIND_HEAD && !kanal_str_is(method, "POST");
}

static void add_line(struct http_call *call, kanal_str name, kanal_str value)
{
    struct kanal_buffer *text = &call->text;

    kanal_buffer_str(text, name);
    if (value.len == 0) {
        kanal_buffer_append(text, ";", 2); /* libcurl's sign for a header without a value */
    } else {
        kanal_buffer_append(text, ": ", 2);
        kanal_buffer_str(text, value);
        kanal_buffer_byte(text, '\0');
    }
    call->line_count++;
}

/* A header that libcurl would add by itself and shall not. */
static void drop_line(struct http_call *call, const char *name)
{
    kanal_buffer_text(&call->text, name);
    kanal_buffer_append(&call->text, ":", 2);
    call->line_count++;
}

static void add_lines(struct http_call *call, const struct http_out *out)
{
    int typed = 0;

    call->lines_at = call->text.len;
    call->line_count = 0;
    for (size_t i = 0; i < out->header_count; i++) {
        kanal_str name = out->headers[i].name;
        typed |= name.len == 12 && kanal_str_equal_nocase(name, KANAL_LIT("content-type"));
        add_line(call, name, out->headers[i].value);
    }
    if (call->kind == HTTP_KIND_BODY && !typed)
        drop_line(call, "Content-Type");
    if (call->kind == HTTP_KIND_PARTS || out->body.len >= EXPECT_BYTES)
        drop_line(call, "Expect");
}

/* The list of lines, threaded through one array: libcurl reads it and frees nothing. */
int http_request_link_lines(struct http_call *call)
{
    char *line = call->text.data + call->lines_at;

    if (call->line_count > call->line_capacity) {
        struct curl_slist *lines = realloc(call->lines, call->line_count * sizeof *lines);
        if (!lines)
            return KANAL_E_BUSY;
        call->lines = lines;
        call->line_capacity = call->line_count;
    }
    for (size_t i = 0; i < call->line_count; i++) {
        call->lines[i].data = line;
        call->lines[i].next = i + 1 < call->line_count ? &call->lines[i + 1] : NULL;
        line += strlen(line) + 1;
    }
    return 0;
}

static int copy(struct http_call *call, const struct http_out *out)
{
    struct kanal_buffer *text = &call->text;

    kanal_buffer_clear(text);
    call->url_at = 0;
    kanal_buffer_str(text, out->url);
    kanal_buffer_byte(text, '\0');
    call->method_at = text->len;
    kanal_buffer_str(text, out->method);
    kanal_buffer_byte(text, '\0');
    add_lines(call, out);
    call->body_at = text->len;
    call->body_len = out->body.len;
    kanal_buffer_reserve(text, out->body.len + 1);
    kanal_buffer_str(text, out->body);
    return text->failed ? KANAL_E_BUSY : http_request_link_lines(call);
}

int http_request_build(struct http_call *call, const struct http_out *out)
{
    int status;

    call->allow = out->allow;
    call->allow_user = out->allow_user;
    call->redirect = call->is_stream && out->redirects > 0 ? out->redirect : NULL;
    call->redirects_left = out->redirects;
    call->timeout_ms = out->timeout_ms ? out->timeout_ms : HTTP_DEFAULT_TIMEOUT_MS;
    call->max_response = out->max_response;
    if (!call->is_stream && call->max_response == 0)
        call->max_response = HTTP_DEFAULT_RESPONSE;
    status = check(call, out);
    if (status != 0)
        return status;
    /* What is streamed from a source is gone once it was read. */
    call->resend = is_idempotent(out->method) && out->part_count == 0;
    choose_kind(call, out);
    return copy(call, out);
}

static int apply_kind(struct http_call *call)
{
    CURL *easy = call->easy;
    CURLcode result = CURLE_OK;

    if (call->kind == HTTP_KIND_BODY) {
        result = curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body_len);
        if (result == CURLE_OK)
            result = curl_easy_setopt(easy, CURLOPT_POSTFIELDS, call->text.data + call->body_at);
        if (result == CURLE_OK && call->kind_set != HTTP_KIND_BODY)
            result = curl_easy_setopt(easy, CURLOPT_POST, 1L);
    } else if (call->kind == HTTP_KIND_PARTS) {
        result = curl_easy_setopt(easy, CURLOPT_MIMEPOST, call->mime);
    } else if (call->kind != call->kind_set) {
        result = curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
        if (result == CURLE_OK && call->kind == HTTP_KIND_HEAD)
            result = curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    }
    call->kind_set = result == CURLE_OK ? call->kind : HTTP_KIND_NONE;
    return result == CURLE_OK ? 0 : KANAL_E_BUSY;
}

int http_request_apply(struct http_call *call)
{
    CURL *easy = call->easy;
    const char *method = call->custom_method ? call->text.data + call->method_at : NULL;

    if (curl_easy_setopt(easy, CURLOPT_URL, call->text.data + call->url_at) != CURLE_OK ||
        apply_kind(call) != 0)
        return KANAL_E_BUSY;
    if ((method || call->custom_set) && curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method) != CURLE_OK)
        return KANAL_E_BUSY;
    call->custom_set = method != NULL;
    return curl_easy_setopt(easy, CURLOPT_HTTPHEADER, call->line_count ? call->lines : NULL) == CURLE_OK
               ? 0
               : KANAL_E_BUSY;
}
