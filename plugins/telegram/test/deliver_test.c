/* Deliveries: which call is made of them, and what becomes of its answer. */
#include <stdio.h>

#include "test/delivery.h"

/* The delivery is refused without a call. */
static void expect_refused(const char *type, const char *target, const char *data, const char *code)
{
    struct fake_host *host = channel_new(NULL);
    kanal_op op = deliver(host, type, target, data);
    cr_expect_eq(fake_request_count(host), 0, "a call was made for %s", data);
    expect_failed(host, op, KANAL_SCOPE_MESSAGE, code);
    channel_free(host);
}

/* One send, one call: the method, and one parameter of it. */
static void expect_call(const char *data, const char *method, const char *parameter, const char *value)
{
    struct fake_host *host = channel_new(NULL);
    kanal_op op = send_content(host, data);
    struct call call = call_only(host);
    EXPECT_TEXT(call.method, method);
    EXPECT_TEXT(call_text(&call, "chat_id"), "3527065");
    cr_expect_str_eq(call_text(&call, parameter), value, "%s: %s is %s, not %s", data, parameter,
                     call_text(&call, parameter), value);
    call_free(&call);
    fake_request_answer(host, 0, 200, OK_MESSAGE);
    expect_sent(host, op, "3527065/77");
    channel_free(host);
}

/* ---- Content ---- */

Test(send, text)
{
    expect_call(SEND("[" TEXT("Да & <b>нет</b>") "]"), "sendMessage", "text", "Да & <b>нет</b>");
    expect_call(SEND("[" TEXT("plain") "]"), "sendMessage", "parse_mode", "");
    expect_call(SEND("[{\"type\":\"text\",\"text\":\"<b>a<i>b</b>c &amp; d < "
                     "e<script>x</script>\",\"markup\":\"html\"}]"),
                "sendMessage", "text", "<b>a<i>b</i></b><i>c &amp; d &lt; e</i>");
    expect_call(SEND("[{\"type\":\"text\",\"text\":\"**a** <b>\",\"markup\":\"markdown\"}]"), "sendMessage",
                "text", "<b>a</b> &lt;b&gt;");
    expect_call(SEND("[{\"type\":\"text\",\"text\":\"*a*\",\"markup\":\"markdown\"}," TEXT("1 < 2") "]"),
                "sendMessage", "text", "<i>a</i>\n\n1 &lt; 2");
    expect_call(SEND("[{\"type\":\"text\",\"text\":\"*a*\",\"markup\":\"markdown\"}]"), "sendMessage",
                "parse_mode", "HTML");
    expect_call(SEND("[{\"type\":\"text\",\"text\":\"x\",\"preview\":false}]"), "sendMessage",
                "link_preview_options", "{\"is_disabled\":true}");
}

Test(send, manner)
{
    expect_call("{\"silent\":true,\"content\":[" TEXT("x") "]}", "sendMessage", "disable_notification",
                "true");
    expect_call("{\"thread\":\"12\",\"content\":[" TEXT("x") "]}", "sendMessage", "message_thread_id", "12");
    expect_call("{\"provider\":{\"protect_content\":true},\"content\":[" TEXT("x") "]}", "sendMessage",
                "protect_content", "true");
    expect_call("{\"provider\":{\"telegram\":{\"message_effect_id\":\"5\"}},\"content\":[" TEXT("x") "]}",
                "sendMessage", "message_effect_id", "5");
    /* Only what is known to be harmless is let through. */
    expect_call(
        "{\"provider\":{\"chat_id\":5,\"text\":\"y\",\"reply_markup\":{}},\"content\":[" TEXT("x") "]}",
        "sendMessage", "reply_markup", "");
}

