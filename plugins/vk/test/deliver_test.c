/* Deliveries: which calls are made of them, and what becomes of their answers. */
#include <stdio.h>

#include "compose.h"
#include "test/capture.h"

/* The delivery is refused without a call. */
static void expect_refused(const char *type, const char *target, const char *data, const char *code)
{
    struct fake_host *host = channel_new(NULL);
    kanal_op op = deliver(host, type, target, data);
    cr_expect_eq(fake_request_count(host), 0, "a call was made for %s", data);
    expect_failed(host, op, KANAL_SCOPE_MESSAGE, code);
    channel_free(host);
}

/* One delivery, one call: the method, and one field of it. */
static void expect_verb_of(const char *more, const char *type, const char *target, const char *data,
                           const char *method, const char *field, const char *value)
{
    struct fake_host *host = channel_new(more);
    int is_send = strcmp(type, "message.send") == 0;
    kanal_op op = deliver(host, type, target, data);
    struct call call = call_only(host);
    EXPECT_TEXT(call.method, method);
    cr_expect_str_eq(call_text(&call, field), value, "%s: %s is %s, not %s", data, field,
                     call_text(&call, field), value);
    call_free(&call);
    fake_request_answer(host, 0, 200, is_send ? OK_SENT : OK_ONE);
    expect_sent(host, op, is_send ? "41887/77" : target ? target : "");
    channel_free(host);
}

#define expect_verb(...) expect_verb_of(NULL, __VA_ARGS__)
#define expect_call(data, field, value)                                                                      \
    expect_verb_of(NULL, "message.send", NULL, data, "messages.send", field, value)

/* ---- Content ---- */

Test(send, text)
{
    expect_call(SEND("[" TEXT("Да & <b>нет</b>") "]"), "message", "Да & <b>нет</b>");
    expect_call(SEND("[" TEXT("a") "," TEXT("b") "]"), "message", "a\n\nb");
    expect_call(SEND("[" TEXT("x") "]"), "peer_ids", PEER);
    expect_call(SEND("[" TEXT("x") "]"), "keyboard", "");
    expect_call(SEND("[{\"type\":\"text\",\"text\":\"x\",\"preview\":false}]"), "dont_parse_links", "1");
    expect_call("{\"provider\":{\"intent\":\"confirmed_notification\"},\"content\":[" TEXT("x") "]}",
                "intent", "confirmed_notification");
    expect_call("{\"provider\":{\"vk\":{\"disable_mentions\":true}},\"content\":[" TEXT("x") "]}",
                "disable_mentions", "1");
    expect_call("{\"provider\":{\"attachment\":\"wall-1_2,market-3_4_k\"},\"content\":[" TEXT("x") "]}",
                "attachment", "wall-1_2,market-3_4_k");
    /* Only what is known to be harmless is let through. */
    expect_call("{\"provider\":{\"peer_id\":5,\"access_token\":\"x\",\"v\":\"1\",\"user_ids\":\"1\"},"
                "\"content\":[" TEXT("x") "]}",
                "user_ids", "");
    expect_call("{\"provider\":{\"attachment\":\"x&peer_id=5\"},\"content\":[" TEXT("x") "]}", "attachment",
                "");
}

Test(send, random_id_is_never_zero_and_always_the_same)
{
    static const char *const keys[] = { "k-1", "k-2", "", "a", "550e8400-e29b-41d4-a716-446655440000" };
    char first[24];
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        int32_t number = vk_random_id(kanal_str_c(keys[i]));
        cr_expect_neq(number, 0);
        cr_expect_eq(number, vk_random_id(kanal_str_c(keys[i])));
        for (size_t j = 0; j < i; j++)
            cr_expect_neq(number, vk_random_id(kanal_str_c(keys[j])), "%s and %s", keys[i], keys[j]);
    }
    cr_expect_eq(vk_random_id(KANAL_LIT("k-1")), -495811852, "a number of an earlier version: %d",
                 vk_random_id(KANAL_LIT("k-1")));
    snprintf(first, sizeof first, "%d", vk_random_id(KANAL_LIT("k-1")));
    expect_call(SEND("[" TEXT("x") "]"), "random_id", first);
}

