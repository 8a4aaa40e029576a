/* Events of the Callback API: every fixture against its golden file, and by hand what matters most. */
#include <stdio.h>

#include "test/capture.h"

static struct fake_host *tell(const char *name)
{
    size_t len;
    char *event = fixture_read(FIXTURES, name, &len);
    struct fake_host *host = channel_new(",\"profiles\":false");
    const struct fake_answer *answer = post(host, kanal_str_of(event, len));
    cr_assert_eq(answer->response.code, 200, "%s is answered with %d", name, answer->response.code);
    cr_expect(kanal_str_is(answer->response.body, strncmp(name, "confirmation", 12) == 0 ? "c0f1rm" : "ok"),
              "%s: VK repeats what is not answered with ok", name);
    free(event);
    return host;
}

static void check(const char *name, void *user)
{
    (void)user;
    struct fake_host *host = tell(name);
    fixture_check(host, FIXTURES, name);
    answer_all(host);
    channel_free(host);
}

Test(callback, every_fixture_tells_what_its_golden_file_says)
{
    cr_expect_geq(fixture_each(FIXTURES, check, NULL), 60);
}

Test(callback, a_text_says_who_where_when_and_what)
{
    struct fake_host *host = tell("text");
    cr_assert_eq(fake_event_count(host), 1);
    const kanal_event *event = &fake_event_at(host, 0)->event;
    EXPECT_TEXT(event->type.ptr, "message.received");
    EXPECT_TEXT(event->address.ptr, "vk:41887");
    EXPECT_TEXT(event->chat.ptr, "41887");
    EXPECT_TEXT(event->external_id.ptr, "41887/101");
    cr_expect_eq(event->dedupe.len, 40, "event_id dedupes");
    cr_expect_eq(event->time_ms, INT64_C(1795294385000));
    cr_expect(event->raw.len > 100, "the raw payload is there for those who keep it");
    cr_expect_neq(fake_event_at(host, 0)->cause, 0, "the ok waits for the store");
    EXPECT_TEXT(event_value(host, 0, "message/content/0/text"), "Здравствуйте! Есть ли самовар на 5 литров?");
    EXPECT_TEXT(event_value(host, 0, "customer/locale"), "ru");
    EXPECT_TEXT(event_value(host, 0, "chat/kind"), "private");
    EXPECT_TEXT(event_value(host, 0, "author"), "");
    channel_free(host);
    host = tell("text-escaped");
    EXPECT_TEXT(event_value(host, 0, "message/content/0/text"),
                "Цена < 1000 & доставка?\nСпасибо \"за\" ответ");
    channel_free(host);
}

