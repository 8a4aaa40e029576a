/* Clients that mean harm, or are broken. */
#include <stdio.h>
#include <stdlib.h>
#include "../channel.h"
#include "support.h"

/* One frame a line: what real and malicious clients got wrong. */
Test(hostile, malformed_frames_are_answered_and_change_nothing)
{
    struct fake_host *host = chat_new(NULL);
    struct visit visit = visit_new(host, NULL);
    FILE *file = fopen(WEBCHAT_FIXTURES "/malformed_frames.txt", "r");
    char frame[1024];
    int frames = 0;

    cr_assert_not_null(file);
    for (; fgets(frame, sizeof frame, file); frames++) {
        frame[strcspn(frame, "\n")] = '\0';
        fake_ws_receive(host, visit.page, frame);
        cr_expect_str_eq(page_hear_text(host, visit.page, "error", "code"), "invalid", "%s", frame);
        fake_advance(host, 1000);
    }
    fclose(file);
    cr_assert_gt(frames, 25);
    cr_assert_eq(fake_event_count(host), 0);
    visit_says(host, &visit, "message-1", "still well");
    chat_free(host);
}

Test(hostile, wrong_bytes_are_no_message)
{
    struct fake_host *host = chat_new(NULL);
    struct visit visit = visit_new(host, NULL);
    const kanal_websocket_plugin *plugin =
        kanal_plugin_v1()->extension(fake_channel(host), KANAL_EXT_WEBSOCKET);
    static const char frame[] = "{\"type\":\"message\",\"id\":\"message-1\",\"text\":\"\xff\xc0\x80\"}";

    plugin->on_message(fake_channel(host), visit.page, KANAL_WS_TEXT, kanal_str_c(frame));
    cr_assert_str_eq(page_hear_text(host, visit.page, "error", "code"), "invalid");
    plugin->on_message(fake_channel(host), visit.page, KANAL_WS_BINARY, KANAL_LIT("{\"type\":\"ping\"}"));
    cr_assert_str_eq(page_hear_text(host, visit.page, "error", "code"), "invalid");
    plugin->on_message(fake_channel(host), 987654321, KANAL_WS_TEXT,
                       KANAL_LIT("{}")); /* no such connection */
    plugin->on_close(fake_channel(host), 987654321, 1000, KANAL_LIT(""));
    chat_free(host);
}

Test(hostile, nothing_is_heard_before_the_welcome)
{
    static const char *const frames[] = { "{\"type\":\"message\",\"id\":\"message-1\",\"text\":\"x\"}",
                                          "{\"type\":\"sync\"}", "{\"type\":\"typing\"}",
                                          "{\"type\":\"read\",\"up_to\":\"a.k1\"}",
                                          "{\"type\":\"link\",\"id\":\"message-1\",\"part\":0}" };
    struct fake_host *host = chat_new(NULL);
    kanal_op page = page_open(host);

    for (size_t i = 0; i < sizeof frames / sizeof *frames; i++) {
        fake_ws_receive(host, page, frames[i]);
        cr_expect_str_eq(page_hear_text(host, page, "error", "code"), "hello_first");
    }
    cr_assert_eq(fake_event_count(host), 0);
    page_say(host, page, "{\"type\":\"ping\"}");
    page_hear_text(host, page, "pong", "x");
    chat_free(host);
}

Test(hostile, a_second_hello_is_refused)
{
    struct fake_host *host = chat_new(NULL);
    struct visit visit = visit_new(host, NULL);

    page_say(host, visit.page, "{\"type\":\"hello\",\"v\":1}");
    cr_assert_str_eq(page_hear_text(host, visit.page, "error", "code"), "invalid");
    chat_free(host);
}

Test(hostile, hellos_in_a_row_make_one_visitor)
{
    struct fake_host *host = chat_new(NULL);
    struct kanal_channel *channel = fake_channel(host);
    kanal_op page = page_open(host);

    for (int i = 0; i < 3; i++) /* before the host has signed anything */
        connection_table()->on_message(channel, page, KANAL_WS_TEXT,
                                       KANAL_LIT("{\"type\":\"hello\",\"v\":1}"));
    fake_run(host);
    cr_assert_str_eq(page_hear_text(host, page, "error", "code"), "invalid");
    cr_assert_str_eq(page_hear_text(host, page, "error", "code"), "invalid");
    yyjson_doc_free(page_hear(host, page, "welcome"));
    page_hear(host, page, NULL);
    cr_assert_eq(channel->visitors.count, 1);
    chat_free(host);
}

Test(hostile, a_flood_of_frames_ends_the_connection)
{
    struct fake_host *host = chat_new(NULL);
    struct visit visit = visit_new(host, NULL);
    uint32_t code = 0;
    int frames = 0;

    while (frames < 1000 && !fake_ws_closed(host, visit.page, &code)) {
        page_say(host, visit.page, "{\"type\":\"ping\"}");
        frames++;
    }
    cr_assert_eq(code, 1008);
    cr_assert_leq(frames, 61);
    visit_new(host, visit.token); /* the visitor may come back */
    chat_free(host);
}

Test(hostile, texts_are_bounded_in_characters)
{
    struct fake_host *host = chat_new(NULL);
    struct visit visit = visit_new(host, NULL);
    static char text[12006];

    for (int i = 0; i < 4001; i++)
        memcpy(text + 3 * i, "\xe2\x82\xac", 3);
    page_say(host, visit.page, "{\"type\":\"message\",\"id\":\"message-1\",\"text\":\"%s\"}", text);
    cr_assert_str_eq(page_hear_text(host, visit.page, "error", "code"), "invalid");
    text[12000] = '\0';
    visit_says(host, &visit, "message-1", text);
    chat_free(host);
}