Test(send, random_ids_of_neighbours_do_not_collide)
{
    enum { COUNT = 2000 };
    static int32_t numbers[COUNT];
    size_t collisions = 0;
    for (size_t i = 0; i < COUNT; i++) {
        char key[40];
        int n = snprintf(key, sizeof key, "command-%zu", i);
        numbers[i] = vk_random_id(kanal_str_of(key, (size_t)n));
        for (size_t j = 0; j < i; j++)
            collisions += numbers[i] == numbers[j];
    }
    cr_expect_eq(collisions, 0);
}

#define PLACE "[{\"type\":\"location\",\"lat\":55.75,\"lon\":-37.61}]"

Test(send, places_and_stickers)
{
    expect_call(SEND(PLACE), "lat", "55.75");
    expect_call(SEND(PLACE), "long", "-37.61");
    expect_call(SEND("[{\"type\":\"sticker\",\"provider\":{\"sticker_id\":\"9046\"}}]"), "sticker_id",
                "9046");
    expect_call(SEND("[{\"type\":\"image\",\"url\":\"https://x.example/"
                     "a.jpg\",\"provider\":{\"attachment\":\"photo1_2_k\"}}]"),
                "attachment", "photo1_2_k");
    expect_refused("message.send", NULL, SEND("[{\"type\":\"location\",\"lat\":1}]"), "invalid_content");
}

#define CHOICE(style, options)                                                                               \
    SEND("[" TEXT("?") ",{\"type\":\"choice\",\"style\":\"" style "\",\"options\":[" options "]}]")

Test(send, buttons)
{
    expect_call(
        CHOICE("buttons", "{\"text\":\"Да\",\"payload\":\"Y\"},{\"text\":\"Нет\",\"payload\":\"N\\\"\","
                          "\"look\":\"negative\"}"),
        "keyboard",
        "{\"one_time\":false,\"inline\":true,\"buttons\":[[{\"action\":{\"type\":\"callback\",\"label\":"
        "\"Да\","
        "\"payload\":\"{\\\"k\\\":\\\"Y\\\"}\"},\"color\":\"secondary\"},{\"action\":{\"type\":\"callback\","
        "\"label\":\"Нет\",\"payload\":\"{\\\"k\\\":\\\"N\\\\\\\"\\\"}\"},\"color\":\"negative\"}]]}");
    expect_verb_of(
        ",\"buttons\":\"text\"", "message.send", NULL, CHOICE("buttons", "{\"text\":\"Да\"}"),
        "messages.send", "keyboard",
        "{\"one_time\":false,\"inline\":true,\"buttons\":[[{\"action\":{\"type\":\"text\",\"label\":\"Да\","
        "\"payload\":\"{\\\"k\\\":\\\"Да\\\"}\"},\"color\":\"secondary\"}]]}");
    expect_call(CHOICE("buttons",
                       "{\"text\":\"a\",\"row\":0},{\"text\":\"b\",\"url\":\"https://x.example\",\"row\":0},"
                       "{\"text\":\"c\",\"row\":1}"),
                "keyboard",
                "{\"one_time\":false,\"inline\":true,\"buttons\":[[{\"action\":{\"type\":\"callback\","
                "\"label\":\"a\","
                "\"payload\":\"{\\\"k\\\":\\\"a\\\"}\"},\"color\":\"secondary\"}],[{\"action\":{\"type\":"
                "\"open_link\","
                "\"label\":\"b\",\"link\":\"https://"
                "x.example\"}}],[{\"action\":{\"type\":\"callback\",\"label\":\"c\","
                "\"payload\":\"{\\\"k\\\":\\\"c\\\"}\"},\"color\":\"secondary\"}]]}");
    expect_call(
        SEND(
            "[{\"type\":\"choice\",\"style\":\"buttons\",\"text\":\"Да?\",\"options\":[{\"text\":\"Да\"}]}]"),
        "message", "Да?");
    expect_call(CHOICE("buttons", "{\"text\":\"App\",\"provider\":{\"action\":{\"type\":\"vkpay\",\"hash\":"
                                  "\"action=pay-to-group\"}}}"),
                "keyboard",
                "{\"one_time\":false,\"inline\":true,\"buttons\":[[{\"action\":{\"type\":\"vkpay\",\"hash\":"
                "\"action=pay-to-group\"}}]]}");
    expect_refused("message.send", NULL,
                   CHOICE("buttons", "{\"text\":\"x\",\"url\":\"javascript:alert(1)\"}"), "invalid_content");
    expect_refused("message.send", NULL, CHOICE("buttons", "{\"text\":\"x\",\"phone\":\"+7916\"}"),
                   "unsupported_content");
    expect_refused("message.send", NULL, CHOICE("buttons", "{\"text\":\"x\",\"request\":\"email\"}"),
                   "unsupported_content");
    expect_refused("message.send", NULL, CHOICE("buttons", ""), "invalid_content");
    char data[1024], payload[300];
    memset(payload, 'a', 248);
    payload[248] = 0;
    snprintf(data, sizeof data, CHOICE("buttons", "{\"text\":\"x\",\"payload\":\"%s\"}"), payload);
    expect_refused("message.send", NULL, data, "invalid_content");
}