Test(send, media_by_url)
{
    static const struct {
        const char *part, *method, *field;
    } rows[] = {
        { "\"type\":\"image\",\"spoiler\":true", "sendPhoto", "photo" },
        { "\"type\":\"video\",\"duration_ms\":1500,\"width\":640,\"height\":480", "sendVideo", "video" },
        { "\"type\":\"video\",\"animation\":true", "sendAnimation", "animation" },
        { "\"type\":\"video\",\"round\":true,\"caption\":\"words\"", "sendVideo", "video" },
        { "\"type\":\"audio\",\"title\":\"Катюша\",\"performer\":\"Хор\",\"duration_ms\":241000", "sendAudio",
          "audio" },
        { "\"type\":\"voice\",\"duration_ms\":5000", "sendVoice", "voice" },
        { "\"type\":\"file\",\"caption\":\"Счёт\"", "sendDocument", "document" },
        { "\"type\":\"sticker\"", "sendSticker", "sticker" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char data[512];
        snprintf(data, sizeof data, SEND("[{%s,\"url\":\"https://cdn.example.com/a.bin\"}]"), rows[i].part);
        expect_call(data, rows[i].method, rows[i].field, "https://cdn.example.com/a.bin");
    }
    expect_call(
        SEND("[{\"type\":\"image\",\"url\":\"https://x.example/a\",\"provider\":{\"file_id\":\"AgAC\"}}]"),
        "sendPhoto", "photo", "AgAC");
    expect_call(SEND("[{\"type\":\"image\",\"url\":\"https://x.example/"
                     "a\",\"caption\":\"**b**\",\"caption_markup\":\"markdown\"}," TEXT("и <это>") "]"),
                "sendPhoto", "caption", "<b>b</b>\n\nи &lt;это&gt;");
    expect_refused("message.send", NULL, SEND("[{\"type\":\"image\"}]"), "invalid_content");
    expect_refused("message.send", NULL,
                   SEND("[{\"type\":\"sticker\",\"url\":\"https://x.example/a\",\"caption\":\"no\"}]"),
                   "unsupported_content");
}

static void expect_upload(struct fake_host *host, const char *method, const char *field, const char *name)
{
    struct call call = call_only(host);
    EXPECT_TEXT(call.method, method);
    EXPECT_TEXT(call.upload_field, field);
    EXPECT_TEXT(call.upload, "https://cdn.example.com/a%20b.png?x=1");
    EXPECT_TEXT(call.upload_name, name);
    EXPECT_TEXT(call_text(&call, "chat_id"), "3527065");
    EXPECT_TEXT(call_text(&call, "caption"), "Да");
    EXPECT_TEXT(call_text(&call, field), "");
    call_free(&call);
}

#define PHOTO                                                                                                \
    SEND("[{\"type\":\"image\",\"url\":\"https://cdn.example.com/a%20b.png?x=1\",\"mime\":\"image/"          \
         "png\",\"caption\":\"Да\"}]")

Test(send, media_by_upload)
{
    struct fake_host *host = channel_new("{\"media\":\"upload\"}");
    kanal_op op = send_content(host, PHOTO);
    expect_upload(host, "sendPhoto", "photo", "a%20b.png");
    fake_request_answer(host, 0, 200, OK_MESSAGE);
    expect_sent(host, op, "3527065/77");
    /* A round film cannot go by URL, whatever the mode. */
    op = send_content(host, SEND("[{\"type\":\"video\",\"round\":true,\"name\":\"n.mp4\",\"url\":\"https://"
                                 "cdn.example.com/n\"}]"));
    struct call call = call_only(host);
    EXPECT_TEXT(call.method, "sendVideoNote");
    EXPECT_TEXT(call.upload_name, "n.mp4");
    call_free(&call);
    fake_request_answer(host, 0, 413,
                        "{\"ok\":false,\"error_code\":413,\"description\":\"Request Entity Too Large\"}");
    expect_failed(host, op, KANAL_SCOPE_MESSAGE, "payload_too_large");
    op = send_content(host, PHOTO);
    fake_request_fail(host, 0, KANAL_E_NOT_FOUND);
    expect_failed(host, op, KANAL_SCOPE_MESSAGE, "media_unavailable");
    channel_free(host);
}

#define NOT_FETCHED                                                                                          \
    "{\"ok\":false,\"error_code\":400,\"description\":\"Bad Request: failed to get HTTP URL content\"}"

Test(send, auto_uploads_what_telegram_could_not_fetch)
{
    struct fake_host *host = channel_new(NULL);
    kanal_op op = send_content(host, PHOTO);
    call_answer(host, "sendPhoto", 400, NOT_FETCHED);
    expect_upload(host, "sendPhoto", "photo", "a%20b.png");
    fake_request_answer(host, 0, 200, OK_MESSAGE);
    expect_sent(host, op, "3527065/77");
    op = send_content(host, PHOTO); /* once only */
    call_answer(host, "sendPhoto", 400, NOT_FETCHED);
    call_answer(host, "sendPhoto", 400, NOT_FETCHED);
    cr_expect_eq(fake_request_count(host), 0);
    expect_failed(host, op, KANAL_SCOPE_MESSAGE, "media_unavailable");
    /* What is known to be too large to be fetched is uploaded at once. */
    op = send_content(host, SEND("[{\"type\":\"image\",\"size\":6000000,\"caption\":\"Да\",\"url\":\"https://"
                                 "cdn.example.com/a%20b.png?x=1\"}]"));
    expect_upload(host, "sendPhoto", "photo", "a%20b.png");
    fake_request_answer(host, 0, 200, OK_MESSAGE);
    expect_sent(host, op, "3527065/77");
    channel_free(host);
    host = channel_new("{\"media\":\"url\"}");
    op = send_content(host, PHOTO);
    call_answer(host, "sendPhoto", 400, NOT_FETCHED);
    expect_failed(host, op, KANAL_SCOPE_MESSAGE, "media_unavailable");
    channel_free(host);
}

Test(send, places_and_contacts)
{
    expect_call(SEND("[{\"type\":\"location\",\"lat\":55.75,\"lon\":37.61,\"accuracy_m\":12.5}]"),
                "sendLocation", "latitude", "55.75");
    expect_call(SEND("[{\"type\":\"location\",\"lat\":-55.75,\"lon\":37.61,\"live_duration_ms\":900000,"
                     "\"heading\":45}]"),
                "sendLocation", "live_period", "900");
    expect_call(
        SEND("[{\"type\":\"location\",\"lat\":54.19,\"lon\":37.61,\"name\":\"Музей\",\"address\":\"Тула\"}]"),
        "sendVenue", "title", "Музей");
    expect_call(SEND("[{\"type\":\"location\",\"lat\":54.19,\"lon\":37.61,\"address\":\"Тула\"}]"),
                "sendVenue", "title", "Тула");
    expect_call(SEND("[{\"type\":\"contact\",\"name\":\"Анна К.\",\"phones\":[\"+79161234567\"]}]"),
                "sendContact", "first_name", "Анна К.");
    expect_call(SEND("[{\"type\":\"contact\",\"name\":\"Анна "
                     "К.\",\"first_name\":\"Анна\",\"last_name\":\"К.\",\"phones\":[\"+79161234567\"],"
                     "\"vcard\":\"BEGIN:VCARD\"}]"),
                "sendContact", "vcard", "BEGIN:VCARD");
    expect_refused("message.send", NULL, SEND("[{\"type\":\"contact\",\"name\":\"Анна\",\"phones\":[]}]"),
                   "unsupported_content");
    expect_refused("message.send", NULL, SEND("[{\"type\":\"location\",\"lat\":1}]"), "invalid_content");
}

#define CHOICE(style, options)                                                                               \
    SEND("[" TEXT("?") ",{\"type\":\"choice\",\"style\":\"" style "\",\"options\":[" options "]}]")

Test(send, buttons)
{
    expect_call(
        CHOICE(
            "buttons",
            "{\"text\":\"Да\",\"payload\":\"Y\"},{\"text\":\"Нет\",\"payload\":\"N\",\"look\":\"negative\"}"),
        "sendMessage", "reply_markup",
        "{\"inline_keyboard\":[[{\"text\":\"Да\",\"callback_data\":\"Y\"},{\"text\":\"Нет\",\"style\":"
        "\"danger\",\"callback_data\":\"N\"}]]}");
    expect_call(
        CHOICE("buttons", "{\"text\":\"a\",\"payload\":\"1\",\"row\":0},{\"text\":\"b\",\"url\":\"https://"
                          "x.example\",\"row\":1},{\"text\":\"c\",\"phone\":\"+7916\",\"row\":1}"),
        "sendMessage", "reply_markup",
        "{\"inline_keyboard\":[[{\"text\":\"a\",\"callback_data\":\"1\"}],[{\"text\":\"b\",\"url\":\"https://"
        "x.example\"},"
        "{\"text\":\"c\",\"copy_text\":{\"text\":\"+7916\"}}]]}");
    expect_call(
        CHOICE("buttons",
               "{\"text\":\"Открыть\",\"provider\":{\"web_app\":{\"url\":\"https://x.example\"}}}"),
        "sendMessage", "reply_markup",
        "{\"inline_keyboard\":[[{\"text\":\"Открыть\",\"web_app\":{\"url\":\"https://x.example\"}}]]}");
    /* Long ones stand below each other. */
    expect_call(
        CHOICE("buttons", "{\"text\":\"Подтвердить заказ целиком\"},{\"text\":\"Отменить заказ целиком\"}"),
        "sendMessage", "reply_markup",
        "{\"inline_keyboard\":[[{\"text\":\"Подтвердить заказ целиком\",\"callback_data\":\"Подтвердить "
        "заказ целиком\"}],"
        "[{\"text\":\"Отменить заказ целиком\",\"callback_data\":\"Отменить заказ целиком\"}]]}");
    expect_call(
        SEND(
            "[{\"type\":\"choice\",\"style\":\"buttons\",\"text\":\"Да?\",\"options\":[{\"text\":\"Да\"}]}]"),
        "sendMessage", "text", "Да?");
    expect_refused("message.send", NULL,
                   CHOICE("buttons",
                          "{\"text\":\"x\",\"payload\":"
                          "\"12345678901234567890123456789012345678901234567890123456789012345\"}"),
                   "invalid_content");
    expect_refused("message.send", NULL,
                   CHOICE("buttons", "{\"text\":\"x\",\"url\":\"javascript:alert(1)\"}"), "invalid_content");
    expect_refused("message.send", NULL, CHOICE("buttons", "{\"text\":\"x\",\"request\":\"contact\"}"),
                   "unsupported_content");
    expect_refused("message.send", NULL, CHOICE("buttons", ""), "invalid_content");
}

Test(send, quick_replies)
{
    expect_call(
        CHOICE(
            "quick_replies",
            "{\"text\":\"Мой номер\",\"request\":\"contact\"},{\"text\":\"Где я\",\"request\":\"location\"}"),
        "sendMessage", "reply_markup",
        "{\"keyboard\":[[{\"text\":\"Мой номер\",\"request_contact\":true},{\"text\":\"Где "
        "я\",\"request_location\":true}]],"
        "\"resize_keyboard\":true,\"one_time_keyboard\":true}");
    expect_call(SEND("[" TEXT("?") ",{\"type\":\"choice\",\"style\":\"quick_replies\",\"persistent\":true,"
                                   "\"placeholder\":\"Ответ\",\"options\":[{\"text\":\"Да\"}]}]"),
                "sendMessage", "reply_markup",
                "{\"keyboard\":[[{\"text\":\"Да\"}]],\"resize_keyboard\":true,\"is_persistent\":true,\"input_"
                "field_placeholder\":\"Ответ\"}");
    expect_call(
        SEND("[" TEXT(
            "?") ",{\"type\":\"choice\",\"style\":\"quick_replies\",\"remove\":true,\"options\":[]}]"),
        "sendMessage", "reply_markup", "{\"remove_keyboard\":true}");
    expect_refused("message.send", NULL,
                   CHOICE("quick_replies", "{\"text\":\"x\",\"url\":\"https://x.example\"}"),
                   "unsupported_content");
    expect_refused("message.send", NULL, CHOICE("quick_replies", "{\"text\":\"x\",\"request\":\"email\"}"),
                   "unsupported_content");
}

Test(send, what_telegram_cannot_show_is_refused)
{
    expect_refused("message.send", NULL, SEND("[]"), "invalid_content");
    expect_refused("message.send", NULL, "not json", "invalid_content");
    expect_refused("message.send", NULL, SEND("[{\"type\":\"card\",\"title\":\"x\"}]"),
                   "unsupported_content");
    expect_refused("message.send", NULL, SEND("[{\"type\":\"template\",\"name\":\"x\"}]"),
                   "unsupported_content");
    expect_refused("message.send", NULL, SEND("[" TEXT("x") ",{\"type\":\"location\",\"lat\":1,\"lon\":2}]"),
                   "unsupported_content");
    expect_refused(
        "message.send", NULL,
        SEND("[{\"type\":\"image\",\"url\":\"https://a\"},{\"type\":\"image\",\"url\":\"https://b\"}]"),
        "unsupported_content");
    expect_refused("message.pin", NULL, "{}", "unsupported_verb");
}

/* ---- Whom ---- */

Test(target, chats_and_addresses)
{
    static const struct {
        const char *chat, *address, *chat_id, *business;
    } rows[] = {
        { NULL, "telegram:3527065", "3527065", "" },
        { "-1001494028100", "telegram:3527065", "-1001494028100", "" },
        { "@lavka_news", NULL, "@lavka_news", "" },
        { "bc-1:3527065", "telegram:3527065", "3527065", "bc-1" },
    };
    struct fake_host *host = channel_new(NULL);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        kanal_op op = send_to(host, rows[i].chat, rows[i].address, SEND("[" TEXT("x") "]"));
        struct call call = call_only(host);
        EXPECT_TEXT(call_text(&call, "chat_id"), rows[i].chat_id);
        EXPECT_TEXT(call_text(&call, "business_connection_id"), rows[i].business);
        call_free(&call);
        fake_request_answer(host, 0, 200,
                            "{\"ok\":true,\"result\":{\"message_id\":5,\"chat\":{\"id\":-100777}}}");
        expect_sent(host, op, rows[i].business[0] ? "bc-1:-100777/5" : "-100777/5");
    }
    expect_failed(host, send_to(host, NULL, "tel:+79161234567", SEND("[" TEXT("x") "]")),
                  KANAL_SCOPE_RECIPIENT, "recipient_unknown");
    expect_failed(host, send_to(host, "x", NULL, SEND("[" TEXT("x") "]")), KANAL_SCOPE_RECIPIENT,
                  "recipient_unknown");
    expect_failed(host, send_to(host, "99999999999999999999", NULL, SEND("[" TEXT("x") "]")),
                  KANAL_SCOPE_RECIPIENT, "recipient_unknown");
    channel_free(host);
}

