/* What the visitor sends: messages, answers, receipts, typing. */
#include <stdio.h>
#include "../channel.h"
#include "support.h"

#define CHOICE                                                                                               \
    "{\"content\":[{\"type\":\"text\",\"text\":\"Sure?\"},{\"type\":\"choice\",\"style\":\"buttons\","       \
    "\"options\":[{\"text\":\"Yes\","                                                                        \
    "\"payload\":\"YES\"},{\"text\":\"No\"},{\"text\":\"Site\",\"url\":\"https://x.example/\"}]}]}"

Test(message, a_message_is_published_stored_and_acknowledged)
{
    struct fake_host *host = chat_new(NULL);
    struct visit visit = visit_new(host, NULL);
    const struct fake_event *started, *received;
    char expected[128];

    cr_assert_eq(fake_event_count(host), 0); /* a visit alone is no event */
    visit_says(host, &visit, "message-1", "Здравствуйте \\u0001 \\\"x\\\"");
    started = event_of(host, "conversation.started", 0);
    received = event_of(host, "message.received", 0);
    cr_assert_eq(fake_event_count(host), 2);
    cr_assert(kanal_str_is(received->event.address, visit.address));
    cr_assert(kanal_str_is(received->event.chat, visit.visitor));
    snprintf(expected, sizeof expected, "%s.message-1", visit.visitor);
    cr_assert(kanal_str_is(received->event.external_id, expected));
    snprintf(expected, sizeof expected, "m:%s:message-1", visit.visitor);
    cr_assert(kanal_str_is(received->event.dedupe, expected));
    cr_assert_str_eq(event_text(received, "/message/content/0/text"), "Здравствуйте \x01 \"x\"");
    cr_assert_str_eq(event_text(received, "/customer/locale"), "ru-RU");
    cr_assert_str_eq(event_text(received, "/page/url"), "https://shop.example/p");
    cr_assert_str_eq(event_text(started, "/page/referrer"), "https://search.example/");
    cr_assert_str_eq(event_text(started, "/attribution/utm_source"), "insta");
    cr_assert_str_eq(event_text(started, "/attribution/click_ids/yclid"), "77");
    cr_assert(yyjson_is_true(yyjson_doc_ptr_get(started->document, "/first")));
    chat_free(host);
}

Test(message, a_repeated_id_is_acknowledged_and_changes_nothing)
{
    struct fake_host *host = chat_new(NULL);
    struct visit visit = visit_new(host, NULL), other;

    visit_says(host, &visit, "message-1", "first");
    fake_events_clear(host);
    visit_says(host, &visit, "message-1", "something else under the same id");
    cr_assert_eq(fake_event_count(host), 0);
    other = visit_new(host, visit.token);
    page_say(host, other.page, "{\"type\":\"sync\"}");
    yyjson_doc *welcome = page_hear(host, other.page, "welcome");
    cr_assert_eq(yyjson_arr_size(yyjson_doc_ptr_get(welcome, "/history")), 1);
    cr_assert_str_eq(doc_text(welcome, "/history/0/content/0/text"), "first");
    yyjson_doc_free(welcome);
    chat_free(host);
}

Test(message, nothing_is_acknowledged_before_it_is_stored)
{
    struct fake_host *host = chat_new(NULL);
    struct visit visit = visit_new(host, NULL);

    fake_fail_publish(host, KANAL_E_NETWORK);
    page_say(host, visit.page, "{\"type\":\"message\",\"id\":\"message-1\",\"text\":\"hi\"}");
    yyjson_doc *error = page_hear(host, visit.page, "error");
    cr_assert_str_eq(doc_text(error, "/code"), "unavailable");
    cr_assert_str_eq(doc_text(error, "/id"), "message-1");
    cr_assert(yyjson_is_true(yyjson_doc_ptr_get(error, "/retry")));
    yyjson_doc_free(error);
    fake_fail_publish(host, KANAL_OK);
    fake_fail_state(host, KANAL_E_TIMEOUT); /* published, not kept: the same again */
    page_say(host, visit.page, "{\"type\":\"message\",\"id\":\"message-1\",\"text\":\"hi\"}");
    cr_assert_str_eq(page_hear_text(host, visit.page, "error", "code"), "unavailable");
    fake_fail_state(host, KANAL_OK);
    visit_says(host, &visit, "message-1", "hi");
    visit_says(host, &visit, "message-1", "hi");
    page_hear(host, visit.page, NULL);
    chat_free(host);
}