Test(send, quick_replies)
{
    expect_call(
        CHOICE("quick_replies", "{\"text\":\"Да\",\"payload\":\"Y\",\"look\":\"positive\"},{\"text\":\"Где "
                                "я\",\"request\":\"location\"}"),
        "keyboard",
        "{\"one_time\":true,\"inline\":false,\"buttons\":[[{\"action\":{\"type\":\"text\",\"label\":\"Да\","
        "\"payload\":\"{\\\"k\\\":\\\"Y\\\"}\"},\"color\":\"positive\"}],[{\"action\":{\"type\":\"location\","
        "\"payload\":\"{\\\"k\\\":\\\"Где я\\\"}\"}}]]}");
    expect_call(
        SEND("[" TEXT(
            "?") ",{\"type\":\"choice\",\"style\":\"quick_replies\",\"remove\":true,\"options\":[]}]"),
        "keyboard", "{\"one_time\":false,\"inline\":false,\"buttons\":[]}");
}

Test(send, cards)
{
    expect_call(SEND("[{\"type\":\"card\",\"title\":\"Самовар\",\"text\":\"Медь\",\"price\":\"1990.00\","
                     "\"currency\":\"RUB\","
                     "\"url\":\"https://shop.example/1\"}]"),
                "message", "Самовар\nМедь\n1990.00 RUB\nhttps://shop.example/1");
    expect_call(SEND("[{\"type\":\"card\",\"title\":\"Самовар\",\"options\":[{\"text\":\"Купить\","
                     "\"payload\":\"B\"}]}]"),
                "keyboard",
                "{\"one_time\":false,\"inline\":true,\"buttons\":[[{\"action\":{\"type\":\"callback\","
                "\"label\":\"Купить\","
                "\"payload\":\"{\\\"k\\\":\\\"B\\\"}\"},\"color\":\"secondary\"}]]}");
    expect_call(SEND("[{\"type\":\"carousel\",\"cards\":[{\"title\":\"Самовар\",\"price\":\"1990.00\","
                     "\"currency\":\"RUB\","
                     "\"url\":\"https://shop.example/"
                     "1\",\"options\":[{\"text\":\"Купить\",\"payload\":\"B1\"}]},{\"title\":\"Чайник\","
                     "\"text\":\"Медь\"}]}]"),
                "template",
                "{\"type\":\"carousel\",\"elements\":[{\"title\":\"Самовар\",\"description\":\"1990.00 "
                "RUB\",\"action\":"
                "{\"type\":\"open_link\",\"link\":\"https://shop.example/"
                "1\"},\"buttons\":[{\"action\":{\"type\":\"callback\","
                "\"label\":\"Купить\",\"payload\":\"{\\\"k\\\":\\\"B1\\\"}\"},\"color\":\"secondary\"}]},{"
                "\"title\":\"Чайник\","
                "\"description\":\"Медь\",\"action\":{\"type\":\"open_photo\"}}]}");
    expect_call(SEND("[{\"type\":\"carousel\",\"cards\":[{\"title\":\"Самовар\"}]}]"), "message", "Самовар");
    expect_refused("message.send", NULL, SEND("[{\"type\":\"carousel\",\"cards\":[]}]"), "invalid_content");
    expect_refused("message.send", NULL,
                   SEND("[{\"type\":\"carousel\",\"cards\":[{\"title\":\"x\",\"options\":[{\"text\":\"1\"},{"
                        "\"text\":\"2\"},{\"text\":\"3\"},{\"text\":\"4\"}]}]}]"),
                   "unsupported_content");
}