static void expect_verb(const char *type, const char *target, const char *data, const char *method,
                        const char *parameter, const char *value, const char *reply)
{
    struct fake_host *host = channel_new(NULL);
    kanal_op op = deliver(host, type, target, data);
    struct call call = call_only(host);
    EXPECT_TEXT(call.method, method);
    cr_expect_str_eq(call_text(&call, parameter), value, "%s of %s is %s, not %s", parameter, method,
                     call_text(&call, parameter), value);
    call_free(&call);
    fake_request_answer(host, 0, 200, reply);
    cr_expect_eq(result_of(host, op)->outcome, KANAL_SENT);
    channel_free(host);
}

Test(verb, reply)
{
    expect_verb("message.send", "3527065/990", SEND("[" TEXT("x") "]"), "sendMessage", "reply_parameters",
                "{\"message_id\":990,\"allow_sending_without_reply\":true}", OK_MESSAGE);
    expect_verb(
        "message.send", "-1001006503122/7", SEND("[" TEXT("x") "]"), "sendMessage", "reply_parameters",
        "{\"message_id\":7,\"chat_id\":-1001006503122,\"allow_sending_without_reply\":true}", OK_MESSAGE);
    expect_refused("message.send", "wamid.A", SEND("[" TEXT("x") "]"), "message_not_found");
}