Test(message, the_same_id_of_two_visitors_are_two_messages)
{
    struct fake_host *host = chat_new(NULL);
    struct visit one = visit_new(host, NULL), two = visit_new(host, NULL);

    visit_says(host, &one, "message-1", "from one");
    visit_says(host, &two, "message-1", "from two");
    cr_assert_eq(event_count_of(host, "message.received"), 2);
    cr_assert_not(kanal_str_equal(event_of(host, "message.received", 0)->event.dedupe,
                                  event_of(host, "message.received", 1)->event.dedupe));
    chat_free(host);
}

Test(message, other_pages_of_the_visitor_see_it_and_other_visitors_do_not)
{
    struct fake_host *host = chat_new(NULL);
    struct visit one = visit_new(host, NULL), tab = visit_new(host, one.token),
                 stranger = visit_new(host, NULL);

    visit_says(host, &one, "message-1", "hello");
    yyjson_doc *frame = page_hear(host, tab.page, "message");
    cr_assert_str_eq(doc_text(frame, "/item/id"), "message-1");
    yyjson_doc_free(frame);
    page_hear(host, stranger.page, NULL);
    page_hear(host, one.page, NULL);
    chat_free(host);
}

Test(message, the_welcome_comes_first_and_has_what_was_under_way)
{
    struct fake_host *host = chat_new(NULL);
    struct visit visit = visit_new(host, NULL);
    kanal_op page = page_open(host);
    char hello[256];

    snprintf(hello, sizeof hello, "{\"type\":\"hello\",\"v\":1,\"token\":\"%s\"}", visit.token);
    connection_table()->on_message(fake_channel(host), visit.page, KANAL_WS_TEXT,
                                   KANAL_LIT("{\"type\":\"message\",\"id\":\"message-1\",\"text\":\"x\"}"));
    connection_table()->on_message(fake_channel(host), page, KANAL_WS_TEXT, kanal_str_c(hello));
    fake_run(host);
    yyjson_doc *welcome = page_hear(host, page, "welcome");
    cr_assert_str_eq(doc_text(welcome, "/history/0/id"), "message-1");
    yyjson_doc_free(welcome);
    page_hear(host, page, NULL);
    chat_free(host);
}

Test(message, a_session_starts_anew_after_the_pause)
{
    struct fake_host *host = chat_new("\"session_minutes\":10");
    struct visit visit = visit_new(host, NULL);

    visit_says(host, &visit, "message-1", "a");
    fake_advance(host, 9 * 60000);
    visit_says(host, &visit, "message-2", "b");
    fake_advance(host, 9 * 60000);
    visit_says(host, &visit, "message-3", "c");
    cr_assert_eq(event_count_of(host, "conversation.started"), 1);
    fake_advance(host, 11 * 60000);
    visit_says(host, &visit, "message-4", "d");
    cr_assert_eq(event_count_of(host, "conversation.started"), 2);
    cr_assert(
        yyjson_is_false(yyjson_doc_ptr_get(event_of(host, "conversation.started", 1)->document, "/first")));
    chat_free(host);
}

Test(message, a_session_may_start_with_the_visit)
{
    struct fake_host *host = chat_new("\"conversation_starts\":\"open\"");
    struct visit visit = visit_new(host, NULL);

    cr_assert_eq(event_count_of(host, "conversation.started"), 1);
    visit_new(host, visit.token);
    visit_says(host, &visit, "message-1", "a");
    cr_assert_eq(event_count_of(host, "conversation.started"), 1);
    chat_free(host);
}

Test(message, pressing_a_button_answers_the_message_that_offered_it)
{
    struct fake_host *host = chat_new(NULL);
    struct visit visit = visit_new(host, NULL);
    const struct fake_event *received;

    operator_does(host, &visit, "message.send", "k1", NULL, CHOICE);
    yyjson_doc_free(page_hear(host, visit.page, "message"));
    page_say(
        host, visit.page,
        "{\"type\":\"message\",\"id\":\"answer-01\",\"answer\":{\"message\":\"a.k1\",\"payload\":\"YES\"}}");
    cr_assert_str_eq(page_hear_text(host, visit.page, "ack", "id"), "answer-01");
    received = event_of(host, "message.received", 0);
    cr_assert_str_eq(event_text(received, "/message/content/0/type"), "answer");
    cr_assert_str_eq(event_text(received, "/message/content/0/kind"), "button");
    cr_assert_str_eq(event_text(received, "/message/content/0/payload"), "YES");
    cr_assert_str_eq(event_text(received, "/message/content/0/text"), "Yes");
    cr_assert_str_eq(event_text(received, "/message/reply_to/external_id"), "a.k1");
    cr_assert_str_eq(event_text(received, "/message/reply_to/id"), "cmd-k1");
    /* an option without payload answers with its text; a link answers nothing */
    page_say(
        host, visit.page,
        "{\"type\":\"message\",\"id\":\"answer-02\",\"answer\":{\"message\":\"a.k1\",\"payload\":\"No\"}}");
    cr_assert_str_eq(page_hear_text(host, visit.page, "ack", "id"), "answer-02");
    page_say(
        host, visit.page,
        "{\"type\":\"message\",\"id\":\"answer-03\",\"answer\":{\"message\":\"a.k1\",\"payload\":\"Site\"}}");
    cr_assert_str_eq(page_hear_text(host, visit.page, "error", "code"), "bad_answer");
    chat_free(host);
}

