/* A URL that the client takes has one host only: libcurl finds in it what kanal_url_parse() finds, which the grants go by. */
#include "http/client_private.h"
#include "kanal/sdk/str.h"
#include "kanal/sdk/url.h"

static void check(int holds)
{
    if (!holds)
        __builtin_trap();
}

/* libcurl rewrites numbers to addresses, and names that are not ASCII; what it makes of a plain name is the name. */
static int is_plain(kanal_str host)
{
    int has_letter = 0;

    for (size_t i = 0; i < host.len; i++) {
        char c = host.ptr[i];
        int is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!is_letter && !(c >= '0' && c <= '9') && c != '-' && c != '.')
            return 0;
        has_letter |= is_letter && c != 'x' && c != 'X' && !(c >= 'a' && c <= 'f') && !(c >= 'A' && c <= 'F');
    }
    return has_letter;
}

static void compare(const char *url, kanal_str text)
{
    CURLU *theirs = curl_url();
    struct kanal_url ours;
    char *host = NULL;

    if (curl_url_set(theirs, CURLUPART_URL, url, CURLU_PATH_AS_IS) == CURLUE_OK &&
        kanal_url_parse(text, &ours) == KANAL_OK && is_plain(ours.host)) {
        check(curl_url_get(theirs, CURLUPART_HOST, &host, 0) == CURLUE_OK);
        check(kanal_str_equal_nocase(kanal_str_c(host), ours.host));
        check(ours.userinfo.len == 0);
    }
    curl_free(host);
    curl_url_cleanup(theirs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct http_client *client;
    struct http_out out = { .method = KANAL_LIT("POST"), .url = kanal_str_of((const char *)data, size) };
    kanal_field field = { KANAL_LIT("x"), out.url };
    struct http_call *call;

    if (!client && http_client_new(&client, uv_default_loop(), NULL) != 0)
        return 0;
    call = http_call_take(client, &client->requests);
    if (http_request_build(call, &out) == 0) {
        check(strlen(call->text.data) == size);
        compare(call->text.data, out.url);
    }
    http_call_drop(call);

    call = http_call_take(client, &client->requests);
    out.url = KANAL_LIT("http://a/");
    out.headers = &field;
    out.header_count = 1;
    if (http_request_build(call, &out) == 0)
        check(!strpbrk(call->lines[0].data, "\r\n"));
    http_call_drop(call);
    return 0;
}