Test(verb, edit)
{
    expect_verb("message.edit", "-100123/45", SEND("[" TEXT("x") "]"), "editMessageText", "chat_id",
                "-100123", OK_MESSAGE);
    expect_verb("message.edit", "3527065/45", CHOICE("buttons", "{\"text\":\"Да\",\"payload\":\"Y\"}"),
                "editMessageText", "reply_markup",
                "{\"inline_keyboard\":[[{\"text\":\"Да\",\"callback_data\":\"Y\"}]]}", OK_MESSAGE);
    expect_verb("message.edit", "3527065/45",
                SEND("[{\"type\":\"choice\",\"style\":\"buttons\",\"options\":[{\"text\":\"Да\"}]}]"),
                "editMessageReplyMarkup", "message_id", "45", OK_MESSAGE);
    expect_verb("message.edit", "3527065/45",
                SEND("[{\"type\":\"image\",\"url\":\"https://x.example/a.png\",\"caption\":\"c\"}]"),
                "editMessageMedia", "media",
                "{\"type\":\"photo\",\"media\":\"https://x.example/a.png\",\"caption\":\"c\"}", OK_MESSAGE);
    expect_verb("message.edit", "3527065/45",
                SEND("[{\"type\":\"location\",\"lat\":55.5,\"lon\":37.5,\"heading\":90}]"),
                "editMessageLiveLocation", "heading", "90", OK_MESSAGE);
    expect_refused("message.edit", NULL, SEND("[" TEXT("x") "]"), "message_not_found");
    expect_refused("message.edit", "3527065/45", CHOICE("quick_replies", "{\"text\":\"x\"}"),
                   "unsupported_content");
    expect_refused("message.edit", "3527065/45",
                   SEND("[{\"type\":\"voice\",\"url\":\"https://x.example/a\"}]"), "unsupported_content");
}

