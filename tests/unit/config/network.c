#include <criterion/criterion.h>
#include "config/network.h"
#include "kanal/sdk/str.h"

typedef const char *check_fn(kanal_str);

static void expect_all(check_fn *check, const char *const *right, const char *const *wrong)
{
    for (; *right; right++)
        cr_expect_null(check(kanal_str_c(*right)), "%s: %s", *right, check(kanal_str_c(*right)));
    for (; *wrong; wrong++)
        cr_expect_not_null(check(kanal_str_c(*wrong)), "%s", *wrong);
}

Test(network, listen)
{
    static const char *const right[] = { "127.0.0.1:8080", "0.0.0.0:0", "[::1]:8080", "[::]:65535", NULL };
    static const char *const wrong[] = { "",
                                         "8080",
                                         ":8080",
                                         "localhost:8080",
                                         "127.0.0.1",
                                         "127.0.0.1:",
                                         "127.0.0.1:65536",
                                         "::1:80",
                                         "[127.0.0.1]:80",
                                         "[::1]",
                                         "[::1:80",
                                         "[::1]x:80",
                                         "127.0.0.1:80:80",
                                         "127.0.0.1:-1",
                                         "127.0.0.1:+1",
                                         "1.2.3:80",
                                         NULL };

    expect_all(config_listen_wrong, right, wrong);
}

Test(network, networks)
{
    static const char *const right[] = { "10.0.0.0/8", "0.0.0.0/0", "192.168.1.7/32",
                                         "fd00::/8",   "::1/128",   "172.16.0.0/12",
                                         NULL };
    static const char *const wrong[] = {
        "",         "10.0.0.0",      "10.0.0.0/",   "10.0.0.0/33", "10.0.0.1/8",  "fd00::/129",   "fd00::1/8",
        "10.0.0/8", "example.com/8", "10.0.0.0/8 ", "/8",          "10.0.0.0/-1", "10.0.0.0/8/8", NULL
    };

    expect_all(config_network_wrong, right, wrong);
}

Test(network, egress)
{
    static const char *const right[] = { "api.telegram.org",
                                         "api.telegram.org:8443",
                                         "localhost",
                                         "10.1.2.3",
                                         "10.1.2.3:80",
                                         "10.0.0.0/8",
                                         "[::1]:80",
                                         "[::1]",
                                         "::1",
                                         "fd00::/8",
                                         "xn--80ak.xn--p1ai",
                                         NULL };
    static const char *const wrong[] = { "",
                                         "https://api.telegram.org",
                                         "*.telegram.org",
                                         "a b",
                                         "api.telegram.org:",
                                         "api.telegram.org:0",
                                         "a:65536",
                                         "[::1",
                                         "[1.2.3.4]",
                                         "10.0.0.1/8",
                                         "host/path",
                                         "-a.b",
                                         "a_b",
                                         NULL };

    expect_all(config_egress_wrong, right, wrong);
}

Test(network, broker_urls)
{
    static const char *const right[] = { "nats://n1",
                                         "nats://n1:4222",
                                         "tls://n1.example.com:443",
                                         "nats://user:p%40ss@n1:4222",
                                         "nats://127.0.0.1:4222",
                                         "nats://[::1]:4222",
                                         "nats://token@n1",
                                         NULL };
    static const char *const wrong[] = { "",           "n1:4222",     "http://n1:4222",
                                         "nats://",    "nats://n1:x", "nats://n1:4222/path",
                                         "nats://a b", "tls://[::1",  "nats://u@",
                                         NULL };

    expect_all(config_broker_url_wrong, right, wrong);
}

Test(network, public_urls)
{
    static const char *const right[] = { "https://hub.example.com", "http://127.0.0.1:8080",
                                         "https://example.com/kanal/", NULL };
    static const char *const wrong[] = { "",
                                         "hub.example.com",
                                         "ftp://hub.example.com",
                                         "https://",
                                         "https://u:p@hub.example.com",
                                         "https://hub.example.com/?x=1",
                                         "https://hub.example.com/#x",
                                         "ws://hub.example.com",
                                         NULL };

    expect_all(config_public_url_wrong, right, wrong);
}
