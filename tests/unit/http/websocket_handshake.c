#include <criterion/criterion.h>
#include <string.h>
#include "http/websocket_handshake.h"
#include "kanal/sdk/str.h"

#define KEY "dGhlIHNhbXBsZSBub25jZQ==" /* RFC 6455, 1.3 */

static kanal_field fields[8];
static size_t field_count;

static void set(const char *name, const char *value)
{
    for (size_t i = 0; i < field_count; i++)
        if (kanal_str_is(fields[i].name, name)) {
            fields[i].value = kanal_str_c(value);
            return;
        }
    fields[field_count++] = (kanal_field){ kanal_str_c(name), kanal_str_c(value) };
}

static void add(const char *name, const char *value)
{
    fields[field_count++] = (kanal_field){ kanal_str_c(name), kanal_str_c(value) };
}

static void good_request(void)
{
    field_count = 0;
    set("upgrade", "websocket");
    set("connection", "Upgrade");
    set("sec-websocket-version", "13");
    set("sec-websocket-key", KEY);
}

static enum websocket_handshake check(void)
{
    kanal_str key = { 0 };
    enum websocket_handshake result = websocket_check(KANAL_LIT("GET"), 1, fields, field_count, &key);

    cr_assert((result == WEBSOCKET_GOOD) == (key.len == 24));
    return result;
}

Test(handshake, accepts_the_rfcs_example)
{
    char accept[WEBSOCKET_ACCEPT_SIZE];

    good_request();
    cr_assert_eq(check(), WEBSOCKET_GOOD);
    websocket_accept(KANAL_LIT(KEY), accept);
    cr_assert_str_eq(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

Test(handshake, tokens_are_lists_in_any_case)
{
    good_request();
    set("connection", "keep-alive , UPGRADE");
    set("upgrade", "h2c,\tWebSocket");
    cr_assert_eq(check(), WEBSOCKET_GOOD);
    set("connection", "keep-alive");
    add("connection", "upgrade");
    cr_assert_eq(check(), WEBSOCKET_GOOD);
}

Test(handshake, an_ordinary_request_is_none)
{
    kanal_str key;

    good_request();
    set("connection", "keep-alive");
    cr_assert_eq(check(), WEBSOCKET_NONE);
    good_request();
    set("upgrade", "h2c");
    cr_assert_eq(check(), WEBSOCKET_NONE);
    set("upgrade", "websockets");
    cr_assert_eq(check(), WEBSOCKET_NONE);
    good_request();
    set("connection", "upgrades");
    cr_assert_eq(check(), WEBSOCKET_NONE);
    good_request();
    cr_assert_eq(websocket_check(KANAL_LIT("GET"), 0, fields, field_count, &key), WEBSOCKET_NONE);
    cr_assert_eq(websocket_check(KANAL_LIT("GET"), 1, fields, 0, &key), WEBSOCKET_NONE);
}

Test(handshake, other_versions_are_told_apart)
{
    good_request();
    set("sec-websocket-version", "8");
    cr_assert_eq(check(), WEBSOCKET_VERSION);
    set("sec-websocket-version", "13, 8");
    cr_assert_eq(check(), WEBSOCKET_VERSION);
    set("sec-websocket-version", "");
    cr_assert_eq(check(), WEBSOCKET_VERSION);
    good_request();
    add("sec-websocket-version", "13");
    cr_assert_eq(check(), WEBSOCKET_VERSION);
}

Test(handshake, the_key_is_sixteen_bytes)
{
    static const char *const bad[] = { "",
                                       "dGhlIHNhbXBsZSBub25jZQ",
                                       "dGhlIHNhbXBsZSBub25jZQ=",
                                       "dGhlIHNhbXBsZSBub25jZR==",
                                       "dGhlIHNhbXBsZSBub25j!Q==",
                                       "dGhlIHNhbXBsZSBub25jZQAA",
                                       "dGhlIHNhbXBsZSBub25jZQ==AAAA" };
    kanal_str key;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        good_request();
        set("sec-websocket-key", bad[i]);
        cr_assert_eq(check(), WEBSOCKET_BAD, "%s", bad[i]);
    }
    good_request();
    add("sec-websocket-key", KEY);
    cr_assert_eq(check(), WEBSOCKET_BAD);
    good_request();
    cr_assert_eq(websocket_check(KANAL_LIT("POST"), 1, fields, field_count, &key), WEBSOCKET_BAD);
}