Test(send, what_vk_cannot_show_is_refused)
{
    expect_refused("message.send", NULL, SEND("[]"), "invalid_content");
    expect_refused("message.send", NULL, "not json", "invalid_content");
    expect_refused("message.send", NULL, SEND("[{\"type\":\"contact\",\"name\":\"x\"}]"),
                   "unsupported_content");
    expect_refused("message.send", NULL, SEND("[{\"type\":\"image\"}]"), "invalid_content");
    expect_refused("message.send", NULL,
                   SEND("[{\"type\":\"card\",\"title\":\"x\"},{\"type\":\"location\",\"lat\":1,\"lon\":2}]"),
                   "unsupported_content");
    expect_refused("message.pin", "41887/9", "{}", "unsupported_verb");
}

/* ---- Uploads ---- */

#define SERVER                                                                                               \
    "{\"response\":{\"album_id\":-64,\"upload_url\":\"https://pu.vk.com/c5/"                                 \
    "upload.php?mid=1\",\"user_id\":0,\"group_id\":205112233}}"
#define POSTED "{\"server\":857328,\"photo\":\"[{\\\"markers_restarted\\\":true}]\",\"hash\":\"1f2e3d\"}"
#define SAVED                                                                                                \
    "{\"response\":[{\"album_id\":-64,\"id\":457239300,\"owner_id\":-205112233,\"access_key\":\"k1\","       \
    "\"sizes\":[]}]}"
#define PHOTO                                                                                                \
    SEND("[{\"type\":\"image\",\"url\":\"https://cdn.example.com/a%20b.png?x=1\",\"mime\":\"image/"          \
         "png\",\"caption\":\"Да\"}]")

static void expect_upload(struct fake_host *host, const char *field, const char *url, const char *name)
{
    struct call call = call_only(host);
    EXPECT_TEXT(call.method, "https://pu.vk.com/c5/upload.php?mid=1");
    EXPECT_TEXT(call.upload_field, field);
    EXPECT_TEXT(call.upload, url);
    EXPECT_TEXT(call.upload_name, name);
    call_free(&call);
}

Test(upload, a_photo_takes_three_steps)
{
    struct fake_host *host = channel_new(NULL);
    kanal_op op = send_content(host, PHOTO);
    struct call call = call_only(host);
    EXPECT_TEXT(call.method, "photos.getMessagesUploadServer");
    EXPECT_TEXT(call_text(&call, "peer_id"), PEER);
    call_free(&call);
    fake_request_answer(host, 0, 200, SERVER);
    expect_upload(host, "photo", "https://cdn.example.com/a%20b.png?x=1", "a%20b.png");
    fake_request_answer(host, 0, 200, POSTED);
    call = call_only(host);
    EXPECT_TEXT(call.method, "photos.saveMessagesPhoto");
    EXPECT_TEXT(call_text(&call, "server"), "857328");
    EXPECT_TEXT(call_text(&call, "photo"), "[{\"markers_restarted\":true}]");
    EXPECT_TEXT(call_text(&call, "hash"), "1f2e3d");
    call_free(&call);
    fake_request_answer(host, 0, 200, SAVED);
    call = call_only(host);
    EXPECT_TEXT(call.method, "messages.send");
    EXPECT_TEXT(call_text(&call, "attachment"), "photo-205112233_457239300_k1");
    EXPECT_TEXT(call_text(&call, "message"), "Да");
    call_free(&call);
    fake_request_answer(host, 0, 200, OK_SENT);
    expect_sent(host, op, "41887/77");
    channel_free(host);
}

