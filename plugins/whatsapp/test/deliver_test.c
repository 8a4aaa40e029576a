/* Deliveries: which request is made of them. */
#include <stdio.h>

#include "../../meta/test/support.h"

static void expect_send(const char *content, const char *path, const char *value)
{
    char data[4096];
    snprintf(data, sizeof data, SEND("[%s]"), content);
    expect_call("message.send", NULL, data, path, value);
}

static void expect_no_send(const char *content, const char *code)
{
    char data[4096];
    snprintf(data, sizeof data, SEND("[%s]"), content);
    expect_refused("message.send", NULL, data, code);
}

/* ---- Content ---- */

Test(send, text)
{
    struct fake_host *host = channel_new(NULL);
    kanal_op op = send_content(host, SEND("[" TEXT("Да & <b>нет</b>") "," TEXT("ещё") "]"));
    struct call call = call_only(host);
    EXPECT_TEXT(call.method, "POST");
    EXPECT_TEXT(call.path, "106540352242922/messages");
    EXPECT_TEXT(call_text(&call, ""),
                "{\"messaging_product\":\"whatsapp\",\"recipient_type\":\"individual\","
                "\"to\":\"+79161234567\",\"biz_opaque_callback_data\":\"kanal:1/2:crm-1\","
                "\"type\":\"text\",\"text\":{\"body\":\"Да & <b>нет</b>\\n\\nещё\"}}");
    call_free(&call);
    fake_request_answer(host, 0, 200, sent_answer);
    expect_sent(host, op, "wamid.SENT");
    channel_free(host);
    expect_send(TEXT("см. https://example.ru"), "text/preview_url", "true");
    expect_send("{\"type\":\"text\",\"text\":\"https://example.ru\",\"preview\":false}", "text/preview_url",
                "false");
    expect_send("{\"type\":\"text\",\"text\":\"<b>x</b>\",\"markup\":\"html\",\"plain\":\"x\"}", "text/body",
                "x");
    expect_call("message.send", "wamid.A", SEND("[" TEXT("x") "]"), "context/message_id", "wamid.A");
}

Test(send, to_a_bsuid_a_group_and_an_address)
{
    static const struct {
        const char *chat, *address, *member, *value, *kind;
    } rows[] = {
        { "RU.13491208655302741918", NULL, "recipient", "RU.13491208655302741918", "individual" },
        { NULL, "whatsapp:RU.ENT.134912086", "recipient", "RU.ENT.134912086", "individual" },
        { NULL, "tel:+79161234567", "to", "+79161234567", "individual" },
        { "Y2FwaV9ncm91cDoxNzA1", NULL, "to", "Y2FwaV9ncm91cDoxNzA1", "group" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fake_host *host = channel_new(NULL);
        send_to(host, rows[i].chat, rows[i].address, SEND("[" TEXT("x") "]"));
        struct call call = call_only(host);
        EXPECT_TEXT(call_text(&call, rows[i].member), rows[i].value);
        EXPECT_TEXT(call_text(&call, "recipient_type"), rows[i].kind);
        call_free(&call);
        fake_request_answer(host, 0, 200, sent_answer);
        channel_free(host);
    }
    struct fake_host *host = channel_new(NULL);
    expect_failed(host, send_to(host, NULL, "telegram:5", SEND("[" TEXT("x") "]")), KANAL_SCOPE_RECIPIENT,
                  "recipient_unknown");
    expect_failed(host, send_to(host, NULL, "whatsapp:x y", SEND("[" TEXT("x") "]")), KANAL_SCOPE_RECIPIENT,
                  "recipient_unknown");
    expect_failed(host, send_to(host, "a b", NULL, SEND("[" TEXT("x") "]")), KANAL_SCOPE_RECIPIENT,
                  "recipient_unknown");
    channel_free(host);
}

#define URL "https://cdn.example.com/a%20b.bin?x=1"

Test(send, media_by_link)
{
    static const char *const kinds[][2] = { { "image", "image" },     { "video", "video" },
                                            { "audio", "audio" },     { "voice", "audio" },
                                            { "sticker", "sticker" }, { "file", "document" } };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        char part[256], path[64];
        snprintf(part, sizeof part, "{\"type\":\"%s\",\"url\":\"%s\"}", kinds[i][0], URL);
        snprintf(path, sizeof path, "%s/link", kinds[i][1]);
        expect_send(part, path, URL);
        expect_send(part, "type", kinds[i][1]);
    }
    expect_send("{\"type\":\"image\",\"url\":\"" URL "\",\"caption\":\"Вот\"}," TEXT("и ещё"),
                "image/caption", "Вот\n\nи ещё");
    expect_send("{\"type\":\"file\",\"url\":\"" URL "\"}", "document/filename", "a%20b.bin");
    expect_send("{\"type\":\"file\",\"url\":\"" URL "\",\"name\":\"Счёт.pdf\"}", "document/filename",
                "Счёт.pdf");
    expect_send("{\"type\":\"voice\",\"url\":\"" URL "\",\"mime\":\"audio/ogg; codecs=opus\"}", "audio/voice",
                "true");
    expect_send("{\"type\":\"image\",\"url\":\"" URL "\",\"provider\":{\"id\":\"1003\"}}", "image",
                "{\"id\":\"1003\"}");
    expect_no_send("{\"type\":\"image\"}", "invalid_content");
    expect_no_send("{\"type\":\"audio\",\"url\":\"" URL "\",\"caption\":\"no\"}", "unsupported_content");
}

