/* Who may connect, who a visitor is, and how long the gateway remembers. */
#include <stdio.h>
#include "support.h"

Test(session, a_new_visitor_gets_a_token_that_anybody_with_the_secret_can_check)
{
    struct fake_host *host = chat_new(NULL);
    struct visit visit = visit_new(host, NULL);
    char expected[128];

    make_token(SECRET, visit.visitor, expected);
    cr_assert_eq(strlen(visit.visitor), 26);
    cr_assert_str_eq(visit.token, expected);
    chat_free(host);
}

Test(session, the_token_brings_the_same_visitor_and_the_history_back)
{
    struct fake_host *host = chat_new(NULL);
    struct visit first = visit_new(host, NULL), second;
    yyjson_doc *welcome;

    visit_says(host, &first, "message-1", "hello");
    fake_ws_close(host, first.page, 1001);
    second = visit_new(host, first.token);
    cr_assert_str_eq(second.visitor, first.visitor);
    page_say(host, second.page, "{\"type\":\"sync\"}");
    welcome = page_hear(host, second.page, "welcome");
    cr_assert_str_eq(doc_text(welcome, "/history/0/id"), "message-1");
    cr_assert_str_eq(doc_text(welcome, "/history/0/from"), "visitor");
    cr_assert_str_eq(doc_text(welcome, "/history/0/content/0/text"), "hello");
    yyjson_doc_free(welcome);
    chat_free(host);
}

Test(session, a_token_made_elsewhere_with_the_secret_is_accepted)
{
    struct fake_host *host = chat_new(NULL);
    char token[128];
    struct visit visit;

    make_token(SECRET, "abcdefghijklmnopqrstuvwxyz", token);
    visit = visit_new(host, token);
    cr_assert_str_eq(visit.visitor, "abcdefghijklmnopqrstuvwxyz");
    chat_free(host);
}

Test(session, forged_and_damaged_tokens_are_refused)
{
    struct fake_host *host = chat_new(NULL);
    char forged[128], damaged[128], other[128];
    const char *tokens[] = { forged, damaged, "", "v1..", "v1.abc.def", "u1.e30.AAAA" };

    make_token("another secret", "abcdefghijklmnopqrstuvwxyz", forged);
    make_token(SECRET, "abcdefghijklmnopqrstuvwxyz", damaged);
    snprintf(other, sizeof other, "%s", damaged);
    damaged[3] = 'b'; /* another visitor under the first one's signature */
    for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++) {
        kanal_op page = page_open(host);

        page_say(host, page, "{\"type\":\"hello\",\"v\":1,\"token\":\"%s\"}", tokens[i]);
        cr_assert_str_eq(page_hear_text(host, page, "error", "code"), "bad_token");
        page_say(host, page, "{\"type\":\"hello\",\"v\":1}"); /* without it there is a new visitor */
        yyjson_doc_free(page_hear(host, page, "welcome"));
    }
    chat_free(host);
}

Test(session, somebody_who_tries_tokens_is_cut_off)
{
    struct fake_host *host = chat_new(NULL);
    kanal_op page = page_open(host);
    uint32_t code = 0;

    for (int i = 0; i < 4; i++) {
        page_say(host, page, "{\"type\":\"hello\",\"v\":1,\"token\":\"v1.x\"}");
        cr_assert_str_eq(page_hear_text(host, page, "error", "code"), "bad_token");
    }
    page_say(host, page, "{\"type\":\"hello\",\"v\":1,\"token\":\"v1.x\"}");
    cr_assert(fake_ws_closed(host, page, &code));
    cr_assert_eq(code, 1008);
    chat_free(host);
}

