/* Deliveries: which call is made of them, and what becomes of its answer. */
#include <stdio.h>

#include "test/capture.h"

/* The delivery is refused without a call. */
static void expect_refused(const char *type, const char *data, const char *code)
{
    struct fake_host *host = channel_new(NULL);
    kanal_op op = deliver(host, type, data);
    cr_expect_eq(fake_request_count(host), 0, "a call was made for %s", data);
    expect_failed(host, op, KANAL_SCOPE_MESSAGE, code);
    channel_free(host);
}

/* One delivery, one send_message, and one parameter of it. */
static void expect_call_of(const char *settings, const char *data, const char *path, const char *value)
{
    struct fake_host *host = channel_new(settings);
    kanal_op op = send_content(host, data);
    struct call call = call_only(host);
    EXPECT_TEXT(call.method, "send_message");
    EXPECT_TEXT(call_text(&call, "receiver"), USER);
    cr_expect_str_eq(call_text(&call, path), value, "%s: %s is %s, not %s", data, path,
                     call_text(&call, path), value);
    call_free(&call);
    fake_request_answer(host, 0, 200, OK_SENT);
    expect_sent(host, op);
    channel_free(host);
}

#define expect_call(...) expect_call_of(NULL, __VA_ARGS__)

/* ---- Content ---- */

Test(send, text)
{
    expect_call(SEND("[" TEXT("Да & <b>нет</b>") "]"), "text", "Да & <b>нет</b>");
    expect_call(SEND("[" TEXT("a") "," TEXT("b") "]"), "text", "a\n\nb");
    expect_call(SEND("[" TEXT("x") "]"), "type", "text");
    expect_call(SEND("[" TEXT("x") "]"), "sender", "{\"name\":\"Лавка\"}");
    expect_call(SEND("[" TEXT("x") "]"), "min_api_version", "");
    expect_call_of("{\"sender_name\":\"Анна\",\"sender_avatar\":\"https://x.example/a.jpg\"}",
                   SEND("[" TEXT("x") "]"), "sender",
                   "{\"name\":\"Анна\",\"avatar\":\"https://x.example/a.jpg\"}");
    expect_call("{\"provider\":{\"tracking_data\":\"order-5\"},\"content\":[" TEXT("x") "]}", "tracking_data",
                "order-5");
    expect_call("{\"provider\":{\"viber\":{\"min_api_version\":3}},\"content\":[" TEXT("x") "]}",
                "min_api_version", "3");
    expect_call("{\"provider\":{\"receiver\":\"5\",\"broadcast_list\":[\"5\"]},\"content\":[" TEXT("x") "]}",
                "broadcast_list", "");
}

Test(send, a_bare_address_gets_a_preview)
{
    expect_call(SEND("[" TEXT("https://shop.example/1") "]"), "type", "url");
    expect_call(SEND("[" TEXT("https://shop.example/1") "]"), "media", "https://shop.example/1");
    expect_call(SEND("[" TEXT("see https://shop.example/1") "]"), "type", "text");
    expect_call(SEND("[{\"type\":\"text\",\"text\":\"https://shop.example/1\",\"preview\":false}]"), "type",
                "text");
}

#define MEDIA(more) SEND("[{\"url\":\"https://cdn.example.com/a%20b.bin?x=1\"," more "}]")

Test(send, media)
{
    expect_call(MEDIA("\"type\":\"image\",\"caption\":\"Да\""), "type", "picture");
    expect_call(MEDIA("\"type\":\"image\",\"caption\":\"Да\""), "text", "Да");
    expect_call(MEDIA("\"type\":\"image\""), "text", "");
    expect_call(MEDIA("\"type\":\"image\""), "media", "https://cdn.example.com/a%20b.bin?x=1");
    expect_call(MEDIA("\"type\":\"video\",\"size\":1000,\"duration_ms\":12500"), "duration", "12");
    expect_call(MEDIA("\"type\":\"video\",\"size\":1000"), "size", "1000");
    expect_call(MEDIA("\"type\":\"file\",\"size\":1000"), "file_name", "a%20b.bin");
    expect_call(MEDIA("\"type\":\"file\",\"size\":1000,\"name\":\"Счёт.pdf\""), "file_name", "Счёт.pdf");
    expect_call(MEDIA("\"type\":\"file\""), "type", "url");
    expect_call(MEDIA("\"type\":\"video\",\"size\":5,\"caption\":\"c\""), "text",
                "c\n\nhttps://cdn.example.com/a%20b.bin?x=1");
    expect_call(SEND("[{\"type\":\"sticker\",\"provider\":{\"sticker_id\":\"40133\"}}]"), "sticker_id",
                "40133");
    expect_call(MEDIA("\"type\":\"sticker\""), "type", "picture");
    expect_refused("message.send", SEND("[{\"type\":\"image\"}]"), "invalid_content");
}