Test(message, answers_to_what_was_never_offered_are_refused)
{
    struct fake_host *host = chat_new(NULL);
    struct visit visit = visit_new(host, NULL), stranger = visit_new(host, NULL);

    operator_does(host, &visit, "message.send", "k1", NULL, CHOICE);
    yyjson_doc_free(page_hear(host, visit.page, "message"));
    visit_says(host, &visit, "message-1", "mine");
    fake_events_clear(host);
    const char *answers[] = { "{\"message\":\"a.k1\",\"payload\":\"MAYBE\"}",
                              "{\"message\":\"a.k2\",\"payload\":\"YES\"}",
                              "{\"message\":\"message-1\",\"payload\":\"YES\"}" };
    for (size_t i = 0; i < 3; i++) {
        page_say(host, visit.page, "{\"type\":\"message\",\"id\":\"answer-0%zu\",\"answer\":%s}", i,
                 answers[i]);
        cr_assert_str_eq(page_hear_text(host, visit.page, "error", "code"), "bad_answer");
    }
    /* another visitor's message id */
    page_say(
        host, stranger.page,
        "{\"type\":\"message\",\"id\":\"answer-09\",\"answer\":{\"message\":\"a.k1\",\"payload\":\"YES\"}}");
    cr_assert_str_eq(page_hear_text(host, stranger.page, "error", "code"), "bad_answer");
    cr_assert_eq(fake_event_count(host), 0);
    chat_free(host);
}

Test(message, receipts_name_each_message_once)
{
    struct fake_host *host = chat_new(NULL);
    struct visit visit = visit_new(host, NULL), tab = visit_new(host, visit.token);
    const struct fake_event *read;

    operator_says(host, &visit, "k1", "one");
    yyjson_doc_free(page_hear(host, visit.page, "message"));
    visit_says(host, &visit, "message-1", "one's own is no receipt");
    yyjson_doc_free(page_hear(host, tab.page, "message"));
    yyjson_doc_free(page_hear(host, tab.page, "message"));
    operator_says(host, &visit, "k2", "two");
    operator_says(host, &visit, "k3", "three");
    page_say(host, visit.page, "{\"type\":\"delivered\",\"up_to\":\"a.k2\"}");
    cr_assert_eq(event_count_of(host, "message.delivered"), 2);
    page_say(host, visit.page, "{\"type\":\"delivered\",\"up_to\":\"a.k2\"}");
    page_say(host, visit.page, "{\"type\":\"delivered\",\"up_to\":\"a.k1\"}");
    cr_assert_eq(event_count_of(host, "message.delivered"), 2);
    page_say(host, visit.page, "{\"type\":\"read\",\"up_to\":\"a.k3\"}");
    cr_assert_eq(event_count_of(host, "message.delivered"), 3);
    cr_assert_eq(event_count_of(host, "message.read"), 3);
    page_say(host, tab.page, "{\"type\":\"read\",\"up_to\":\"a.k3\"}");
    cr_assert_eq(event_count_of(host, "message.read"), 3);
    read = event_of(host, "message.read", 1);
    cr_assert(kanal_str_is(read->event.external_id, "a.k2"));
    cr_assert(kanal_str_is(read->event.command_id, "cmd-k2"));
    for (int i = 0; i < 2; i++)
        yyjson_doc_free(page_hear(host, tab.page, "message"));
    cr_assert_str_eq(page_hear_text(host, tab.page, "seen", "up_to"), "a.k3");
    page_say(host, tab.page, "{\"type\":\"sync\"}");
    cr_assert_str_eq(page_hear_text(host, tab.page, "welcome", "read"), "a.k3");
    chat_free(host);
}

