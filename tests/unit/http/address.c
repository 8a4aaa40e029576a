#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include "http/server_address.h"
#include "kanal/sdk/str.h"

static struct http_address address(const char *text)
{
    struct http_address a;

    cr_assert_eq(http_address_parse(kanal_str_c(text), &a), 0, "%s was refused", text);
    return a;
}

static void reads_as(const char *text, const char *expected)
{
    struct http_address a = address(text);
    char out[HTTP_ADDRESS_TEXT];

    cr_assert_eq(http_address_format(&a, out), strlen(expected));
    cr_assert_str_eq(out, expected);
}

static void is_none(const char *text)
{
    struct http_address a;

    cr_assert_eq(http_address_parse(kanal_str_c(text), &a), KANAL_E_INVALID, "%s was accepted", text);
}

Test(address, reads_what_proxies_write)
{
    reads_as("192.0.2.1", "192.0.2.1");
    reads_as("192.0.2.1:8080", "192.0.2.1");
    reads_as("2001:DB8::1", "2001:db8::1");
    reads_as("[2001:db8::1]", "2001:db8::1");
    reads_as("[2001:db8::1]:443", "2001:db8::1");
    reads_as("::ffff:192.0.2.1", "192.0.2.1");
    reads_as("::", "::");
}

Test(address, refuses_everything_else)
{
    struct http_address a;

    is_none("");
    is_none("unknown");
    is_none("_hidden");
    is_none("192.0.2.256");
    is_none("192.0.2.1:");
    is_none("192.0.2.1:x");
    is_none("192.0.2.1:99999");
    is_none("[192.0.2.1]");
    is_none("[192.0.2.1]:80");
    is_none("[::1");
    is_none("[::1]80");
    is_none("[::1]:");
    is_none("::1%eth0");
    is_none("1");
    is_none("00000000000000000000000000000000000000000000000000000000000");
    cr_assert_eq(http_address_parse(kanal_str_of("1.1.1.1\0x", 9), &a), KANAL_E_INVALID);
}

Test(address, an_ipv4_client_is_the_same_on_an_ipv6_listener)
{
    struct sockaddr_in in = { .sin_family = AF_INET };
    struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
    struct sockaddr other = { .sa_family = AF_UNIX };
    struct http_address a, b;

    inet_pton(AF_INET, "192.0.2.7", &in.sin_addr);
    inet_pton(AF_INET6, "::ffff:192.0.2.7", &in6.sin6_addr);
    cr_assert_eq(http_address_from((struct sockaddr *)&in, &a), 0);
    cr_assert_eq(http_address_from((struct sockaddr *)&in6, &b), 0);
    cr_assert(memcmp(&a, &b, sizeof a) == 0);
    cr_assert_eq(http_address_from(&other, &a), KANAL_E_INVALID);
}

static int in_range(const char *range, const char *text)
{
    struct http_address a = address(text);
    struct http_cidr c;

    cr_assert_eq(http_cidr_parse(kanal_str_c(range), &c), 0, "%s was refused", range);
    return http_cidr_match(&c, 1, &a);
}

Test(cidr, matches)
{
    cr_assert(in_range("10.0.0.0/8", "10.255.0.1"));
    cr_assert_not(in_range("10.0.0.0/8", "11.0.0.1"));
    cr_assert(in_range("192.168.4.0/22", "192.168.7.255"));
    cr_assert_not(in_range("192.168.4.0/22", "192.168.8.0"));
    cr_assert(in_range("192.0.2.1", "192.0.2.1"));
    cr_assert_not(in_range("192.0.2.1", "192.0.2.2"));
    cr_assert(in_range("0.0.0.0/0", "203.0.113.9"));
    cr_assert_not(in_range("0.0.0.0/0", "2001:db8::1"));
    cr_assert(in_range("fd00::/8", "fdff::1"));
    cr_assert_not(in_range("fd00::/8", "fe00::1"));
    cr_assert(in_range("2001:db8::/33", "2001:db8:7fff::1"));
    cr_assert_not(in_range("2001:db8::/33", "2001:db8:8000::1"));
    cr_assert(in_range("::1", "::1"));
}

Test(cidr, refuses)
{
    static const char *const bad[] = { "",           "/8",        "10.0.0.0/",  "10.0.0.0/33", "10.0.0.0/-1",
                                       "10.0.0.1/8", "fd00::1/8", "fd00::/129", "10.0.0.0/8x", "10.0.0.0/+8",
                                       "[::1]/128",  "host/8" };
    struct http_cidr c;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_assert_eq(http_cidr_parse(kanal_str_c(bad[i]), &c), KANAL_E_INVALID, "%s was accepted", bad[i]);
}