Test(send, places_and_contacts)
{
    expect_call(SEND("[{\"type\":\"location\",\"lat\":55.75,\"lon\":-37.61}]"), "location",
                "{\"lat\":55.75,\"lon\":-37.61}");
    expect_call(SEND("[{\"type\":\"contact\",\"name\":\"Анна\",\"phones\":[\"+79161234567\"]}]"), "contact",
                "{\"name\":\"Анна\",\"phone_number\":\"+79161234567\"}");
    expect_refused("message.send", SEND("[{\"type\":\"contact\",\"name\":\"Анна\",\"phones\":[]}]"),
                   "unsupported_content");
    expect_refused("message.send", SEND("[{\"type\":\"location\",\"lat\":1}]"), "invalid_content");
}

#define CHOICE(options)                                                                                      \
    SEND("[" TEXT("?") ",{\"type\":\"choice\",\"style\":\"buttons\",\"options\":[" options "]}]")

Test(send, keyboards)
{
    expect_call(CHOICE("{\"text\":\"Да\",\"payload\":\"Y\"},{\"text\":\"Нет\",\"look\":\"negative\"}"),
                "keyboard",
                "{\"Type\":\"keyboard\",\"DefaultHeight\":false,\"Buttons\":[{\"Columns\":3,\"Rows\":1,"
                "\"Silent\":true,\"ActionType\":\"reply\","
                "\"ActionBody\":\"Y\",\"Text\":\"Да\"},{\"Columns\":3,\"Rows\":1,\"ActionType\":\"reply\","
                "\"ActionBody\":\"Нет\",\"Text\":\"Нет\","
                "\"BgColor\":\"#FFC9C9\"}]}");
    expect_call(CHOICE("{\"text\":\"Да\",\"payload\":\"Y\"}"), "min_api_version", "6");
    expect_call(CHOICE("{\"text\":\"a "
                       "<b>\",\"url\":\"https://"
                       "x.example\",\"row\":0},{\"text\":\"b\",\"row\":1},{\"text\":\"c\",\"row\":1}"),
                "keyboard/Buttons",
                "[{\"Columns\":6,\"Rows\":1,\"ActionType\":\"open-url\",\"ActionBody\":\"https://"
                "x.example\",\"Text\":\"a &lt;b&gt;\"},"
                "{\"Columns\":3,\"Rows\":1,\"ActionType\":\"reply\",\"ActionBody\":\"b\",\"Text\":\"b\"},"
                "{\"Columns\":3,\"Rows\":1,\"ActionType\":\"reply\",\"ActionBody\":\"c\",\"Text\":\"c\"}]");
    expect_call(CHOICE("{\"text\":\"Мой номер\",\"request\":\"contact\"}"), "keyboard/Buttons/0/ActionType",
                "share-phone");
    expect_call(CHOICE("{\"text\":\"Где я\",\"request\":\"location\"}"), "min_api_version", "3");
    expect_call(CHOICE("{\"text\":\"Позвонить\",\"phone\":\"+7916\"}"), "keyboard/Buttons/0/ActionBody",
                "tel:+7916");
    expect_call(
        SEND("[" TEXT(
            "?") ",{\"type\":\"choice\",\"style\":\"quick_replies\",\"remove\":true,\"options\":[]}]"),
        "keyboard", "");
    expect_refused("message.send", CHOICE(""), "invalid_content");
    expect_refused("message.send", CHOICE("{\"text\":\"x\",\"url\":\"javascript:alert(1)\"}"),
                   "invalid_content");
    expect_refused("message.send", CHOICE("{\"text\":\"x\",\"request\":\"email\"}"), "unsupported_content");
}