Test(verb, edit_of_a_caption_and_of_nothing)
{
    struct fake_host *host = channel_new(NULL);
    kanal_op op = deliver(host, "message.edit", "3527065/45",
                          SEND("[{\"type\":\"text\",\"text\":\"*x*\",\"markup\":\"markdown\"}]"));
    call_answer(host, "editMessageText", 400,
                "{\"ok\":false,\"error_code\":400,\"description\":\"Bad Request: there is no text in the "
                "message to edit\"}");
    struct call call = call_only(host);
    EXPECT_TEXT(call.method, "editMessageCaption");
    EXPECT_TEXT(call_text(&call, "caption"), "<i>x</i>");
    EXPECT_TEXT(call_text(&call, "parse_mode"), "HTML");
    call_free(&call);
    fake_request_answer(host, 0, 400,
                        "{\"ok\":false,\"error_code\":400,\"description\":\"Bad Request: message is not "
                        "modified: specified new message content and reply markup are exactly the same\"}");
    expect_sent(host, op, "3527065/45");
    op = deliver(host, "message.edit", "3527065/46",
                 SEND("[{\"type\":\"image\",\"url\":\"https://cdn.example.com/a.png\"}]"));
    call_answer(host, "editMessageMedia", 400, NOT_FETCHED);
    call = call_only(host);
    EXPECT_TEXT(call.upload_field, "upload");
    EXPECT_TEXT(call_text(&call, "media"), "{\"type\":\"photo\",\"media\":\"attach://upload\"}");
    call_free(&call);
    fake_request_answer(host, 0, 200, OK_MESSAGE);
    expect_sent(host, op, "3527065/77");
    channel_free(host);
}