Test(message, many_receipts_come_in_portions)
{
    struct fake_host *host = chat_new("\"history_messages\":150");
    struct visit visit = visit_new(host, NULL);
    char key[16];

    for (int i = 0; i < 100; i++) {
        snprintf(key, sizeof key, "k%d", i);
        operator_says(host, &visit, key, "text");
    }
    page_say(host, visit.page, "{\"type\":\"read\",\"up_to\":\"a.k99\"}");
    cr_assert_eq(event_count_of(host, "message.delivered"), 100);
    cr_assert_eq(event_count_of(host, "message.read"), 100);
    chat_free(host);
}

Test(message, receipts_of_other_peoples_messages_do_nothing)
{
    struct fake_host *host = chat_new(NULL);
    struct visit visit = visit_new(host, NULL), stranger = visit_new(host, NULL);

    operator_says(host, &visit, "k1", "one");
    visit_says(host, &stranger, "message-1", "mine");
    fake_events_clear(host);
    page_say(host, stranger.page, "{\"type\":\"read\",\"up_to\":\"a.k1\"}");
    page_say(host, stranger.page, "{\"type\":\"read\",\"up_to\":\"message-1\"}");
    cr_assert_eq(fake_event_count(host), 0);
    chat_free(host);
}

Test(message, typing_is_told_and_thinned_out)
{
    struct fake_host *host = chat_new(NULL);
    struct visit visit = visit_new(host, NULL);

    for (int i = 0; i < 5; i++)
        page_say(host, visit.page, "{\"type\":\"typing\"}");
    cr_assert_eq(event_count_of(host, "typing.started"), 1);
    fake_advance(host, 3000);
    page_say(host, visit.page, "{\"type\":\"typing\"}");
    cr_assert_eq(event_count_of(host, "typing.started"), 2);
    cr_assert_null(fake_state(host, "visitor/x"));
    chat_free(host);
}

Test(message, the_history_is_bounded_in_messages)
{
    struct fake_host *host = chat_new("\"history_messages\":3");
    struct visit visit = visit_new(host, NULL);

    visit_says(host, &visit, "message-1", "a");
    visit_says(host, &visit, "message-2", "b");
    visit_says(host, &visit, "message-3", "c");
    visit_says(host, &visit, "message-4", "d");
    page_say(host, visit.page, "{\"type\":\"sync\"}");
    yyjson_doc *welcome = page_hear(host, visit.page, "welcome");
    cr_assert_eq(yyjson_arr_size(yyjson_doc_ptr_get(welcome, "/history")), 3);
    cr_assert_str_eq(doc_text(welcome, "/history/0/id"), "message-2");
    yyjson_doc_free(welcome);
    chat_free(host);
}

Test(message, the_history_is_bounded_in_bytes)
{
    struct fake_host *host = chat_new("\"history_messages\":200");
    struct visit visit = visit_new(host, NULL);
    static char text[12001];
    char key[64];

    for (int i = 0; i < 4000; i++)
        memcpy(text + 3 * i, "\xe2\x82\xac", 3); /* 4000 euro signs */
    for (int i = 0; i < 40; i++) {
        snprintf(key, sizeof key, "message-%d", i);
        visit_says(host, &visit, key, text);
        fake_advance(host, 60000);
    }
    snprintf(key, sizeof key, "visitor/%s", visit.visitor);
    cr_assert_leq(strlen(fake_state(host, key)), 192 * 1024);
    cr_assert_geq(strlen(fake_state(host, key)), 150 * 1024);
    cr_assert_not_null(strstr(fake_state(host, key), "message-39"));
    chat_free(host);
}

Test(message, too_many_messages_are_refused_for_a_while)
{
    struct fake_host *host = chat_new("\"messages_per_minute\":6,\"message_burst\":3");
    struct visit visit = visit_new(host, NULL);
    yyjson_doc *error;

    visit_says(host, &visit, "message-1", "a");
    visit_says(host, &visit, "message-2", "b");
    visit_says(host, &visit, "message-3", "c");
    page_say(host, visit.page, "{\"type\":\"message\",\"id\":\"message-4\",\"text\":\"d\"}");
    error = page_hear(host, visit.page, "error");
    cr_assert_str_eq(doc_text(error, "/code"), "rate_limited");
    cr_assert_str_eq(doc_text(error, "/after_ms"), "10000");
    yyjson_doc_free(error);
    /* a new connection does not help */
    fake_ws_close(host, visit.page, 1000);
    visit = visit_new(host, visit.token);
    page_say(host, visit.page, "{\"type\":\"message\",\"id\":\"message-4\",\"text\":\"d\"}");
    cr_assert_str_eq(page_hear_text(host, visit.page, "error", "code"), "rate_limited");
    fake_advance(host, 10000);
    visit_says(host, &visit, "message-4", "d");
    chat_free(host);
}