Test(callback, answers_carry_the_payload_that_was_given)
{
    static const char *const rows[][3] = {
        { "press", "ORDER_YES", "" },
        { "press-string", "ORDER_NO", "" },
        { "press-foreign", "{\"type\":\"show_snackbar\",\"text\":\"x\"}", "" },
        { "button-text", "ORDER_YES", "Да" },
        { "button-foreign", "{\"command\":\"catalog\",\"page\":2}", "Каталог" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fake_host *host = tell(rows[i][0]);
        EXPECT_TEXT(event_value(host, 0, "message/content/0/type"), "answer");
        EXPECT_TEXT(event_value(host, 0, "message/content/0/payload"), rows[i][1]);
        EXPECT_TEXT(event_value(host, 0, "message/content/0/text"), rows[i][2]);
        answer_all(host);
        channel_free(host);
    }
}

Test(callback, a_pressed_button_is_answered_at_once)
{
    struct fake_host *host = tell("press");
    EXPECT_TEXT(event_value(host, 0, "message/reply_to/external_id"), "41887/98");
    struct call call = call_only(host);
    EXPECT_TEXT(call.method, "messages.sendMessageEventAnswer");
    EXPECT_TEXT(call_text(&call, "event_id"), "a1b2c3d4e5f6");
    EXPECT_TEXT(call_text(&call, "user_id"), PEER);
    EXPECT_TEXT(call_text(&call, "peer_id"), PEER);
    call_free(&call);
    fake_request_answer(host, 0, 200, OK_ONE);
    channel_free(host);
}

Test(callback, links_and_the_start_button_open_the_conversation)
{
    struct fake_host *host = tell("ref");
    cr_assert_eq(fake_event_count(host), 2);
    EXPECT_TEXT(fake_event_at(host, 0)->event.type.ptr, "conversation.started");
    EXPECT_TEXT(event_value(host, 0, "referral/payload"), "promo7");
    EXPECT_TEXT(event_value(host, 0, "referral/source"), "vk_ads_42");
    EXPECT_TEXT(event_value(host, 1, "referral/payload"), "promo7");
    cr_expect_str_neq(fake_event_at(host, 0)->event.dedupe.ptr, fake_event_at(host, 1)->event.dedupe.ptr);
    channel_free(host);
    host = tell("start");
    cr_assert_eq(fake_event_count(host), 2);
    EXPECT_TEXT(fake_event_at(host, 0)->event.type.ptr, "conversation.started");
    EXPECT_TEXT(event_value(host, 0, "referral"), "");
    channel_free(host);
}

Test(callback, what_we_sent_ourselves_is_not_told_again)
{
    static const char *const echoes[] = { "reply-by-api", "typing-own", "read-own" };
    for (size_t i = 0; i < sizeof echoes / sizeof *echoes; i++) {
        struct fake_host *host = tell(echoes[i]);
        cr_expect_eq(fake_event_count(host), 0, "%s", echoes[i]);
        cr_expect_eq(fake_metric(host, "echoes_ignored"), 1);
        channel_free(host);
    }
    static const char *const theirs[] = { "reply-by-hand", "reply-by-greeting", "edit-own" };
    for (size_t i = 0; i < sizeof theirs / sizeof *theirs; i++) {
        struct fake_host *host = tell(theirs[i]);
        cr_assert_eq(fake_event_count(host), 1);
        EXPECT_TEXT(fake_event_at(host, 0)->event.type.ptr, "message.sent");
        EXPECT_TEXT(fake_event_at(host, 0)->event.address.ptr, "vk:41887");
        channel_free(host);
    }
}

Test(callback, in_chats_the_author_is_told_and_whether_it_speaks_to_us)
{
    struct fake_host *host = tell("chat");
    EXPECT_TEXT(fake_event_at(host, 0)->event.address.ptr, "vk:41887");
    EXPECT_TEXT(fake_event_at(host, 0)->event.chat.ptr, "2000000003");
    EXPECT_TEXT(event_value(host, 0, "chat/kind"), "group");
    EXPECT_TEXT(event_value(host, 0, "author/address"), "vk:41887");
    EXPECT_TEXT(event_value(host, 0, "message/mentioned"), "true");
    channel_free(host);
    host = tell("chat-other");
    EXPECT_TEXT(event_value(host, 0, "message/mentioned"), "");
    channel_free(host);
    host = tell("chat-reply");
    EXPECT_TEXT(event_value(host, 0, "message/mentioned"), "true");
    EXPECT_TEXT(event_value(host, 0, "message/reply_to/external_id"), "2000000003/91");
    channel_free(host);
}

Test(callback, events_that_name_nobody_are_counted)
{
    struct fake_host *host = tell("wall-post");
    cr_expect_eq(fake_event_count(host), 0);
    cr_expect_eq(fake_metric(host, "events_ignored"), 1);
    channel_free(host);
    host = tell("group-join");
    EXPECT_TEXT(event_value(host, 0, "message/content/0/kind"), "group_join");
    channel_free(host);
}

Test(callback, what_cannot_be_stored_is_asked_for_again)
{
    size_t len;
    char *event = fixture_read(FIXTURES, "text", &len);
    struct fake_host *host = channel_new(",\"profiles\":false");
    fake_fail_publish(host, KANAL_E_NETWORK);
    cr_expect_eq(post(host, kanal_str_of(event, len))->response.code, 503);
    fake_fail_publish(host, KANAL_OK);
    cr_expect_eq(post(host, kanal_str_of(event, len))->response.code, 200);
    free(event);
    channel_free(host);
}

/* ---- The secret ---- */

static int post_text(struct fake_host *host, const char *body)
{
    return post(host, kanal_str_c(body))->response.code;
}

#define EVENT(members)                                                                                       \
    "{\"type\":\"message_new\",\"group_id\":205112233" members                                               \
    ",\"object\":{\"message\":{\"from_id\":5,\"text\":\"x\"}}}"

Test(secret, only_the_right_one_opens)
{
    struct fake_host *host = channel_new(",\"profiles\":false");
    cr_expect_eq(post_text(host, EVENT("")), 401);
    cr_expect_eq(post_text(host, EVENT(",\"secret\":\"\"")), 401);
    cr_expect_eq(post_text(host, EVENT(",\"secret\":\"aaQ13axAPQEcczQb\"")), 401);
    cr_expect_eq(post_text(host, EVENT(",\"secret\":\"aaQ13axAPQEcczQaa\"")), 401);
    cr_expect_eq(post_text(host, EVENT(",\"secret\":[\"aaQ13axAPQEcczQa\"]")), 401);
    cr_expect_eq(fake_event_count(host), 0);
    cr_expect_eq(fake_metric(host, "events_forged"), 5);
    cr_expect_eq(post_text(host, EVENT(",\"secret\":\"aaQ13axAPQEcczQa\"")), 200);
    cr_expect_eq(fake_event_count(host), 1);
    channel_free(host);
}

Test(secret, without_one_configured_nothing_opens)
{
    static const char *const only_token[][2] = { { "token", "vk1.a.Token" } };
    struct fake_host *host = fake_new(kanal_plugin_v1(), "{\"group_id\":205112233}", only_token, 1);
    cr_expect_eq(post_text(host, EVENT(",\"secret\":\"\"")), 401);
    cr_expect_eq(post_text(host, EVENT(",\"secret\":\"x\"")), 401);
    cr_expect_eq(fake_event_count(host), 0);
    cr_expect_eq(fake_free(host), 0);
}

Test(secret, another_community_is_refused)
{
    struct fake_host *host = channel_new(NULL);
    cr_expect_eq(post_text(host, "{\"type\":\"message_new\",\"group_id\":7,\"secret\":\"aaQ13axAPQEcczQa\"}"),
                 403);
    cr_expect_eq(post_text(host, "{\"type\":\"confirmation\",\"group_id\":7}"), 403);
    cr_expect_eq(
        fake_answer(host, fake_http(host, "GET", "/", NULL, 0, kanal_str_of(NULL, 0)))->response.code, 405);
    channel_free(host);
}

Test(confirmation, is_answered_literally)
{
    struct fake_host *host = channel_new(NULL);
    const struct fake_answer *answer =
        post(host, KANAL_LIT("{\"type\":\"confirmation\",\"group_id\":205112233}"));
    cr_expect_eq(answer->response.code, 200);
    cr_expect(kanal_str_is(answer->response.body, "c0f1rm"));
    cr_expect_eq(post_text(host, "{\"type\":\"confirmation\",\"group_id\":205112233,\"secret\":\"wrong\"}"),
                 401);
    channel_free(host);
}

Test(confirmation, is_asked_for_where_it_is_not_configured)
{
    static const char *const secrets[][2] = { { "token", "vk1.a.Token" }, { "secret", "Secret7Key" } };
    struct fake_host *host = fake_new(kanal_plugin_v1(), "{\"group_id\":205112233}", secrets, 2);
    call_answer(host, "groups.getById", 200, "{\"response\":{\"groups\":[{\"id\":205112233}]}}");
    const char *body = "{\"type\":\"confirmation\",\"group_id\":205112233}";
    kanal_op op = fake_http(host, "POST", "/", NULL, 0, kanal_str_c(body));
    cr_expect_not(fake_answer(host, op)->answered);
    call_answer(host, "groups.getCallbackConfirmationCode", 200, "{\"response\":{\"code\":\"b7f2\"}}");
    cr_expect(kanal_str_is(fake_answer(host, op)->response.body, "b7f2"));
    op = fake_http(host, "POST", "/", NULL, 0, kanal_str_c(body));
    call_answer(host, "groups.getCallbackConfirmationCode", 200, ERROR(15, "Access denied"));
    cr_expect_eq(fake_answer(host, op)->response.code, 503);
    cr_expect_eq(fake_free(host), 0);
}

/* ---- Names ---- */

#define USER                                                                                                       \
    "{\"response\":[{\"id\":41887,\"first_name\":\"Анна\",\"last_name\":\"Каренина\",\"screen_name\":" \
    "\"anna_k\","                                                                                                  \
    "\"photo_200\":\"https://sun9-12.userapi.com/"                                                                 \
    "a.jpg?ava=1\",\"can_access_closed\":true,\"is_closed\":false}]}"

Test(profile, a_name_is_asked_for_once)
{
    size_t len;
    char *event = fixture_read(FIXTURES, "text", &len);
    struct fake_host *host = channel_new(NULL);
    post(host, kanal_str_of(event, len));
    cr_expect_eq(fake_event_count(host), 1, "the message does not wait for the name");
    post(host, kanal_str_of(event, len));
    struct call call = call_only(host);
    EXPECT_TEXT(call.method, "users.get");
    EXPECT_TEXT(call_text(&call, "user_ids"), PEER);
    call_free(&call);
    fake_events_clear(host);
    fake_request_answer(host, 0, 200, USER);
    cr_assert_eq(fake_event_count(host), 1);
    EXPECT_TEXT(fake_event_at(host, 0)->event.type.ptr, "profile.observed");
    EXPECT_TEXT(fake_event_at(host, 0)->event.address.ptr, "vk:41887");
    EXPECT_TEXT(event_value(host, 0, "customer/name"), "Анна Каренина");
    EXPECT_TEXT(event_value(host, 0, "profile/username"), "anna_k");
    post(host, kanal_str_of(event, len));
    cr_expect_eq(fake_request_count(host), 0);
    free(event);
    channel_free(host);
}

Test(profile, what_failed_is_asked_again)
{
    size_t len;
    char *event = fixture_read(FIXTURES, "text", &len);
    struct fake_host *host = channel_new(NULL);
    post(host, kanal_str_of(event, len));
    call_answer(host, "users.get", 200, ERROR(6, "Too many requests per second"));
    post(host, kanal_str_of(event, len));
    fake_fail_publish(host, KANAL_E_NETWORK);
    call_answer(host, "users.get", 200, USER);
    fake_fail_publish(host, KANAL_OK);
    post(host, kanal_str_of(event, len));
    call_answer(host, "users.get", 200, USER);
    free(event);
    channel_free(host);
}