static void upload_document(const char *part, const char *type, const char *saved, const char *attachment)
{
    char data[512];
    struct fake_host *host = channel_new(NULL);
    snprintf(data, sizeof data, SEND("[{%s,\"url\":\"https://cdn.example.com/a.bin\",\"name\":\"n.bin\"}]"),
             part);
    kanal_op op = send_content(host, data);
    struct call call = call_only(host);
    EXPECT_TEXT(call.method, "docs.getMessagesUploadServer");
    EXPECT_TEXT(call_text(&call, "type"), type);
    call_free(&call);
    fake_request_answer(host, 0, 200, SERVER);
    expect_upload(host, "file", "https://cdn.example.com/a.bin", "n.bin");
    fake_request_answer(host, 0, 200, "{\"file\":\"205|0|-1|8|abc\"}");
    call = call_only(host);
    EXPECT_TEXT(call.method, "docs.save");
    EXPECT_TEXT(call_text(&call, "file"), "205|0|-1|8|abc");
    call_free(&call);
    fake_request_answer(host, 0, 200, saved);
    call = call_only(host);
    EXPECT_TEXT(call.method, "messages.send");
    EXPECT_TEXT(call_text(&call, "attachment"), attachment);
    call_free(&call);
    fake_request_answer(host, 0, 200, OK_SENT);
    expect_sent(host, op, "41887/77");
    channel_free(host);
}

Test(upload, documents_voices_and_stickers)
{
    upload_document(
        "\"type\":\"file\"", "doc",
        "{\"response\":{\"type\":\"doc\",\"doc\":{\"id\":5,\"owner_id\":-20,\"title\":\"n.bin\"}}}",
        "doc-20_5");
    upload_document("\"type\":\"video\"", "doc",
                    "{\"response\":{\"type\":\"doc\",\"doc\":{\"id\":5,\"owner_id\":-20}}}", "doc-20_5");
    upload_document("\"type\":\"image\",\"mime\":\"image/gif\"", "doc",
                    "{\"response\":[{\"id\":5,\"owner_id\":-20,\"access_key\":\"z\"}]}", "doc-20_5_z");
    upload_document("\"type\":\"voice\"", "audio_message",
                    "{\"response\":{\"type\":\"audio_message\",\"audio_message\":{\"id\":6,\"owner_id\":-20,"
                    "\"access_key\":\"q\"}}}",
                    "audio_message-20_6_q");
    upload_document("\"type\":\"sticker\"", "graffiti",
                    "{\"response\":{\"type\":\"graffiti\",\"graffiti\":{\"id\":7,\"owner_id\":-20}}}",
                    "doc-20_7");
}

