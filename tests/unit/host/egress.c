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

static int granted_port(const char *pattern, const char *host, const char *port)
{
    char copy[64];
    char *patterns[] = { copy, NULL };
    struct channel channel = { .egress = patterns };
    struct kanal_url url = { .scheme = KANAL_LIT("tcp"),
                             .host = kanal_str_c(host),
                             .port = kanal_str_c(port) };
    snprintf(copy, sizeof copy, "%s", pattern);
    return egress_granted_port(&channel, &url);
}

Test(egress, what_is_no_http_is_granted_with_its_port_only)
{
    cr_expect(granted_port("smsc.example.com:2775", "smsc.example.com", "2775"));
    cr_expect(granted_port("*.example.com:2775", "a.example.com", "2775"));
    cr_expect(granted_port("[::1]:7", "::1", "7"));
    cr_expect_not(granted_port("smsc.example.com:2775", "smsc.example.com", "22"));
    cr_expect_not(granted_port("smsc.example.com", "smsc.example.com", "2775"));
    cr_expect_not(granted_port("*.example.com", "a.example.com", "80"));
    cr_expect_not(granted_port("10.0.0.0/8", "10.0.0.1", "80"));
    cr_expect_not(granted_port("[::1]", "::1", "80"));
    cr_expect_not(granted_port("::1", "::1", "1"), "an address, not a port");
}

Test(egress, the_place_of_a_url_setting)
{
    static const struct {
        const char *setting, *expected;
    } cases[] = {
        { "imaps://mail.example.com", "mail.example.com:993" },
        { "smtp://mail.example.com/", "mail.example.com:587" },
        { "smpp://10.0.0.5:2776", "10.0.0.5:2776" },
        { "mqtts://[2001:db8::1]", "[2001:db8::1]:8883" },
        { "https://api.example.com/x", "api.example.com" },
        { "tcp://mail.example.com", NULL },
        { "imaps://user@mail.example.com", NULL },
        { "imaps://mail.example.com/INBOX", NULL },
        { "imaps://mail.example.com:0", NULL },
        { "imaps://mail.example.com:65536", NULL },
        { "gopher://mail.example.com:70", NULL },
        { "imaps:mail.example.com", NULL },
        { "imaps", NULL },
        { "", NULL },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        static const char *const wanted[] = { "${setting:url}", NULL };
        char settings[128];
        snprintf(settings, sizeof settings, "{\"url\":\"%s\"}", cases[i].setting);
        struct config_channel config = { .settings = kanal_str_c(settings) };
        struct plugin plugin = { .descriptor = { .egress = wanted } };
        struct channel channel = { .config = &config, .plugin = &plugin };
        cr_assert_eq(egress_init(&channel), 0);
        if (cases[i].expected)
            cr_expect_str_eq(channel.egress[0] ? channel.egress[0] : "", cases[i].expected, "%s",
                             cases[i].setting);
        else
            cr_expect_null(channel.egress[0], "%s", cases[i].setting);
        for (char **pattern = channel.egress; *pattern; pattern++)
            free(*pattern);
        free(channel.egress);
    }
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
