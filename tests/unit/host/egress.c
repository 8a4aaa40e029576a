#include <criterion/criterion.h>

#include <arpa/inet.h>

#include "host/channel.h"
#include "host/services/egress.h"
#include "kanal/sdk/str.h"

static int granted(const char *pattern, const char *text)
{
    char copy[64];
    char *patterns[] = { copy, NULL };
    struct channel channel = { .egress = patterns };
    struct kanal_url url;
    snprintf(copy, sizeof copy, "%s", pattern);
    cr_assert_eq(kanal_url_parse(kanal_str_c(text), &url), 0, "%s", text);
    return egress_granted(&channel, &url);
}

Test(egress, grants_what_it_names_and_nothing_else)
{
    static const struct {
        const char *pattern, *url;
        int expected;
    } cases[] = {
        { "api.example.com", "https://api.example.com/x", 1 },
        { "api.example.com", "https://API.Example.COM:8443/x", 1 },
        { "api.example.com", "https://api.example.com.evil.org/", 0 },
        { "api.example.com", "https://xapi.example.com/", 0 },
        { "api.example.com:8443", "https://api.example.com:8443/", 1 },
        { "api.example.com:8443", "https://api.example.com/", 0 },
        { "api.example.com:443", "https://api.example.com/", 1 },
        { "api.example.com:80", "http://api.example.com/", 1 },
        { "*.example.com", "https://a.b.example.com/", 1 },
        { "*.example.com", "https://example.com/", 0 },
        { "*.example.com", "https://evilexample.com/", 0 },
        { "10.1.0.0/16", "http://10.1.255.255/", 1 },
        { "10.1.0.0/16", "http://10.2.0.0/", 0 },
        { "10.1.0.0/15", "http://10.0.0.1:8080/", 1 },
        { "10.1.0.0/16", "http://10.1.0.1.example.com/", 0 },
        { "0.0.0.0/0", "http://192.0.2.1/", 1 },
        { "0.0.0.0/0", "http://[2001:db8::1]/", 0 },
        { "fd00::/8", "http://[fd12:3456::1]/", 1 },
        { "fd00::/8", "http://[fe80::1]/", 0 },
        { "10.1.0.0/33", "http://10.1.0.0/", 0 },
        { "10.1.0.0/x", "http://10.1.0.0/", 0 },
        { "::1", "http://[::1]/", 1 },
        { "[::1]", "http://[::1]:99/", 1 },
        { "[::1]:99", "http://[::1]:99/", 1 },
        { "[::1]:99", "http://[::1]:98/", 0 },
        { "", "http://a/", 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        cr_expect_eq(granted(cases[i].pattern, cases[i].url), cases[i].expected, "%s for %s",
                     cases[i].pattern, cases[i].url);
}

static int is_private(const char *text)
{
    struct sockaddr_in v4 = { .sin_family = AF_INET };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
        return address_is_private((struct sockaddr *)&v4);
    cr_assert_eq(inet_pton(AF_INET6, text, &v6.sin6_addr), 1, "%s", text);
    return address_is_private((struct sockaddr *)&v6);
}

Test(egress, knows_the_addresses_that_are_not_on_the_internet)
{
    static const char *const private[] = {
        "127.0.0.1",
        "127.255.255.255",
        "10.0.0.1",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "198.18.0.1",
        "::1",
        "::",
        "fe80::1",
        "fec0::1",
        "fc00::1",
        "fd00::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b:1::1",
        "2002:7f00:1::1",
        "2001::1",
        "100::1",
    };
    static const char *const public[] = { "8.8.8.8",       "172.15.0.1",           "172.32.0.1",
                                          "192.167.0.1",   "100.128.0.1",          "169.253.0.1",
                                          "1.1.1.1",       "2001:4860:4860::8888", "2a00:1450::1",
                                          "::ffff:8.8.8.8" };
    for (size_t i = 0; i < sizeof private / sizeof *private; i++)
        cr_expect(is_private(private[i]), "%s", private[i]);
    for (size_t i = 0; i < sizeof public / sizeof *public; i++)
        cr_expect_not(is_private(public[i]), "%s", public[i]);
    struct sockaddr unix_address = { .sa_family = AF_UNIX };
    cr_expect(address_is_private(&unix_address));
}