Test(upload, the_cards_of_a_carousel_one_after_another)
{
    struct fake_host *host = channel_new(NULL);
    kanal_op op = send_content(
        host,
        SEND("[" TEXT("Вот") ",{\"type\":\"carousel\",\"cards\":[{\"title\":\"1\",\"image\":{\"url\":\"https:"
                             "//cdn.example.com/1.jpg\"}},"
                             "{\"title\":\"2\",\"image\":{\"url\":\"https://cdn.example.com/2.jpg\"}}]}]"));
    for (int i = 0; i < 2; i++) {
        call_answer(host, "photos.getMessagesUploadServer", 200, SERVER);
        expect_upload(host, "photo", i ? "https://cdn.example.com/2.jpg" : "https://cdn.example.com/1.jpg",
                      i ? "2.jpg" : "1.jpg");
        fake_request_answer(host, 0, 200, POSTED);
        call_answer(host, "photos.saveMessagesPhoto", 200,
                    i ? "{\"response\":[{\"id\":2,\"owner_id\":-20}]}" : SAVED);
    }
    struct call call = call_only(host);
    EXPECT_TEXT(call_text(&call, "template"),
                "{\"type\":\"carousel\",\"elements\":[{\"title\":\"1\",\"description\":\"1\",\"photo_id\":\"-"
                "205112233_457239300\","
                "\"action\":{\"type\":\"open_photo\"}},{\"title\":\"2\",\"description\":\"2\",\"photo_id\":"
                "\"-20_2\",\"action\":{\"type\":\"open_photo\"}}]}");
    call_free(&call);
    fake_request_answer(host, 0, 200, OK_SENT);
    expect_sent(host, op, "41887/77");
    channel_free(host);
}