Test(hostile, an_oversized_frame_closes_with_1009)
{
    struct fake_host *host = chat_new(NULL);
    struct visit visit = visit_new(host, NULL);
    char *text = malloc(70000);
    uint32_t code = 0;

    memset(text, ' ', 69999);
    text[69999] = '\0';
    fake_ws_receive(host, visit.page, text);
    cr_assert(fake_ws_closed(host, visit.page, &code));
    cr_assert_eq(code, 1009);
    free(text);
    chat_free(host);
}

Test(hostile, deep_nesting_is_refused)
{
    struct fake_host *host = chat_new(NULL);
    struct visit visit = visit_new(host, NULL);
    char text[4096];

    memset(text, '[', 2000);
    memset(text + 2000, ']', 2000);
    text[4000] = '\0';
    page_say(host, visit.page, "{\"type\":\"hello\",\"x\":%s}", text);
    cr_assert_str_eq(page_hear_text(host, visit.page, "error", "code"), "invalid");
    chat_free(host);
}

Test(hostile, a_pile_of_messages_before_the_host_answers_is_bounded)
{
    struct fake_host *host = chat_new("\"message_burst\":1000,\"messages_per_minute\":6000");
    struct visit visit = visit_new(host, NULL);
    struct kanal_channel *channel = fake_channel(host);
    int acks = 0, refused = 0;
    char frame[128];
    const char *heard;

    for (int i = 0; i < 50; i++) {
        snprintf(frame, sizeof frame, "{\"type\":\"message\",\"id\":\"message-%03d\",\"text\":\"x\"}", i);
        connection_table()->on_message(channel, visit.page, KANAL_WS_TEXT, kanal_str_c(frame));
    }
    fake_run(host);
    while ((heard = fake_ws_take(host, visit.page))) {
        acks += strstr(heard, "\"ack\"") != NULL;
        refused += strstr(heard, "\"unavailable\"") != NULL;
    }
    cr_assert_eq(acks + refused, 50);
    cr_assert_eq(acks, 32);
    cr_assert_eq(event_count_of(host, "message.received"), 32);
    chat_free(host);
}

Test(hostile, messages_under_way_survive_a_closed_page)
{
    struct fake_host *host = chat_new(NULL);
    struct visit visit = visit_new(host, NULL);
    struct kanal_channel *channel = fake_channel(host);

    connection_table()->on_message(
        channel, visit.page, KANAL_WS_TEXT,
        KANAL_LIT("{\"type\":\"message\",\"id\":\"message-1\",\"text\":\"last words\"}"));
    fake_ws_close(host, visit.page, 1001);
    cr_assert_eq(event_count_of(host, "message.received"), 1);
    chat_free(host);
}

Test(hostile, visitors_who_are_gone_leave_memory)
{
    struct fake_host *host = chat_new("\"new_visitors_per_minute\":0");
    struct kanal_channel *channel = fake_channel(host);

    for (int i = 0; i < 500; i++) {
        struct visit visit = visit_new(host, NULL);
        fake_ws_close(host, visit.page, 1000);
    }
    cr_assert_eq(channel->visitors.count, 500);
    cr_assert_eq(channel->connections.count, 0);
    fake_advance(host, 130000);
    cr_assert_eq(channel->visitors.count, 0);
    chat_free(host);
}

Test(hostile, visitors_in_memory_are_bounded)
{
    struct fake_host *host = chat_new("\"max_connections\":10");
    struct kanal_channel *channel = fake_channel(host);
    struct visit visit = { 0 };

    for (int i = 0; i < 5000; i++) {
        snprintf(visit.address, sizeof visit.address, "visitor:abcdefghijklmnopqrstuv%c%c%c%c", 'a' + i % 26,
                 'a' + i / 26 % 26, 'a' + i / 676 % 26, 'a' + i / 17576);
        operator_says(host, &visit, "k1", "x");
        cr_assert_leq(channel->visitors.count, 10 + 4096);
    }
    chat_free(host);
}

Test(hostile, attribution_and_page_are_taken_only_as_they_should_be)
{
    struct fake_host *host = chat_new(NULL);
    kanal_op page = page_open(host);
    const struct fake_event *started;
    char longer[400];

    memset(longer, 'x', 399);
    longer[399] = '\0';
    page_say(host, page,
             "{\"type\":\"hello\",\"v\":1,\"locale\":\"not a "
             "locale\",\"page\":{\"url\":\"javascript:alert(1)\",\"title\":5},\"referrer\":{},"
             "\"attribution\":{\"utm_source\":\"%s\",\"utm_medium\":7,\"utm_campaign\":\"ok\",\"evil\":\"x\","
             "\"gclid\":[]}}",
             longer);
    yyjson_doc_free(page_hear(host, page, "welcome"));
    page_say(host, page, "{\"type\":\"message\",\"id\":\"message-1\",\"text\":\"x\"}");
    started = event_of(host, "conversation.started", 0);
    cr_assert_null(yyjson_doc_ptr_get(started->document, "/page"));
    cr_assert_null(yyjson_doc_ptr_get(started->document, "/customer/locale"));
    cr_assert_eq(yyjson_obj_size(yyjson_doc_ptr_get(started->document, "/attribution")), 1);
    cr_assert_str_eq(event_text(started, "/attribution/utm_campaign"), "ok");
    chat_free(host);
}
