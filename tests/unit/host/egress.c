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

static struct sockaddr_storage address_of(const char *text, unsigned port)
{
    struct sockaddr_storage storage = { 0 };
    struct sockaddr_in *v4 = (struct sockaddr_in *)&storage;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&storage;
    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons((uint16_t)port);
        return storage;
    }
    cr_assert_eq(inet_pton(AF_INET6, text, &v6->sin6_addr), 1, "%s", text);
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons((uint16_t)port);
    return storage;
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
    return egress_gate_of_port(&channel, &url) != NULL;
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
    struct sockaddr_storage address = address_of(text, 0);
    return address_is_private((struct sockaddr *)&address);
}

Test(egress, knows_the_addresses_that_are_not_on_the_internet)
{
    static const char private[] =
        "127.0.0.1 127.255.255.255 10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1 169.254.169.254 100.64.0.1 "
        "0.0.0.0 224.0.0.1 255.255.255.255 240.0.0.1 198.18.0.1 192.0.0.1 192.0.2.1 198.51.100.7 "
        "203.0.113.7 192.88.99.1 ::1 :: fe80::1 fec0::1 fc00::1 fd00::1 ff02::1 ::ffff:127.0.0.1 "
        "::ffff:10.0.0.1 ::ffff:169.254.169.254 ::127.0.0.1 ::8.8.8.8 64:ff9b::7f00:1 64:ff9b::a00:1 "
        "64:ff9b:1::1 64:ff9b:1::808:808 2002:7f00:1::1 2002:808:808::1 2001::1 2001:db8::1 3fff::1 "
        "100::1 5f00::1 fe80::5efe:808:808 2a00:1450::5efe:7f00:1 2a00:1450::200:5efe:a00:1 4000::1";
    static const char public[] = "8.8.8.8 172.15.0.1 172.32.0.1 192.167.0.1 100.128.0.1 169.253.0.1 1.1.1.1 "
                                 "192.0.1.1 198.20.0.1 223.255.255.255 2001:4860:4860::8888 2001:200::1 "
                                 "2a00:1450::1 2003::1 ::ffff:8.8.8.8 64:ff9b::808:808 "
                                 "2a00:1450::5efe:808:808";
    char copy[1024], *rest;
    snprintf(copy, sizeof copy, "%s", private);
    for (char *text = strtok_r(copy, " ", &rest); text; text = strtok_r(NULL, " ", &rest))
        cr_expect(is_private(text), "%s", text);
    snprintf(copy, sizeof copy, "%s", public);
    for (char *text = strtok_r(copy, " ", &rest); text; text = strtok_r(NULL, " ", &rest))
        cr_expect_not(is_private(text), "%s", text);
    struct sockaddr unix_address = { .sa_family = AF_UNIX };
    cr_expect(address_is_private(&unix_address));
    cr_expect(address_is_never_a_host(&unix_address));
}

/* ---- Gates ---- */

struct list {
    struct config_channel config;
    struct plugin plugin;
    struct channel channel;
};

static void list_init(struct list *list, const char *const *by_operator, const char *const *by_plugin)
{
    *list = (struct list){ .config = { .egress = by_operator, .settings = KANAL_LIT("{}") } };
    list->plugin.descriptor.egress = by_plugin;
    list->channel.config = &list->config;
    list->channel.plugin = &list->plugin;
    cr_assert_eq(egress_init(&list->channel), 0);
}

static void list_release(struct list *list)
{
    for (char **one = list->channel.egress; *one; one++)
        free(*one);
    free(list->channel.egress);
}

/* 1, 0, or -1: the URL is not granted at all. */
static int reaches(struct list *list, const char *text, const char *address, unsigned port)
{
    struct sockaddr_storage to = address_of(address, port);
    struct kanal_url url;
    cr_assert_eq(kanal_url_parse(kanal_str_c(text), &url), 0);
    void *gate = egress_gate_of(&list->channel, &url);
    return gate ? egress_allow(gate, (struct sockaddr *)&to) : -1;
}

