/* config/network.c */
#include <arpa/inet.h>
#include <string.h>
#include "json/formats.h"
#include "kanal/sdk/str.h"
#include "kanal/sdk/url.h"
#include "network.h"

/* AF_INET, AF_INET6, or 0: no literal address. */
static int address_family(kanal_str text, unsigned char ret_bytes[16])
{
    char copy[INET6_ADDRSTRLEN];

    if (text.len == 0 || text.len >= sizeof copy || memchr(text.ptr, 0, text.len))
        return 0;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = 0;
    if (inet_pton(AF_INET, copy, ret_bytes) == 1)
        return AF_INET;
    return inet_pton(AF_INET6, copy, ret_bytes) == 1 ? AF_INET6 : 0;
}

static int is_number_up_to(kanal_str text, int64_t most)
{
    int64_t number;

    return text.len > 0 && text.len <= 5 && text.ptr[0] >= '0' && text.ptr[0] <= '9' &&
           kanal_str_int(text, &number) == 0 && number <= most;
}

/* Cuts "host:port" or "[v6]:port"; port is absent if there is none. 0: brackets are wrong. */
static int split_port(kanal_str text, kanal_str *ret_host, kanal_str *ret_port, int *ret_brackets)
{
    const char *close;
    size_t end = 0;

    *ret_brackets = text.len > 0 && text.ptr[0] == '[';
    *ret_port = kanal_str_of(NULL, 0);
    if (*ret_brackets) {
        close = memchr(text.ptr, ']', text.len);
        if (!close)
            return 0;
        end = (size_t)(close - text.ptr);
        *ret_host = kanal_str_of(text.ptr + 1, end - 1);
        end++;
    } else {
        while (end < text.len && text.ptr[end] != ':')
            end++;
        *ret_host = kanal_str_of(text.ptr, end);
    }
    if (end < text.len) {
        if (text.ptr[end] != ':')
            return 0;
        *ret_port = kanal_str_of(text.ptr + end + 1, text.len - end - 1);
    }
    return 1;
}

const char *config_listen_wrong(kanal_str text)
{
    kanal_str host, port;
    unsigned char bytes[16];
    int brackets;

    if (!split_port(text, &host, &port, &brackets) || !port.ptr)
        return "expected ADDRESS:PORT such as 127.0.0.1:8080 or [::1]:8080";
    if (!is_number_up_to(port, 65535))
        return "expected a port from 0 to 65535 after the ':'";
    if (address_family(host, bytes) != (brackets ? AF_INET6 : AF_INET))
        return "expected a literal address such as 0.0.0.0, 127.0.0.1 or [::] before the port";
    return NULL;
}

static int has_bits_after(const unsigned char *bytes, size_t size, size_t prefix)
{
    for (size_t bit = prefix; bit < size * 8; bit++)
        if (bytes[bit / 8] >> (7 - bit % 8) & 1)
            return 1;
    return 0;
}

const char *config_network_wrong(kanal_str text)
{
    const char *slash = text.len > 0 ? memchr(text.ptr, '/', text.len) : NULL;
    unsigned char bytes[16];
    int64_t prefix = 0;
    kanal_str length;
    int family;

    if (!slash)
        return "expected a network such as 10.0.0.0/8 (one address: 10.0.0.1/32, ::1/128)";
    length = kanal_str_of(slash + 1, (size_t)(text.ptr + text.len - slash) - 1);
    family = address_family(kanal_str_of(text.ptr, (size_t)(slash - text.ptr)), bytes);
    if (family == 0)
        return "expected an IPv4 or IPv6 address before the '/'";
    if (!is_number_up_to(length, family == AF_INET ? 32 : 128) || kanal_str_int(length, &prefix) != 0)
        return family == AF_INET ? "expected a prefix length from 0 to 32 after the '/'"
                                 : "expected a prefix length from 0 to 128 after the '/'";
    if (has_bits_after(bytes, family == AF_INET ? 4 : 16, (size_t)prefix))
        return "expected only zero bits behind the prefix (10.0.0.0/8, not 10.0.0.1/8)";
    return NULL;
}

const char *config_egress_wrong(kanal_str text)
{
    static const char expected[] = "expected a host name, an address or a network, such as api.example.com, "
                                   "api.example.com:8443 or 10.1.0.0/16";
    kanal_str host, port;
    unsigned char bytes[16];
    int brackets;

    if (text.len > 0 && memchr(text.ptr, '/', text.len))
        return memmem(text.ptr, text.len, "://", 3) ? "expected a host, not a URL"
                                                    : config_network_wrong(text);
    if (address_family(text, bytes) == AF_INET6)
        return NULL;
    if (!split_port(text, &host, &port, &brackets))
        return expected;
    if (port.ptr && (!is_number_up_to(port, 65535) || kanal_str_is(port, "0")))
        return "expected a port from 1 to 65535 after the ':'";
    if (brackets)
        return address_family(host, bytes) == AF_INET6 ? NULL : expected;
    return json_format_hostname(host) ? NULL : expected;
}

const char *config_broker_url_wrong(kanal_str text)
{
    static const char expected[] = "expected nats://HOST:PORT or tls://HOST:PORT";
    kanal_str rest, host, port;
    unsigned char bytes[16];
    const char *sign;
    int brackets;

    if (!kanal_str_starts(text, "nats://") && !kanal_str_starts(text, "tls://"))
        return expected;
    rest = kanal_str_from(text, text.ptr[0] == 'n' ? 7 : 6);
    sign = rest.len > 0 ? memrchr(rest.ptr, '@', rest.len) : NULL;
    if (sign)
        rest = kanal_str_from(rest, (size_t)(sign - rest.ptr) + 1);
    if (!split_port(rest, &host, &port, &brackets) || (port.ptr && !is_number_up_to(port, 65535)))
        return expected;
    if (brackets)
        return address_family(host, bytes) == AF_INET6 ? NULL : expected;
    return json_format_hostname(host) ? NULL : expected;
}

const char *config_public_url_wrong(kanal_str text)
{
    struct kanal_url url;

    if (kanal_url_parse(text, &url) != 0 ||
        !(kanal_str_is(url.scheme, "https") || kanal_str_is(url.scheme, "http")))
        return "expected a URL such as https://hub.example.com";
    if (url.userinfo.ptr || url.query.ptr || url.fragment.ptr)
        return "expected a URL without user, query and fragment, such as https://hub.example.com";
    return NULL;
}