Test(verb, delete_react_typing)
{
    expect_verb("message.delete", "-100123/45", "{}", "deleteMessage", "message_id", "45", OK_TRUE);
    expect_verb("message.delete", "bc-1:3527065/45", "{}", "deleteBusinessMessages", "message_ids", "[45]",
                OK_TRUE);
    expect_verb("message.react", "3527065/45", "{\"reactions\":[{\"emoji\":\"👍\"}]}", "setMessageReaction",
                "reaction", "[{\"type\":\"emoji\",\"emoji\":\"👍\"}]", OK_TRUE);
    expect_verb("message.react", "3527065/45",
                "{\"reactions\":[{\"custom_id\":\"53\"}],\"provider\":{\"is_big\":true}}",
                "setMessageReaction", "reaction", "[{\"type\":\"custom_emoji\",\"custom_emoji_id\":\"53\"}]",
                OK_TRUE);
    expect_verb("message.react", "3527065/45", "{\"reactions\":[]}", "setMessageReaction", "reaction", "[]",
                OK_TRUE);
    expect_verb("typing.start", NULL, "{}", "sendChatAction", "action", "typing", OK_TRUE);
    expect_verb("typing.start", NULL, "{\"kind\":\"voice\"}", "sendChatAction", "action", "record_voice",
                OK_TRUE);
    expect_verb("typing.start", NULL, "{\"kind\":\"file\"}", "sendChatAction", "action", "upload_document",
                OK_TRUE);
    expect_refused("message.react", "bc-1:3527065/45", "{\"reactions\":[{\"emoji\":\"👍\"}]}",
                   "unsupported_verb");
    expect_refused("message.delete", "45", "{}", "message_not_found");
}