Test(send, rich_media)
{
    expect_call(SEND("[{\"type\":\"card\",\"title\":\"Самовар & "
                     "Ко\",\"text\":\"Медь\",\"price\":\"1990.00\",\"currency\":\"RUB\",\"url\":\"https://"
                     "shop.example/1\","
                     "\"image\":{\"url\":\"https://shop.example/"
                     "1.jpg\"},\"options\":[{\"text\":\"Купить\",\"payload\":\"B\"}]}]"),
                "rich_media",
                "{\"Type\":\"rich_media\",\"ButtonsGroupColumns\":6,\"ButtonsGroupRows\":6,\"BgColor\":\"#"
                "FFFFFF\",\"Buttons\":["
                "{\"Columns\":6,\"Rows\":3,\"ActionType\":\"open-url\",\"ActionBody\":\"https://shop.example/"
                "1\",\"Image\":\"https://shop.example/1.jpg\"},"
                "{\"Columns\":6,\"Rows\":2,\"ActionType\":\"open-url\",\"ActionBody\":\"https://shop.example/"
                "1\",\"Text\":\"<b>Самовар &amp; Ко</b><br>1990.00 RUB<br>Медь\","
                "\"TextVAlign\":\"middle\",\"TextHAlign\":\"left\"},"
                "{\"Columns\":6,\"Rows\":1,\"Silent\":true,\"ActionType\":\"reply\",\"ActionBody\":\"B\","
                "\"Text\":\"Купить\"}]}");
    expect_call(SEND("[{\"type\":\"carousel\",\"cards\":[{\"title\":\"1\",\"image\":{\"url\":\"https://"
                     "x.example/1.jpg\"}},{\"title\":\"2\",\"options\":[{\"text\":\"a\"}]}]}]"),
                "rich_media/Buttons",
                "[{\"Columns\":6,\"Rows\":3,\"ActionType\":\"none\",\"ActionBody\":\"none\",\"Image\":"
                "\"https://x.example/1.jpg\"},"
                "{\"Columns\":6,\"Rows\":2,\"ActionType\":\"none\",\"ActionBody\":\"none\",\"Text\":\"<b>1</"
                "b>\",\"TextVAlign\":\"middle\",\"TextHAlign\":\"left\"},"
                "{\"Columns\":6,\"Rows\":1,\"ActionType\":\"none\",\"ActionBody\":\"none\"},"
                "{\"Columns\":6,\"Rows\":5,\"ActionType\":\"none\",\"ActionBody\":\"none\",\"Text\":\"<b>2</"
                "b>\",\"TextVAlign\":\"middle\",\"TextHAlign\":\"left\"},"
                "{\"Columns\":6,\"Rows\":1,\"ActionType\":\"reply\",\"ActionBody\":\"a\",\"Text\":\"a\"}]");
    expect_call(SEND("[{\"type\":\"carousel\",\"cards\":[{\"title\":\"1\"}]}]"), "min_api_version", "7");
    expect_refused("message.send", SEND("[{\"type\":\"carousel\",\"cards\":[]}]"), "invalid_content");
    expect_refused("message.send",
                   SEND("[{\"type\":\"card\",\"title\":\"x\",\"options\":[{\"text\":\"1\"},{\"text\":\"2\"},{"
                        "\"text\":\"3\"}]}]"),
                   "unsupported_content");
}

Test(send, what_viber_cannot_show_is_refused)
{
    expect_refused("message.send", SEND("[]"), "invalid_content");
    expect_refused("message.send", "not json", "invalid_content");
    expect_refused("message.send", SEND("[{\"type\":\"voice\",\"url\":\"https://x.example/a\"}]"),
                   "unsupported_content");
    expect_refused("message.send", SEND("[" TEXT("x") ",{\"type\":\"location\",\"lat\":1,\"lon\":2}]"),
                   "unsupported_content");
    expect_refused("message.edit", SEND("[" TEXT("x") "]"), "unsupported_verb");
    expect_refused("typing.start", "{}", "unsupported_verb");
}

/* ---- Whom ---- */

Test(target, addresses_of_other_accounts_are_nobody)
{
    static const char *const addresses[] = { "viber:pa%3A1/abc", "viber:abc", "telegram:5",
                                             "viber:pa%3A75346594275468546724/",
                                             "viber:pa%3A75346594275468546724/%zz" };
    struct fake_host *host = channel_new(NULL);
    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
        kanal_delivery delivery = { .address = kanal_str_c(addresses[i]),
                                    .data = KANAL_LIT(SEND("[" TEXT("x") "]")) };
        expect_failed(host, fake_deliver(host, &delivery), KANAL_SCOPE_RECIPIENT, "recipient_unknown");
    }
    channel_free(host);
}

