#include "host/services/place.h"

#include "kanal/sdk/str.h"
#include "kanal/sdk/url.h"

/* IANA's registry of service names; of smtp the port of submission (RFC 6409). */
static const struct {
    const char *scheme;
    uint32_t port;
} known[] = {
    { "imap", 143 },   { "imaps", 993 }, { "smtp", 587 },   { "smtps", 465 }, { "smpp", 2775 },
    { "smpps", 3550 }, { "mqtt", 1883 }, { "mqtts", 8883 }, { "tcp", 0 },     { "tls", 0 },
};

static int copy(char *into, size_t size, kanal_str text)
{
    if (text.len == 0 || text.len >= size)
        return -1;
    memcpy(into, text.ptr, text.len);
    into[text.len] = 0;
    return 0;
}

/* The scheme of a URL that kanal_url_parse() knows is put in its place: the rest is the same (RFC 3986). */
static int parse_rest(kanal_str rest, uint32_t port, struct place *place)
{
    struct kanal_buffer http = { 0 };
    struct kanal_url url;
    int64_t number = port;
    int status = KANAL_E_INVALID;
    kanal_buffer_text(&http, "http");
    kanal_buffer_str(&http, rest);
    if (kanal_url_parse(kanal_buffer_view(&http), &url) == 0 && url.userinfo.len == 0 &&
        (url.path.len == 0 || kanal_str_is(url.path, "/")) && url.query.len == 0 && url.fragment.len == 0 &&
        copy(place->host, sizeof place->host, url.host) == 0 &&
        (url.port.len == 0 || kanal_str_int(url.port, &number) == 0) && number > 0 && number <= 65535) {
        place->port = (uint32_t)number;
        status = 0;
    }
    kanal_buffer_release(&http);
    return status;
}

int place_parse(kanal_str url, struct place *ret_place)
{
    const char *colon = url.len > 0 ? memchr(url.ptr, ':', url.len) : NULL;
    struct place place = { 0 };
    if (!colon || memchr(url.ptr, '?', url.len) || memchr(url.ptr, '#', url.len) ||
        copy(place.scheme, sizeof place.scheme, kanal_str_of(url.ptr, (size_t)(colon - url.ptr))) != 0)
        return KANAL_E_INVALID;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (kanal_str_is(kanal_str_c(place.scheme), known[i].scheme)) {
            int status = parse_rest(kanal_str_from(url, (size_t)(colon - url.ptr)), known[i].port, &place);
            if (status == 0)
                *ret_place = place;
            return status;
        }
    return KANAL_E_INVALID;
}