static void client_is(const char *first, const char *second, const char *expected)
{
    struct http_cidr trusted[2];
    struct http_address peer = address("10.0.0.1"), client;
    kanal_field headers[] = { { KANAL_LIT("host"), KANAL_LIT("x") },
                              { KANAL_LIT("x-forwarded-for"), kanal_str_c(first) },
                              { KANAL_LIT("x-forwarded-for"), kanal_str_c(second) } };
    char out[HTTP_ADDRESS_TEXT];

    http_cidr_parse(KANAL_LIT("10.0.0.0/8"), &trusted[0]);
    http_cidr_parse(KANAL_LIT("fd00::/8"), &trusted[1]);
    http_forwarded_client(trusted, 2, headers, second ? 3 : 2, &peer, &client);
    http_address_format(&client, out);
    cr_assert_str_eq(out, expected, "%s | %s gave %s", first, second ? second : "", out);
}

Test(forwarded, the_rightmost_untrusted_address_is_the_client)
{
    client_is("203.0.113.9", NULL, "203.0.113.9");
    client_is("1.2.3.4, 203.0.113.9", NULL, "203.0.113.9");
    client_is("1.2.3.4,203.0.113.9 ,10.1.1.1,\t10.2.2.2", NULL, "203.0.113.9");
    client_is("203.0.113.9, fd00::5", NULL, "203.0.113.9");
    client_is("1.2.3.4", "203.0.113.9", "203.0.113.9");
    client_is("203.0.113.9", "10.1.1.1", "203.0.113.9");
    client_is("[2001:db8::9]:1234", NULL, "2001:db8::9");
    client_is("203.0.113.9,,", NULL, "203.0.113.9");
}

Test(forwarded, all_trusted_gives_the_leftmost)
{
    client_is("10.3.3.3, 10.1.1.1", NULL, "10.3.3.3");
}

Test(forwarded, what_stands_left_of_no_address_is_not_believed)
{
    client_is("1.2.3.4, unknown", NULL, "10.0.0.1");
    client_is("1.2.3.4, unknown, 10.1.1.1", NULL, "10.1.1.1");
    client_is("", NULL, "10.0.0.1");
}

Test(table, counts_and_forgets)
{
    struct http_address_table t = { 0 };
    struct http_address a = address("192.0.2.1"), b = address("192.0.2.2");

    cr_assert_eq(http_address_table_get(&t, &a), 0);
    http_address_table_remove(&t, &a);
    cr_assert_eq(http_address_table_add(&t, &a), 0);
    cr_assert_eq(http_address_table_add(&t, &a), 0);
    cr_assert_eq(http_address_table_add(&t, &b), 0);
    cr_assert_eq(http_address_table_get(&t, &a), 2);
    cr_assert_eq(http_address_table_get(&t, &b), 1);
    http_address_table_remove(&t, &a);
    cr_assert_eq(http_address_table_get(&t, &a), 1);
    http_address_table_remove(&t, &a);
    cr_assert_eq(http_address_table_get(&t, &a), 0);
    cr_assert_eq(t.used, 1);
    http_address_table_release(&t);
}

Test(table, grows)
{
    struct http_address_table t = { 0 };
    char text[32];

    for (unsigned i = 0; i < 1000; i++) {
        struct http_address a;

        snprintf(text, sizeof text, "10.0.%u.%u", i / 250, i % 250);
        a = address(text);
        cr_assert_eq(http_address_table_add(&t, &a), 0);
    }
    for (unsigned i = 0; i < 1000; i++) {
        struct http_address a;

        snprintf(text, sizeof text, "10.0.%u.%u", i / 250, i % 250);
        a = address(text);
        cr_assert_eq(http_address_table_get(&t, &a), 1);
        http_address_table_remove(&t, &a);
    }
    cr_assert_eq(t.used, 0);
    http_address_table_release(&t);
}

Test(table, an_ipv6_customer_is_one_64)
{
    struct http_address_table t = { 0 };
    struct http_address a = address("2001:db8:0:1::1"), b = address("2001:db8:0:1:ffff::2"),
                        c = address("2001:db8:0:2::1");

    cr_assert_eq(http_address_table_add(&t, &a), 0);
    cr_assert_eq(http_address_table_get(&t, &b), 1);
    cr_assert_eq(http_address_table_get(&t, &c), 0);
    http_address_table_release(&t);
}