Test(egress, what_a_name_leads_to_is_asked_about)
{
    static const char *const listed[] = {
        "api.example.com", "inner.example.com:8080", "10.2.0.0/16",    "192.168.7.7:8443", "crm",
        "crm.internal:80", "[fd00::7]:90",           "127.0.0.1:8080", "fd00:9::/32",      NULL
    };
    static const struct {
        const char *url, *address;
        unsigned port;
        int expected;
    } cases[] = {
        { "https://api.example.com/", "8.8.8.8", 443, 1 },
        { "https://api.example.com/", "127.0.0.1", 443, 0 }, /* rebound; 127.0.0.1:8080 is another port */
        { "https://api.example.com/", "169.254.169.254", 443, 0 },
        { "https://api.example.com/", "10.1.0.1", 443, 0 },
        { "http://inner.example.com:8080/", "10.2.3.4", 8080, 1 }, /* a listed network */
        { "http://inner.example.com:8080/", "::ffff:10.2.3.4", 8080, 1 },
        { "http://inner.example.com:8080/", "10.3.3.4", 8080, 0 },
        { "http://inner.example.com:8080/", "192.168.7.7", 8080, 0 },
        { "https://api.example.com:8443/", "192.168.7.7", 8443, 1 },
        { "https://api.example.com:8443/", "192.168.7.8", 8443, 0 },
        { "https://192.168.7.7:8443/", "192.168.7.7", 8443, 1 },
        { "https://192.168.7.7/", "192.168.7.7", 443, -1 },
        { "http://127.0.0.1:8080/", "127.0.0.1", 8080, 1 },
        { "http://[fd00::7]:90/", "fd00::7", 90, 1 },
        { "http://[fd00:9::1]/", "fd00:9::1", 80, 1 },
        { "http://[fd00:9::1]/", "fd00:8::1", 80, 0 },
        { "http://crm/", "172.18.0.5", 80, 1 }, /* a name of the network of containers */
        { "http://crm:9000/", "127.0.0.1", 9000, 1 },
        { "http://crm/", "169.254.169.254", 80, 0 },
        { "http://crm/", "::ffff:169.254.169.254", 80, 0 },
        { "http://crm/", "fe80::1", 80, 0 },
        { "http://crm/", "0.0.0.0", 80, 0 },
        { "http://crm.internal/", "10.99.0.1", 80, 1 },
        { "http://other/", "8.8.8.8", 80, -1 },
    };
    struct list list;
    list_init(&list, listed, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        cr_expect_eq(reaches(&list, cases[i].url, cases[i].address, cases[i].port), cases[i].expected,
                     "%s at %s", cases[i].url, cases[i].address);
    list_release(&list);
}

Test(egress, a_plugin_cannot_ask_for_private_addresses)
{
    static const char *const asked[] = { "127.0.0.1", "localhost", "10.0.0.0/8", "api.example.com", NULL };
    struct list list;
    list_init(&list, NULL, asked);
    cr_expect_eq(reaches(&list, "http://127.0.0.1/", "127.0.0.1", 80), 0);
    cr_expect_eq(reaches(&list, "http://localhost/", "::1", 80), 0);
    cr_expect_eq(reaches(&list, "http://10.0.0.1/", "10.0.0.1", 80), 0);
    cr_expect_eq(reaches(&list, "http://api.example.com/", "8.8.8.8", 80), 1);
    list_release(&list);
}

static int leads(struct list *list, enum egress_reach from, const char *url, void **ret_gate)
{
    return egress_redirect(egress_gate(&list->channel, from), kanal_str_c(url), ret_gate);
}

Test(egress, a_redirect_is_asked_about_like_a_request)
{
    static const char *const listed[] = { "api.example.com", "crm", NULL };
    struct list list;
    void *gate = NULL;
    struct sockaddr_storage loopback = address_of("127.0.0.1", 80);
    list_init(&list, listed, NULL);
    cr_expect(leads(&list, EGRESS_LOCAL, "https://api.example.com/file", &gate));
    cr_expect_not(egress_allow(gate, (struct sockaddr *)&loopback), "the local name's gate went along");
    cr_expect(leads(&list, EGRESS_GRANTED, "http://crm/file", &gate));
    cr_expect(egress_allow(gate, (struct sockaddr *)&loopback));
    cr_expect_not(leads(&list, EGRESS_GRANTED, "https://evil.example.org/", &gate));
    cr_expect_not(leads(&list, EGRESS_GRANTED, "https://u@api.example.com/", &gate));
    cr_expect_not(leads(&list, EGRESS_GRANTED, "wss://api.example.com/", &gate));
    cr_expect_not(leads(&list, EGRESS_GRANTED, "file:///etc/passwd", &gate));
    cr_expect_not(leads(&list, EGRESS_OWN, "https://api.example.com/", &gate));
    gate = egress_gate(&list.channel, EGRESS_PUBLIC);
    cr_expect(leads(&list, EGRESS_PUBLIC, "https://anywhere.example.org/", &gate));
    cr_expect_not(egress_allow(gate, (struct sockaddr *)&loopback));
    list_release(&list);
}