#define UPLOADS "{\"phone_number_id\":\"106540352242922\",\"media\":\"upload\"}"
#define PICTURE SEND("[{\"type\":\"image\",\"url\":\"" URL "\",\"mime\":\"image/png\",\"caption\":\"Да\"}]")

static struct fake_host *uploading(kanal_op *ret_op)
{
    struct fake_host *host = channel_new(UPLOADS);
    *ret_op = send_content(host, PICTURE);
    struct call call = call_only(host);
    EXPECT_TEXT(call.path, "106540352242922/media");
    EXPECT_TEXT(call.upload, URL);
    EXPECT_TEXT(call.upload_name, "a%20b.bin");
    EXPECT_TEXT(call.upload_type, "image/png");
    EXPECT_TEXT(call_text(&call, "messaging_product"), "whatsapp");
    call_free(&call);
    return host;
}

Test(send, media_by_upload)
{
    kanal_op op;
    struct fake_host *host = uploading(&op);
    fake_request_answer(host, 0, 200, "{\"id\":\"4490709327384033\"}");
    struct call call = call_only(host);
    EXPECT_TEXT(call.path, "106540352242922/messages");
    EXPECT_TEXT(call_text(&call, "image"), "{\"id\":\"4490709327384033\",\"caption\":\"Да\"}");
    call_free(&call);
    fake_request_answer(host, 0, 200, sent_answer);
    expect_sent(host, op, "wamid.SENT");
    channel_free(host);
}