/* What fails before messages.send was seen by nobody: it is tried again or failed, never unknown. */
Test(upload, each_step_may_fail)
{
    static const struct {
        const char *first, *second, *third; /* answers; NULL: the step before was the last */
        int32_t outcome;
        const char *code;
    } rows[] = {
        { ERROR(901, "Can't send messages for users without permission"), NULL, NULL, KANAL_FAILED,
          "opted_out" },
        { ERROR(6, "Too many requests per second"), NULL, NULL, KANAL_RETRY, "rate_limited" },
        { "{\"response\":{}}", NULL, NULL, KANAL_RETRY, "provider_error" },
        { SERVER, "{\"error\":\"ERR_UPLOAD_BAD_IMAGE_SIZE: market photo min size 400x400\"}", NULL,
          KANAL_FAILED, "media_unavailable" },
        { SERVER, "{\"server\":1,\"photo\":\"[]\",\"hash\":\"x\"}", NULL, KANAL_FAILED, "media_unavailable" },
        { SERVER, "<html>", NULL, KANAL_FAILED, "media_unavailable" },
        { SERVER, POSTED,
          ERROR(100, "One of the parameters specified was missing or invalid: photos_list is invalid"),
          KANAL_FAILED, "invalid_content" },
        { SERVER, POSTED, ERROR(129, "Invalid photo"), KANAL_FAILED, "invalid_content" },
        { SERVER, POSTED, "{\"response\":[]}", KANAL_RETRY, "provider_error" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fake_host *host = channel_new(NULL);
        kanal_op op = send_content(host, PHOTO);
        fake_request_answer(host, 0, 200, rows[i].first);
        if (rows[i].second)
            fake_request_answer(host, 0, 200, rows[i].second);
        if (rows[i].third)
            fake_request_answer(host, 0, 200, rows[i].third);
        cr_expect_eq(fake_request_count(host), 0, "row %zu", i);
        cr_expect_eq(result_of(host, op)->outcome, rows[i].outcome, "row %zu: outcome %d", i,
                     result_of(host, op)->outcome);
        cr_expect(kanal_str_is(result_of(host, op)->code, rows[i].code), "row %zu: %.*s", i,
                  (int)result_of(host, op)->code.len, result_of(host, op)->code.ptr);
        channel_free(host);
    }
    struct fake_host *host = channel_new(NULL);
    kanal_op op = send_content(host, PHOTO);
    fake_request_fail(host, 0, KANAL_E_MAYBE);
    cr_expect_eq(result_of(host, op)->outcome, KANAL_RETRY);
    static const char *const answers[] = { SERVER, POSTED };
    for (size_t steps = 1; steps <= 2; steps++) {
        op = send_content(host, PHOTO);
        for (size_t i = 0; i < steps; i++)
            fake_request_answer(host, 0, 200, answers[i]);
        fake_request_fail(host, 0, KANAL_E_MAYBE);
        cr_expect_eq(result_of(host, op)->outcome, KANAL_RETRY, "after %zu steps", steps);
    }
    op = send_content(host, PHOTO);
    fake_request_answer(host, 0, 200, SERVER);
    fake_request_fail(host, 0, KANAL_E_NOT_FOUND);
    expect_failed(host, op, KANAL_SCOPE_MESSAGE, "media_unavailable");
    channel_free(host);
}

/* ---- Verbs ---- */

Test(verb, reply)
{
    expect_verb("message.send", "41887/90", SEND("[" TEXT("x") "]"), "messages.send", "forward",
                "{\"peer_id\":41887,\"conversation_message_ids\":[90],\"is_reply\":true}");
    expect_verb("message.send", "2000000003/90", SEND("[" TEXT("x") "]"), "messages.send", "forward",
                "{\"peer_id\":2000000003,\"conversation_message_ids\":[90]}");
    expect_refused("message.send", "wamid.A", SEND("[" TEXT("x") "]"), "message_not_found");
}

Test(verb, edit_and_delete)
{
    expect_verb("message.edit", "2000000003/90", SEND("[" TEXT("x") "]"), "messages.edit", "peer_id",
                "2000000003");
    expect_verb("message.edit", "41887/90", SEND("[" TEXT("x") "]"), "messages.edit", "cmid", "90");
    expect_verb("message.delete", "41887/90", "{}", "messages.delete", "cmids", "90");
    expect_verb("message.delete", "41887/90", "{}", "messages.delete", "delete_for_all", "1");
    expect_refused("message.edit", NULL, SEND("[" TEXT("x") "]"), "message_not_found");
    expect_refused("message.edit", "41887/90", CHOICE("quick_replies", "{\"text\":\"x\"}"),
                   "unsupported_content");
    expect_refused("message.delete", "90", "{}", "message_not_found");
}

Test(verb, read_react_typing)
{
    expect_verb("message.read", "41887/90", "{}", "messages.markAsRead", "up_to_cmid", "90");
    expect_verb("message.react", "41887/90", "{\"reactions\":[{\"emoji\":\"👍\"}]}", "messages.sendReaction",
                "reaction_id", "4");
    expect_verb("message.react", "41887/90", "{\"reactions\":[{\"emoji\":\"❤️\"}]}",
                "messages.sendReaction", "reaction_id", "1");
    expect_verb("message.react", "41887/90", "{\"reactions\":[{\"custom_id\":\"51\"}]}",
                "messages.sendReaction", "reaction_id", "51");
    expect_verb("message.react", "41887/90", "{\"reactions\":[]}", "messages.deleteReaction", "cmid", "90");
    expect_verb("typing.start", NULL, "{}", "messages.setActivity", "type", "typing");
    expect_verb("typing.start", NULL, "{\"kind\":\"voice\"}", "messages.setActivity", "type", "audiomessage");
    expect_refused("message.react", "41887/90", "{\"reactions\":[{\"emoji\":\"🦄\"}]}",
                   "unsupported_content");
}

Test(target, who_is_nobody_is_refused)
{
    static const char *const chats[][2] = { { NULL, "telegram:5" },
                                            { NULL, "vk:" },
                                            { "x", NULL },
                                            { "0", NULL },
                                            { "99999999999999999999", NULL } };
    struct fake_host *host = channel_new(NULL);
    for (size_t i = 0; i < sizeof chats / sizeof *chats; i++) {
        kanal_delivery delivery = { .chat = kanal_str_c(chats[i][0]),
                                    .address = kanal_str_c(chats[i][1]),
                                    .data = KANAL_LIT(SEND("[" TEXT("x") "]")) };
        expect_failed(host, fake_deliver(host, &delivery), KANAL_SCOPE_RECIPIENT, "recipient_unknown");
    }
    kanal_delivery delivery = { .address = KANAL_LIT("vk:-777"), .data = KANAL_LIT(SEND("[" TEXT("x") "]")) };
    fake_deliver(host, &delivery);
    struct call call = call_only(host);
    EXPECT_TEXT(call_text(&call, "peer_ids"), "-777");
    call_free(&call);
    fake_request_answer(host, 0, 200, OK_SENT);
    channel_free(host);
}