Test(session, only_allowed_origins_may_connect)
{
    static const struct {
        const char *origin;
        int allowed;
    } cases[] = { { "https://shop.example", 1 },
                  { "https://SHOP.example", 1 },
                  { "https://hub.example.com", 1 },
                  { "https://a.wild.example", 1 },
                  { "https://a.b.wild.example", 1 },
                  { "https://wild.example", 0 },
                  { "https://evil.example", 0 },
                  { "https://shop.example.evil", 0 },
                  { "https://evil/.wild.example", 0 },
                  { "https://evil:1.wild.example", 0 },
                  { "http://shop.example", 0 },
                  { "null", 0 },
                  { "", 0 },
                  { NULL, 0 } };
    struct fake_host *host = chat_new(NULL);
    static const char *const secrets[][2] = { { "session", SECRET } };

    cr_assert_eq(fake_free(host), 0);
    host = fake_new(kanal_plugin_v1(), "{\"origins\":[\"https://shop.example\",\"https://*.wild.example\"]}",
                    secrets, 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        cr_expect_eq(page_open_from(host, cases[i].origin) != 0, cases[i].allowed, "%s", cases[i].origin);
    chat_free(host);
    host = fake_new(kanal_plugin_v1(), "{\"origins\":[\"*\"]}", secrets, 1);
    cr_assert_neq(page_open_from(host, "https://any.example"), 0);
    cr_assert_neq(page_open_from(host, NULL), 0);
    chat_free(host);
}

Test(session, a_plain_request_to_the_socket_is_told_so)
{
    struct fake_host *host = chat_new(NULL);
    kanal_field origin = { KANAL_LIT("origin"), KANAL_LIT(ORIGIN) };
    kanal_op op = fake_http(host, "GET", "/ws", &origin, 1, kanal_str_c(NULL));

    cr_assert_eq(fake_answer(host, op)->response.code, 426);
    chat_free(host);
}

Test(session, connections_are_bounded_in_all_and_of_one_visitor)
{
    struct fake_host *host = chat_new("\"max_connections\":4,\"connections_per_visitor\":2");
    struct visit visit = visit_new(host, NULL);
    kanal_op third, refused = 0;
    kanal_field origin = { KANAL_LIT("origin"), KANAL_LIT(ORIGIN) };
    uint32_t code = 0;

    visit_new(host, visit.token);
    third = page_open(host);
    page_say(host, third, "{\"type\":\"hello\",\"v\":1,\"token\":\"%s\"}", visit.token);
    cr_assert(fake_ws_closed(host, third, &code));
    cr_assert_eq(code, 1013);
    page_open(host);
    page_open(host);
    cr_assert_eq(fake_ws_open(host, "/ws", &origin, 1, &refused), 0);
    cr_assert_eq(fake_answer(host, refused)->response.code, 503);
    chat_free(host);
}

Test(session, who_never_says_hello_is_closed)
{
    struct fake_host *host = chat_new(NULL);
    struct visit visit = visit_new(host, NULL);
    kanal_op silent = page_open(host);
    uint32_t code = 0;

    fake_advance(host, 9000);
    cr_assert_not(fake_ws_closed(host, silent, NULL));
    fake_advance(host, 8000);
    cr_assert(fake_ws_closed(host, silent, &code));
    cr_assert_eq(code, 1008);
    cr_assert_not(fake_ws_closed(host, visit.page, NULL));
    chat_free(host);
}

Test(session, new_visitors_of_one_address_are_limited)
{
    struct fake_host *host = chat_new("\"new_visitors_per_minute\":6");
    kanal_op page;

    for (int i = 0; i < 40; i++)
        visit_new(host, NULL);
    page = page_open(host);
    page_say(host, page, "{\"type\":\"hello\",\"v\":1}");
    cr_assert_str_eq(page_hear_text(host, page, "error", "code"), "rate_limited");
    cr_assert(fake_ws_closed(host, page, NULL));
    fake_set_remote(host, "198.51.100.9"); /* another one is welcome */
    visit_new(host, NULL);
    fake_set_remote(host, "192.0.2.7");
    fake_advance(host, 10001);
    visit_new(host, NULL);
    chat_free(host);
}

Test(session, another_version_is_refused)
{
    struct fake_host *host = chat_new(NULL);
    kanal_op page = page_open(host);

    page_say(host, page, "{\"type\":\"hello\",\"v\":2}");
    cr_assert_str_eq(page_hear_text(host, page, "error", "code"), "version");
    cr_assert(fake_ws_closed(host, page, NULL));
    chat_free(host);
}

Test(session, without_a_broker_the_page_is_told_to_come_again)
{
    struct fake_host *host = chat_new(NULL);
    kanal_op page = page_open(host);
    uint32_t code = 0;

    fake_fail_state(host, KANAL_E_NETWORK);
    page_say(host, page, "{\"type\":\"hello\",\"v\":1}");
    cr_assert_str_eq(page_hear_text(host, page, "error", "code"), "unavailable");
    cr_assert(fake_ws_closed(host, page, &code));
    cr_assert_eq(code, 1013);
    fake_fail_state(host, KANAL_OK);
    visit_new(host, NULL);
    chat_free(host);
}

Test(session, the_widget_is_served_with_its_configuration)
{
    struct fake_host *host =
        chat_new("\"title\":\"Кофе </script>\",\"greeting\":\"Привет\",\"accent\":\"#123456\"");
    kanal_op op = fake_http(host, "GET", "/widget.js", NULL, 0, kanal_str_c(NULL));
    const struct fake_answer *answer = fake_answer(host, op);
    kanal_str etag = kanal_field_get(answer->response.headers, answer->response.header_count, "etag");
    kanal_field known = { KANAL_LIT("if-none-match"), etag };
    const char *body = answer->response.body.ptr;

    cr_assert_eq(answer->response.code, 200);
    cr_assert_not_null(strstr(body, "\"title\":\"Кофе "));
    cr_assert_not_null(strstr(body, "\"base\":\"https://hub.example.com/c/fake/\""));
    cr_assert_not_null(strstr(body, "function kanalChat("));
    op = fake_http(host, "GET", "/widget.js", &known, 1, kanal_str_c(NULL));
    cr_assert_eq(fake_answer(host, op)->response.code, 304);
    cr_assert_eq(fake_answer(host, op)->response.body.len, 0);
    chat_free(host);
}

Test(session, no_origin_configured_is_said_at_start)
{
    static const char *const secrets[][2] = { { "session", SECRET } };
    struct fake_host *host = fake_new(kanal_plugin_v1(), "{}", secrets, 1);

    cr_assert_not(fake_logged(host, "every page will be refused")); /* the public URL's own origin */
    chat_free(host);
}

/* ---- Hand-off links ---- */

static void expect_link(const char *settings, const char *wanted)
{
    struct fake_host *host = chat_new(settings);
    cr_expect(kanal_str_is(fake_link_template(host), wanted), "%.*s", (int)fake_link_template(host).len,
              fake_link_template(host).ptr);
    chat_free(host);
}

Test(session, links_lead_to_the_page)
{
    expect_link(NULL, "");
    expect_link("\"page_url\":\"https://shop.example/help\"", "https://shop.example/help#kanal={ref}");
    expect_link("\"page_url\":\"https://shop.example/?a=b#chat\"",
                "https://shop.example/?a=b&kanal={ref}#chat");
    expect_link("\"page_url\":\"https://shop.example/#/help\"", "https://shop.example/?kanal={ref}#/help");
}

/* Once for each reference, also within a session; only of a right form. */
Test(session, a_reference_is_told)
{
    struct fake_host *host = chat_new(NULL);
    struct visit visit = visit_new(host, NULL);
    visit_says(host, &visit, "m-00000001", "hello");
    cr_assert_eq(event_count_of(host, "conversation.started"), 1);
    cr_expect_str_eq(event_text(event_of(host, "conversation.started", 0), "/referral/payload"), "");
    for (size_t i = 1; i <= 2; i++) {
        kanal_op page = page_open(host);
        page_say(host, page, "{\"type\":\"hello\",\"v\":1,\"token\":\"%s\",\"ref\":\"k_abc-9\"}",
                 visit.token);
        yyjson_doc_free(page_hear(host, page, "welcome"));
        cr_assert_eq(event_count_of(host, "conversation.started"), 1 + i);
    }
    cr_expect(kanal_str_equal(event_of(host, "conversation.started", 1)->event.dedupe,
                              event_of(host, "conversation.started", 2)->event.dedupe),
              "a copy of the page tells the same event");
    const struct fake_event *event = event_of(host, "conversation.started", 1);
    cr_expect_str_eq(event_text(event, "/referral/payload"), "k_abc-9");
    cr_expect_str_eq(event_text(event, "/referral/kind"), "link");
    cr_expect(kanal_str_is(event->event.address, visit.address));
    static const char *const wrong[] = {
        "\"a b\"",
        "\"\"",
        "7",
        "null",
        "\"k_\\u0000\"",
        "{}",
        "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\""
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        kanal_op page = page_open(host);
        page_say(host, page, "{\"type\":\"hello\",\"v\":1,\"ref\":%s}", wrong[i]);
        yyjson_doc_free(page_hear(host, page, "welcome"));
        cr_expect_eq(event_count_of(host, "conversation.started"), 3, "%s", wrong[i]);
    }
    chat_free(host);
}