Test(target, a_chat_that_is_not_the_users_own_is_a_group)
{
    struct fake_host *host = channel_new(NULL);
    kanal_delivery delivery = { .address = KANAL_LIT(ADDRESS),
                                .chat = KANAL_LIT("gR0up=="),
                                .data = KANAL_LIT(SEND("[" TEXT("x") "]")) };
    fake_deliver(host, &delivery);
    struct call call = call_only(host);
    EXPECT_TEXT(call_text(&call, "receiver"), USER);
    EXPECT_TEXT(call_text(&call, "chat_id"), "gR0up==");
    call_free(&call);
    fake_request_answer(host, 0, 200, OK_SENT);
    delivery = (kanal_delivery){ .chat = KANAL_LIT("abc"), .data = KANAL_LIT(SEND("[" TEXT("x") "]")) };
    fake_deliver(host, &delivery);
    call = call_only(host);
    EXPECT_TEXT(call_text(&call, "receiver"), "abc");
    EXPECT_TEXT(call_text(&call, "chat_id"), "");
    call_free(&call);
    fake_request_answer(host, 0, 200, OK_SENT);
    channel_free(host);
}

/* ---- Answers ---- */

struct row {
    int http;
    const char *body;
    int32_t outcome, scope;
    const char *code;
};

static const struct row rows[] = {
    { 200, ERROR(12, "tooManyRequests"), KANAL_RETRY, KANAL_SCOPE_CHANNEL, "rate_limited" },
    { 200, ERROR(5, "receiverNotRegistered"), KANAL_FAILED, KANAL_SCOPE_RECIPIENT, "recipient_unknown" },
    { 200, ERROR(6, "receiverNotSubscribed"), KANAL_FAILED, KANAL_SCOPE_RECIPIENT, "opted_out" },
    { 200, ERROR(1, "invalidUrl"), KANAL_FAILED, KANAL_SCOPE_MESSAGE, "invalid_content" },
    { 200, ERROR(2, "invalidAuthToken"), KANAL_FAILED, KANAL_SCOPE_CHANNEL, "auth_failed" },
    { 200, ERROR(3, "badData"), KANAL_FAILED, KANAL_SCOPE_MESSAGE, "invalid_content" },
    { 200, ERROR(7, "publicAccountBlocked"), KANAL_FAILED, KANAL_SCOPE_CHANNEL, "provider_rejected" },
    { 200, ERROR(10, "webhookNotSet"), KANAL_RETRY, KANAL_SCOPE_CHANNEL, "unavailable" },
    { 200, ERROR(11, "receiverNoSuitableDevice"), KANAL_FAILED, KANAL_SCOPE_RECIPIENT,
      "unsupported_content" },
    { 200, ERROR(14, "incompatibleWithVersion"), KANAL_FAILED, KANAL_SCOPE_MESSAGE, "unsupported_content" },
    { 200, ERROR(24, "noBalance"), KANAL_FAILED, KANAL_SCOPE_CHANNEL, "provider_rejected" },
    { 200, ERROR(999, "generalError"), KANAL_FAILED, KANAL_SCOPE_MESSAGE, "provider_error" },
    { 429, "", KANAL_RETRY, KANAL_SCOPE_CHANNEL, "rate_limited" },
    { 502, "<html>", KANAL_RETRY, KANAL_SCOPE_CHANNEL, "provider_error" },
    { 200, "<html>", KANAL_UNKNOWN, 0, "provider_error" },
    { 413, "", KANAL_FAILED, KANAL_SCOPE_MESSAGE, "payload_too_large" },
};

Test(answer, errors_are_told_apart)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fake_host *host = channel_new(NULL);
        kanal_op op = send_content(host, SEND("[" TEXT("x") "]"));
        fake_request_answer(host, 0, rows[i].http, rows[i].body);
        const kanal_result *result = result_of(host, op);
        cr_expect_eq(result->outcome, rows[i].outcome, "%s: outcome %d", rows[i].body, result->outcome);
        cr_expect_eq(result->scope, rows[i].scope, "%s: scope %d", rows[i].body, result->scope);
        cr_expect(kanal_str_is(result->code, rows[i].code), "%s: %.*s", rows[i].body, (int)result->code.len,
                  result->code.ptr);
        int is_ill = rows[i].outcome == KANAL_FAILED && rows[i].scope == KANAL_SCOPE_CHANNEL;
        cr_expect_eq(fake_health(host) != KANAL_OK, is_ill, "%s", rows[i].body);
        channel_free(host);
    }
}

Test(answer, failed_exchanges_are_told_apart)
{
    struct fake_host *host = channel_new(NULL);
    kanal_op op = send_content(host, SEND("[" TEXT("x") "]"));
    fake_request_fail(host, 0, KANAL_E_NETWORK);
    cr_expect_eq(result_of(host, op)->outcome, KANAL_RETRY);
    op = send_content(host, SEND("[" TEXT("x") "]"));
    fake_request_fail(host, 0, KANAL_E_MAYBE);
    cr_expect_eq(result_of(host, op)->outcome, KANAL_UNKNOWN, "Viber has no idempotency key");
    channel_free(host);
}