Test(send, an_upload_that_fails_is_no_message)
{
    static const struct {
        kanal_status status;
        int32_t outcome;
        const char *code;
    } rows[] = {
        { KANAL_E_NOT_FOUND, KANAL_FAILED, "media_unavailable" },
        { KANAL_E_DENIED, KANAL_FAILED, "media_unavailable" },
        { KANAL_E_TOO_LARGE, KANAL_FAILED, "payload_too_large" },
        { KANAL_E_MAYBE, KANAL_RETRY, "network" },
        { KANAL_E_NETWORK, KANAL_RETRY, "network" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        kanal_op op;
        struct fake_host *host = uploading(&op);
        fake_request_fail(host, 0, rows[i].status);
        cr_expect_eq(result_of(host, op)->outcome, rows[i].outcome, "%d", rows[i].status);
        cr_expect(kanal_str_is(result_of(host, op)->code, rows[i].code));
        channel_free(host);
    }
    kanal_op op;
    struct fake_host *host = uploading(&op);
    fake_request_answer(host, 0, 400, "{\"error\":{\"code\":131053,\"message\":\"Media upload error\"}}");
    cr_expect_eq(result_of(host, op)->outcome, KANAL_RETRY);
    channel_free(host);
    host = uploading(&op);
    fake_request_answer(host, 0, 200, "{}");
    cr_expect_eq(result_of(host, op)->outcome, KANAL_RETRY);
    channel_free(host);
}

Test(send, places_and_contacts)
{
    expect_send(
        "{\"type\":\"location\",\"lat\":54.19,\"lon\":-37.61,\"name\":\"Музей\",\"address\":\"Тула\"}",
        "location",
        "{\"latitude\":\"54.1900000\",\"longitude\":\"-37.6100000\",\"name\":\"Музей\",\"address\":"
        "\"Тула\"}");
    expect_no_send("{\"type\":\"location\",\"lat\":1}", "invalid_content");
    expect_send(
        "{\"type\":\"contact\",\"name\":\"Анна "
        "К\",\"first_name\":\"Анна\",\"last_name\":\"К\",\"phones\":[\"+"
        "79161234567\"],\"emails\":[\"a@b.ru\"],\"organization\":\"Самовар\"}",
        "contacts/0",
        "{\"name\":{\"formatted_name\":\"Анна К\",\"first_name\":\"Анна\",\"last_name\":\"К\"},\"phones\":[{"
        "\"phone\":\"+79161234567\"}],\"emails\":[{\"email\":\"a@b.ru\"}],\"org\":{\"company\":\"Самовар\"}"
        "}");
    expect_send("{\"type\":\"contact\",\"name\":\"А\",\"phones\":[]},{\"type\":\"contact\",\"name\":\"Б\"}",
                "contacts/1/name/formatted_name", "Б");
    expect_no_send("{\"type\":\"contact\",\"phones\":[\"+7\"]}", "invalid_content");
}

/* ---- Choices ---- */

#define CHOICE(style, options) "{\"type\":\"choice\",\"style\":\"" style "\",\"options\":[" options "]}"
#define YES "{\"text\":\"Да\",\"payload\":\"Y\"}"
#define NO "{\"text\":\"Нет\"}"

Test(choice, buttons)
{
    expect_send(TEXT("?") "," CHOICE("buttons", YES "," NO), "interactive",
                "{\"type\":\"button\",\"body\":{\"text\":\"?\"},\"action\":{\"buttons\":[{\"type\":\"reply\","
                "\"reply\":"
                "{\"id\":\"Y\",\"title\":\"Да\"}},{\"type\":\"reply\",\"reply\":{\"id\":\"Нет\",\"title\":"
                "\"Нет\"}}]}}");
    expect_send(TEXT("?") "," CHOICE("quick_replies", YES), "interactive/type", "button");
    expect_send("{\"type\":\"image\",\"url\":\"" URL "\",\"caption\":\"?\"}," CHOICE("buttons", YES),
                "interactive/header", "{\"type\":\"image\",\"image\":{\"link\":\"" URL "\"}}");
    expect_send("{\"type\":\"choice\",\"style\":\"buttons\",\"text\":\"?\",\"options\":[" YES
                "],\"provider\":{\"footer\":\"низ\",\"header\":\"верх\"}}",
                "interactive/footer/text", "низ");
    expect_no_send(CHOICE("buttons", YES), "invalid_content");
    expect_no_send(TEXT("?") "," CHOICE("buttons", ""), "invalid_content");
    expect_no_send("{\"type\":\"audio\",\"url\":\"" URL "\"}," TEXT("?") "," CHOICE("buttons", YES),
                   "unsupported_content");
}

Test(choice, lists)
{
    expect_send(TEXT("?") "," CHOICE("list", YES "," NO), "interactive/action",
                "{\"button\":\"Menu\",\"sections\":[{\"rows\":[{\"id\":\"Y\",\"title\":\"Да\"},{\"id\":"
                "\"Нет\",\"title\":"
                "\"Нет\"}]}]}");
    expect_send(
        TEXT("?") ",{\"type\":\"choice\",\"style\":\"list\",\"label\":\"Выбрать\",\"options\":[{\"text\":"
                  "\"A\","
                  "\"section\":\"S\",\"description\":\"d\"},{\"text\":\"B\",\"section\":\"T\"},{\"text\":"
                  "\"C\"}]}",
        "interactive/action",
        "{\"button\":\"Выбрать\",\"sections\":[{\"title\":\"S\",\"rows\":[{\"id\":\"A\",\"title\":\"A\","
        "\"description\":\"d\"}]},{\"title\":\"T\",\"rows\":[{\"id\":\"B\",\"title\":\"B\"}]},{\"title\":"
        "\"Выбрать\","
        "\"rows\":[{\"id\":\"C\",\"title\":\"C\"}]}]}");
    expect_send(TEXT("?") "," CHOICE("buttons", YES "," NO "," YES "," NO), "interactive/type", "list");
    expect_no_send(TEXT("?") "," CHOICE("list", YES "," YES "," YES "," YES "," YES "," YES "," YES "," YES
                                                    "," YES "," YES "," YES),
                   "unsupported_content");
    expect_no_send("{\"type\":\"image\",\"url\":\"" URL "\"}," TEXT("?") "," CHOICE("list", YES),
                   "unsupported_content");
}

Test(choice, links_and_requests)
{
    expect_send(TEXT("?") "," CHOICE("buttons", "{\"text\":\"Открыть\",\"url\":\"https://example.ru/\"}"),
                "interactive/action",
                "{\"name\":\"cta_url\",\"parameters\":{\"display_text\":\"Открыть\",\"url\":\"https://"
                "example.ru/\"}}");
    expect_send(TEXT("Где вы?") "," CHOICE("quick_replies", "{\"text\":\"Вот\",\"request\":\"location\"}"),
                "interactive",
                "{\"type\":\"location_request_message\",\"body\":{\"text\":\"Где "
                "вы?\"},\"action\":{\"name\":\"send_location\"}}");
    expect_no_send(TEXT("?") "," CHOICE("buttons", "{\"text\":\"a\",\"url\":\"https://a.ru/\"}," YES),
                   "unsupported_content");
    expect_no_send(TEXT("?") "," CHOICE("buttons", "{\"text\":\"a\",\"phone\":\"+7\"}"),
                   "unsupported_content");
    expect_no_send(TEXT("?") "," CHOICE("buttons", "{\"text\":\"a\",\"url\":\"javascript:1\"}"),
                   "invalid_content");
    expect_send(
        "{\"type\":\"choice\",\"style\":\"buttons\",\"options\":[],\"provider\":{\"interactive\":{\"type\":"
        "\"flow\",\"body\":{\"text\":\"x\"},\"action\":{\"name\":\"flow\",\"parameters\":{\"flow_message_"
        "version\":"
        "\"3\",\"flow_id\":\"1\",\"flow_cta\":\"Go\"}}}}}",
        "interactive/type", "flow");
}

/* ---- Templates ---- */

#define TEMPLATE(parameters)                                                                                 \
    "{\"type\":\"template\",\"name\":\"confirm\",\"locale\":\"en-GB\",\"parameters\":[" parameters "]}"

Test(template_, parameters_become_components)
{
    expect_send("{\"type\":\"template\",\"name\":\"hello_world\",\"locale\":\"ru\"}", "template",
                "{\"name\":\"hello_world\",\"language\":{\"code\":\"ru\",\"policy\":\"deterministic\"}}");
    expect_send(
        TEMPLATE(
            "{\"value\":\"Анна\"},{\"kind\":\"amount\",\"value\":\"100.99\",\"currency\":\"USD\"},{\"kind\":"
            "\"time\",\"value\":\"2026-11-25T10:00:00Z\"}"),
        "template",
        "{\"name\":\"confirm\",\"language\":{\"code\":\"en_GB\",\"policy\":\"deterministic\"},\"components\":"
        "[{\"type\":\"body\","
        "\"parameters\":[{"
        "\"type\":\"text\",\"text\":\"Анна\"},{\"type\":\"currency\",\"currency\":{\"fallback_value\":\"100."
        "99 USD\","
        "\"code\":\"USD\",\"amount_1000\":100990}},{\"type\":\"date_time\",\"date_time\":{\"fallback_value\":"
        "\"2026-"
        "11-25T10:00:00Z\"}}]}]}");
    expect_send(TEMPLATE("{\"value\":\"Анна\",\"name\":\"who\"}"),
                "template/components/0/parameters/0/parameter_name", "who");
    expect_send(TEMPLATE("{\"component\":\"button\",\"kind\":\"url\",\"value\":\"x\",\"button\":4}"),
                "template/components/0/index", "4");
    expect_send(TEMPLATE("{\"component\":\"header\",\"kind\":\"image\",\"url\":\"" URL
                         "\"},{\"component\":\"button\","
                         "\"kind\":\"payload\",\"value\":\"P\"},{\"component\":\"button\",\"kind\":\"url\","
                         "\"value\":\"x\"},{"
                         "\"component\":\"button\",\"kind\":\"code\",\"value\":\"SAVE\"}"),
                "template/components",
                "[{\"type\":\"header\",\"parameters\":[{\"type\":\"image\",\"image\":{\"link\":\"" URL
                "\"}}]},{\"type\":"
                "\"button\",\"sub_type\":\"quick_reply\",\"index\":\"0\",\"parameters\":[{\"type\":"
                "\"payload\",\"payload\":\"P\"}"
                "]},{\"type\":\"button\",\"sub_type\":\"url\",\"index\":\"1\",\"parameters\":[{\"type\":"
                "\"text\",\"text\":\"x\"}]},"
                "{\"type\":\"button\",\"sub_type\":\"copy_code\",\"index\":\"2\",\"parameters\":[{\"type\":"
                "\"coupon_code\","
                "\"coupon_code\":\"SAVE\"}]}]");
    expect_send(
        TEMPLATE("{\"component\":\"header\",\"kind\":\"file\",\"url\":\"" URL "\",\"filename\":\"f.pdf\"}"),
        "template/components/0/parameters/0/document", "{\"link\":\"" URL "\",\"filename\":\"f.pdf\"}");
    expect_send(
        TEMPLATE("{\"component\":\"header\",\"kind\":\"location\",\"lat\":1.5,\"lon\":2,\"value\":\"Тула\"}"),
        "template/components/0/parameters/0/location/name", "Тула");
    expect_send("{\"type\":\"template\",\"name\":\"otp\",\"locale\":\"ru\",\"provider\":{\"components\":[{"
                "\"type\":\"body\"}]}}",
                "template/components", "[{\"type\":\"body\"}]");
    expect_no_send("{\"type\":\"template\",\"name\":\"x\"}", "invalid_content");
    expect_no_send(TEMPLATE("{\"kind\":\"amount\",\"value\":\"1e9\",\"currency\":\"USD\"}"),
                   "invalid_content");
    expect_no_send(TEMPLATE("{\"kind\":\"amount\",\"value\":\"1\"}"), "invalid_content");
    expect_no_send(TEMPLATE("{\"kind\":\"text\"}"), "invalid_content");
    expect_no_send(TEMPLATE("{\"component\":\"footer\",\"value\":\"x\"}"), "invalid_content");
    expect_no_send(TEMPLATE("{\"kind\":\"image\"}"), "invalid_content");
}

/* ---- Verbs ---- */

Test(verb, reactions)
{
    expect_call("message.react", "wamid.A", "{\"reactions\":[{\"emoji\":\"👍\"}]}", "reaction",
                "{\"message_id\":\"wamid.A\",\"emoji\":\"👍\"}");
    expect_call("message.react", "wamid.A", "{\"reactions\":[]}", "reaction/emoji", "");
    expect_refused("message.react", "wamid.A", "{\"reactions\":[{\"custom_id\":\"5\"}]}",
                   "unsupported_content");
    expect_refused("message.react", NULL, "{\"reactions\":[]}", "message_not_found");
    expect_refused("message.edit", "wamid.A", SEND("[" TEXT("x") "]"), "unsupported_verb");
}

Test(verb, read)
{
    struct fake_host *host = channel_new(NULL);
    kanal_op op = deliver(host, "message.read", "wamid.A", "{}");
    struct call call = call_only(host);
    EXPECT_TEXT(call_text(&call, ""),
                "{\"messaging_product\":\"whatsapp\",\"status\":\"read\",\"message_id\":\"wamid.A\"}");
    call_free(&call);
    fake_request_answer(host, 0, 200, "{\"success\":true}");
    expect_sent(host, op, "wamid.A");
    channel_free(host);
}

Test(verb, typing_answers_the_last_message)
{
    struct fake_host *host = channel_new(NULL);
    kanal_op op = deliver(host, "typing.start", NULL, "{}");
    expect_failed(host, op, KANAL_SCOPE_MESSAGE, "message_not_found");
    size_t len;
    char *text = read_fixture("text", &len);
    cr_assert_eq(post_hook(host, text, len), 200);
    free(text);
    op = deliver(host, "typing.start", NULL, "{}");
    struct call call = call_only(host);
    EXPECT_TEXT(call_text(&call, "message_id"),
                "wamid.HBgLNzkxNjEyMzQ1NjcVAgASGBQzQTRBNjU5OUFFRTAzODEwMTQ01A=");
    EXPECT_TEXT(call_text(&call, "typing_indicator"), "{\"type\":\"text\"}");
    call_free(&call);
    fake_request_answer(host, 0, 200, "{\"success\":true}");
    cr_expect_eq(result_of(host, op)->outcome, KANAL_SENT);
    channel_free(host);
}

/* ---- The window ---- */

static void customer_writes(struct fake_host *host, const char *id)
{
    char payload[512];
    snprintf(payload, sizeof payload,
             "{\"object\":\"whatsapp_business_account\",\"entry\":[{\"changes\":[{\"field\":\"messages\","
             "\"value\":{"
             "\"messages\":[{\"from\":\"79161234567\",\"id\":\"%s\",\"type\":\"text\",\"text\":{\"body\":"
             "\"x\"}}]}}]}]}",
             id);
    cr_assert_eq(post_hook(host, payload, strlen(payload)), 200);
}

static void expect_open(struct fake_host *host, int is_open)
{
    kanal_op op = send_content(host, SEND("[" TEXT("x") "]"));
    cr_expect_eq(fake_request_count(host), is_open ? 1 : 0);
    if (fake_request_count(host) > 0)
        fake_request_answer(host, 0, 200, sent_answer);
    else
        expect_failed(host, op, KANAL_SCOPE_MESSAGE, "window_closed");
}

#define HOUR (3600u * 1000)

Test(window, closes_a_day_after_the_customers_last_word)
{
    struct fake_host *host = channel_new(NULL);
    expect_open(host, 1); /* nothing is known */
    customer_writes(host, "wamid.1");
    fake_advance(host, 20 * HOUR);
    expect_open(host, 1);
    customer_writes(host, "wamid.2");
    fake_advance(host, 23 * HOUR);
    expect_open(host, 1);
    fake_advance(host, 2 * HOUR);
    expect_open(host, 0);
    cr_expect_gt(fake_metric(host, "window_closed"), 0);
    kanal_op op = send_content(host, SEND("[" TEXT("x") "]"));
    cr_expect(
        memmem(result_of(host, op)->reason.ptr, result_of(host, op)->reason.len, "2026-11-22T16:53:05", 19),
        "%.*s", (int)result_of(host, op)->reason.len, result_of(host, op)->reason.ptr);
    /* Templates always go. */
    send_content(host, SEND("[" TEMPLATE("{\"value\":\"x\"}") "]"));
    cr_expect_eq(fake_request_count(host), 1);
    fake_request_answer(host, 0, 200, sent_answer);
    customer_writes(host, "wamid.3");
    expect_open(host, 1);
    channel_free(host);
}

Test(window, without_storage_nothing_is_refused)
{
    struct fake_host *host = channel_new(NULL);
    customer_writes(host, "wamid.1");
    fake_fail_state(host, KANAL_E_NETWORK);
    fake_advance(host, 25 * HOUR);
    expect_open(host, 1); /* another replica may have heard of the customer */
    channel_free(host);
    host = channel_new("{\"phone_number_id\":\"106540352242922\",\"window\":\"ignore\"}");
    customer_writes(host, "wamid.1");
    fake_advance(host, 25 * HOUR);
    expect_open(host, 1);
    channel_free(host);
}
