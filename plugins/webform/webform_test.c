#include "test_form.h"

/* ---- The way in ---- */

Test(webform, a_browsers_form)
{
    struct fake_host *host = new_host(NULL);
    struct kanal_buffer body = { 0 };
    const kanal_http_response *response =
        post_as(host, "/forms/callback", FORM_TYPE, ORIGIN, read_fixture("callback.form", &body));
    cr_assert_eq(response->code, 200, "%s", response->body.ptr);
    cr_assert_str_eq(response_header(response, "access-control-allow-origin"), ORIGIN);
    cr_assert_eq(fake_event_count(host), 1);
    cr_assert(kanal_str_is(fake_event_at(host, 0)->event.type, "form.submitted"));
    cr_assert(kanal_str_starts(fake_event_at(host, 0)->event.address, "visitor:"));
    cr_assert_neq(fake_event_at(host, 0)->cause, 0);
    expect_data(host, "/form/id", "\"callback\"");
    expect_data(host, "/form/name", "\"Обратный звонок\"");
    expect_data(
        host, "/form/fields",
        "[{\"name\":\"phone\",\"label\":\"Телефон\",\"type\":\"tel\",\"value\":\"8 (916) 123-45-67\"},"
        "{\"name\":\"name\",\"label\":\"Имя\",\"type\":\"text\",\"value\":\"Анна \\\"К\\\"\"},"
        "{\"name\":\"email\",\"type\":\"email\",\"value\":\"Anna+shop@Example.COM\"},"
        "{\"name\":\"when\",\"type\":\"select\",\"value\":\"днём\"},"
        "{\"name\":\"topics\",\"type\":\"checkbox\",\"values\":[\"delivery\",\"other\"]},"
        "{\"name\":\"comment\",\"type\":\"textarea\",\"value\":\"Две\\r\\nстроки\"},"
        "{\"name\":\"date\",\"type\":\"date\",\"value\":\"2026-11-22\"},"
        "{\"name\":\"time\",\"type\":\"time\",\"value\":\"10:30\"},"
        "{\"name\":\"site\",\"type\":\"url\",\"value\":\"https://anna.example/\"}]");
    expect_data(host, "/customer/identifiers",
                "[{\"address\":\"tel:+79161234567\",\"verified\":false,\"source\":\"form\"},"
                "{\"address\":\"mailto:Anna%2Bshop@example.com\",\"verified\":false,\"source\":\"form\"}]");
    expect_data(host, "/page",
                "{\"url\":\"https://shop.example.com/p?utm_source=instagram&yclid=123&q=%7Ba%7D\","
                "\"referrer\":\"https://ya.ru/\",\"title\":\"Товар\"}");
    expect_data(
        host, "/attribution",
        "{\"utm_source\":\"instagram\",\"utm_campaign\":\"autumn\",\"click_ids\":{\"yclid\":\"123\"}}");
    expect_data(host, "/consent",
                "[{\"purpose\":\"service\",\"given\":true,\"text\":\"Согласен на обработку "
                "данных\",\"version\":\"2026-01\"},"
                "{\"purpose\":\"marketing\",\"given\":false,\"text\":\"Хочу получать новости\"}]");
    expect_data(host, "/client", "{\"user_agent\":\"Browser/1\"}"); /* no ip unless the operator says so */
    kanal_buffer_release(&body);
    cr_assert_eq(fake_free(host), 0);
}

Test(webform, a_scripts_json)
{
    struct fake_host *host = new_host("\"keep_ip\":true");
    struct kanal_buffer body = { 0 };
    const kanal_http_response *response =
        post_as(host, "/", JSON_TYPE, ORIGIN, read_fixture("callback.json", &body));
    cr_assert_eq(response->code, 200, "%s", response->body.ptr);
    expect_data(host, "/form/fields",
                "[{\"name\":\"phone\",\"label\":\"Телефон\",\"type\":\"tel\",\"value\":\"+7 916 123-45-67\"},"
                "{\"name\":\"name\",\"label\":\"Имя\",\"type\":\"text\",\"value\":\"Анна\"},"
                "{\"name\":\"topics\",\"type\":\"checkbox\",\"values\":[\"returns\"]},"
                "{\"name\":\"age\",\"type\":\"number\",\"value\":\"41.5\"}]");
    expect_data(
        host, "/attribution",
        "{\"utm_source\":\"vk\",\"utm_medium\":\"cpc\",\"click_ids\":{\"vkclid\":\"V1\",\"gclid\":\"G1\"},"
        "\"landing_url\":\"https://shop.example.com/?utm_source=vk\",\"referrer\":\"https://vk.com/\","
        "\"first_visit\":\"2026-11-20T07:00:00.000Z\"}");
    expect_data(host, "/consent/0/text", "\"Согласен на обработку данных\""); /* not the sender's words */
    expect_data(host, "/consent/1/given", "false");
    expect_data(host, "/consent/2",
                "{\"purpose\":\"partners\",\"given\":true,\"text\":\"Ok\",\"version\":\"3\"}");
    expect_data(host, "/client/ip", "\"192.0.2.7\"");
    kanal_buffer_release(&body);
    cr_assert_eq(fake_free(host), 0);
}

Test(webform, the_referer_header_stands_in_for_the_page)
{
    struct fake_host *host = new_host(NULL);
    const kanal_field headers[] = { { KANAL_LIT("content-type"), KANAL_LIT(FORM_TYPE) },
                                    { KANAL_LIT("referer"),
                                      KANAL_LIT("https://shop.example.com?utm_source=x") } };
    fake_http(host, "POST", "/forms/subscribe", headers, 2, KANAL_LIT("email=a%40b.ru"));
    expect_data(host, "/page", "{\"url\":\"https://shop.example.com?utm_source=x\"}");
    expect_data(host, "/attribution", "{\"utm_source\":\"x\"}");
    expect_data(host, "/consent", NULL);
    cr_assert_eq(fake_free(host), 0);
}

Test(webform, a_broker_that_is_away)
{
    struct fake_host *host = new_host("\"thanks_url\":\"https://shop.example.com/thanks\"");
    fake_fail_publish(host, KANAL_E_NETWORK);
    cr_assert_eq(post_form(host, GOOD_FORM)->code, 503);
    const kanal_field headers[] = { { KANAL_LIT("content-type"), KANAL_LIT(FORM_TYPE) },
                                    { KANAL_LIT("accept"), KANAL_LIT("text/html,*/*") } };
    kanal_op op = fake_http(host, "POST", "/forms/callback", headers, 2, KANAL_LIT(GOOD_FORM));
    expect_error(&fake_answer(host, op)->response, 503, "unavailable",
                 NULL); /* a 303 would not be held back */
    cr_assert_eq(fake_event_count(host), 0);
    cr_assert_eq(fake_free(host), 0);
}

/* ---- Who it is ---- */

static void copy_member(const kanal_http_response *response, const char *key, char *out, size_t size)
{
    yyjson_doc *doc = kanal_json_parse(response->body);
    kanal_str text = kanal_json_text_at(yyjson_doc_get_root(doc), key);
    snprintf(out, size, "%.*s", (int)text.len, text.ptr ? text.ptr : "");
    yyjson_doc_free(doc);
}

Test(webform, a_visitor_stays_the_same)
{
    struct fake_host *host = new_host(NULL);
    char session[160], visitor[64], again[160], body[512];
    const kanal_http_response *response = post_form(host, GOOD_FORM);
    copy_member(response, "session", session, sizeof session);
    copy_member(response, "visitor", visitor, sizeof visitor);
    cr_assert_eq(strlen(visitor), 26);
    cr_assert(strncmp(session, "v1.", 3) == 0 && strncmp(session + 3, visitor, 26) == 0 &&
              strlen(session) == 3 + 26 + 1 + 43);
    snprintf(body, sizeof body, GOOD_FORM "&kanal_session=%s", session);
    response = post_form(host, body);
    copy_member(response, "session", again, sizeof again);
    cr_assert_str_eq(again, session);
    cr_assert(kanal_str_equal(fake_event_at(host, 0)->event.address, fake_event_at(host, 1)->event.address));
    cr_assert_not(
        kanal_str_equal(fake_event_at(host, 0)->event.dedupe, fake_event_at(host, 1)->event.dedupe));
    cr_assert_eq(fake_free(host), 0);
}

/* The webchat's token, made elsewhere: HMAC-SHA256 of "v1.aaaaaaaaaaaaaaaaaaaaaaaaaa" under the secret, base64url. */
Test(webform, the_chats_session_is_understood)
{
    struct fake_host *host = new_host(NULL);
    const kanal_http_response *response =
        post_form(host, GOOD_FORM "&kanal_session=v1.aaaaaaaaaaaaaaaaaaaaaaaaaa." CHAT_MAC);
    cr_assert_eq(response->code, 200);
    cr_assert(kanal_str_is(fake_event_at(host, 0)->event.address, "visitor:aaaaaaaaaaaaaaaaaaaaaaaaaa"));
    cr_assert_eq(fake_free(host), 0);
}

Test(webform, a_forged_session_is_a_new_visitor)
{
    static const char *const forged[] = {
        "v1.aaaaaaaaaaaaaaaaaaaaaaaaab." CHAT_MAC, /* another visitor */
        "v1.aaaaaaaaaaaaaaaaaaaaaaaaaa.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "v1.aaaaaaaaaaaaaaaaaaaaaaaaaa.",
        "v1.aaaaaaaaaaaaaaaaaaaaaaaaaa",
        "v1..x",
        "v1.a.b",
        "x",
        "v2.a.b",
        "v1.AAAAAAAAAAAAAAAAAAAAAAAAAA." CHAT_MAC
    };
    struct fake_host *host = new_host("\"rate_per_minute\":0");
    for (size_t i = 0; i < sizeof forged / sizeof forged[0]; i++) {
        char body[512], session[160];
        snprintf(body, sizeof body, GOOD_FORM "&kanal_session=%s", forged[i]);
        const kanal_http_response *response = post_form(host, body);
        cr_assert_eq(response->code, 200);
        copy_member(response, "session", session, sizeof session);
        cr_assert_str_neq(session, forged[i]);
        cr_assert_not(
            kanal_str_is(fake_event_at(host, i)->event.address, "visitor:aaaaaaaaaaaaaaaaaaaaaaaaaa"),
            "case %zu", i);
        cr_assert_eq(fake_event_at(host, i)->event.address.len, 8 + 26);
    }
    cr_assert_eq(fake_free(host), 0);
}

Test(webform, without_the_secret_nothing_is_taken)
{
    struct kanal_buffer text = { 0 };
    read_fixture("settings.json", &text);
    kanal_buffer_byte(&text, 0);
    struct fake_host *host = fake_new(kanal_plugin_v1(), text.data, NULL, 0);
    expect_error(post_form(host, GOOD_FORM), 503, "unavailable", NULL);
    kanal_buffer_release(&text);
    cr_assert_eq(fake_free(host), 0);
}

/* ---- The token ---- */

static void get_token(struct fake_host *host, const char *form, char out[192])
{
    char target[64];
    snprintf(target, sizeof target, "/token?form=%s", form);
    const kanal_field origin = { KANAL_LIT("origin"), KANAL_LIT(ORIGIN) };
    kanal_op op = fake_http(host, "GET", target, &origin, 1, kanal_str_of(NULL, 0));
    const kanal_http_response *response = &fake_answer(host, op)->response;
    cr_assert_eq(response->code, 200, "%s", response->body.ptr);
    cr_assert_str_eq(response_header(response, "cache-control"), "no-store");
    copy_member(response, "token", out, 192);
}

static const kanal_http_response *post_with_token(struct fake_host *host, const char *token, const char *more)
{
    char body[1024];
    snprintf(body, sizeof body, GOOD_FORM "&kanal_token=%s%s", token, more);
    return post_form(host, body);
}

Test(webform, a_token_counts_once)
{
    struct fake_host *host = new_host("\"token\":\"required\"");
    char token[192];
    expect_error(post_form(host, GOOD_FORM), 403, "token_missing", NULL);
    get_token(host, "callback", token);
    cr_assert_eq(post_with_token(host, token, "")->code, 200);
    cr_assert(kanal_str_starts(fake_event_at(host, 0)->event.dedupe, "t."));
    cr_assert_not_null(
        strstr(token, fake_event_at(host, 0)->event.dedupe.ptr + 2));       /* the nonce is the dedupe key */
    const kanal_http_response *response = post_with_token(host, token, ""); /* a double click */
    cr_assert_eq(response->code, 200);
    cr_assert_not_null(strstr(response->body.ptr, "\"duplicate\":true"));
    expect_error(post_with_token(host, token, "&name=Other"), 409, "token_used", NULL);
    cr_assert_eq(fake_event_count(host), 1);
    cr_assert_eq(fake_free(host), 0);
}

Test(webform, a_token_whose_submit_failed_is_not_used_up)
{
    struct fake_host *host = new_host("\"token\":\"required\"");
    char token[192];
    get_token(host, "callback", token);
    fake_fail_publish(host, KANAL_E_NETWORK);
    cr_assert_eq(post_with_token(host, token, "")->code, 503);
    fake_fail_publish(host, KANAL_OK);
    cr_assert_eq(post_with_token(host, token, "")->code, 200);
    cr_assert_eq(fake_event_count(host), 1);
    cr_assert_eq(fake_free(host), 0);
}

Test(webform, bad_tokens)
{
    struct fake_host *host = new_host("\"rate_per_minute\":0");
    char token[192], changed[192];
    get_token(host, "subscribe", token);
    expect_error(post_with_token(host, token, ""), 403, "token_invalid", NULL); /* of another form */
    get_token(host, "callback", token);
    for (size_t i = 0; i < strlen(token); i++) {
        memcpy(changed, token, sizeof changed);
        changed[i] = changed[i] == 'b' ? 'c' : 'b';
        expect_error(post_with_token(host, changed, ""), 403, "token_invalid", NULL);
    }
    expect_error(post_with_token(host, "v1.aaaaaaaaaaaaaaaaaaaaaaaaaa." CHAT_MAC, ""), 403, "token_invalid",
                 NULL);
    fake_advance(host, 7201 * 1000);
    expect_error(post_with_token(host, token, ""), 403, "token_expired", NULL);
    kanal_op op = fake_http(host, "GET", "/token?form=nothing", NULL, 0, kanal_str_of(NULL, 0));
    expect_error(&fake_answer(host, op)->response, 404, "unknown_form", NULL);
    cr_assert_eq(fake_event_count(host), 0);
    cr_assert_eq(fake_free(host), 0);
    host = new_host("\"token\":\"off\"");
    op = fake_http(host, "GET", "/token?form=callback", NULL, 0, kanal_str_of(NULL, 0));
    expect_error(&fake_answer(host, op)->response, 404, "token_off", NULL);
    cr_assert_eq(post_with_token(host, "nonsense", "")->code, 200);
    cr_assert_eq(fake_free(host), 0);
}

/* ---- Who may send ---- */

Test(webform, origins)
{
    struct fake_host *host = new_host("\"rate_per_minute\":0");
    static const char *const denied[] = { "https://evil.example",
                                          "http://shop.example.com",
                                          "https://shop.example.com.evil.example",
                                          "https://shop.example.com:444",
                                          "null",
                                          "",
                                          "https://landing.example",
                                          "https://xlanding.example",
                                          "https://a@x.landing.example",
                                          "https://x.landing.example/",
                                          "https://x.landing.example.evil",
                                          "http://other.landing.example",
                                          "https://.landing.example",
                                          "https://x" };
    for (size_t i = 0; i < sizeof denied / sizeof denied[0]; i++) {
        const kanal_http_response *response =
            post_as(host, "/forms/callback", FORM_TYPE, denied[i], KANAL_LIT(GOOD_FORM));
        expect_error(response, 403, "origin_denied", NULL);
        cr_assert_null(response_header(response, "access-control-allow-origin"));
    }
    cr_assert_eq(fake_event_count(host), 0);
    cr_assert_eq(
        post_as(host, "/forms/callback", FORM_TYPE, "https://a.b.landing.example", KANAL_LIT(GOOD_FORM))
            ->code,
        200);
    cr_assert_eq(post_form(host, GOOD_FORM)->code, 200); /* no origin: no page */
    cr_assert_eq(fake_free(host), 0);
}

Test(webform, preflight)
{
    struct fake_host *host = new_host(NULL);
    kanal_field headers[] = { { KANAL_LIT("origin"), KANAL_LIT(ORIGIN) },
                              { KANAL_LIT("access-control-request-method"), KANAL_LIT("POST") } };
    kanal_op op = fake_http(host, "OPTIONS", "/forms/callback", headers, 2, kanal_str_of(NULL, 0));
    const kanal_http_response *response = &fake_answer(host, op)->response;
    cr_assert_eq(response->code, 204);
    cr_assert_str_eq(response_header(response, "access-control-allow-origin"), ORIGIN);
    cr_assert_str_eq(response_header(response, "access-control-allow-headers"), "content-type");
    cr_assert_str_eq(response_header(response, "vary"), "origin");
    headers[0].value = KANAL_LIT("https://evil.example");
    op = fake_http(host, "OPTIONS", "/", headers, 2, kanal_str_of(NULL, 0));
    expect_error(&fake_answer(host, op)->response, 403, "origin_denied", NULL);
    cr_assert_eq(fake_free(host), 0);
}

Test(webform, rate)
{
    struct fake_host *host = new_host("\"rate_per_minute\":6,\"rate_burst\":2");
    cr_assert_eq(post_form(host, GOOD_FORM)->code, 200);
    cr_assert_eq(post_form(host, GOOD_FORM)->code, 200);
    const kanal_http_response *response =
        post_as(host, "/forms/callback", FORM_TYPE, ORIGIN, KANAL_LIT(GOOD_FORM));
    expect_error(response, 429, "rate_limited", NULL);
    cr_assert_str_eq(response_header(response, "retry-after"), "10");
    cr_assert_str_eq(response_header(response, "access-control-allow-origin"),
                     ORIGIN); /* the script may read why */
    fake_set_remote(host, "192.0.2.8");
    cr_assert_eq(post_form(host, GOOD_FORM)->code, 200);
    fake_set_remote(host, "192.0.2.7");
    fake_advance(host, 10000);
    cr_assert_eq(post_form(host, GOOD_FORM)->code, 200);
    cr_assert(fake_metric(host, "submissions_total") == 5);
    cr_assert_eq(fake_free(host), 0);
}

Test(webform, honeypot)
{
    struct fake_host *host = new_host("\"thanks_url\":\"https://shop.example.com/thanks\"");
    const kanal_http_response *response = post_form(host, GOOD_FORM "&website=http%3A%2F%2Fspam.example");
    cr_assert_eq(response->code, 200);
    cr_assert_not_null(strstr(response->body.ptr, "\"ok\":true"));
    cr_assert_eq(fake_event_count(host), 0);
    response = post_as(host, "/", JSON_TYPE, NULL,
                       KANAL_LIT("{\"form\":\"callback\",\"fields\":{\"website\":\"x\"}}"));
    cr_assert_eq(response->code, 200);
    cr_assert_eq(fake_event_count(host), 0);
    cr_assert_eq(post_form(host, GOOD_FORM "&website=")->code, 200);
    cr_assert_eq(fake_event_count(host), 1);
    cr_assert_eq(fake_free(host), 0);
}

/* ---- A browser without a script ---- */

Test(webform, redirects)
{
    struct fake_host *host = new_host("\"thanks_url\":\"https://shop.example.com/thanks\"");
    const kanal_field page[] = { { KANAL_LIT("content-type"), KANAL_LIT(FORM_TYPE) },
                                 { KANAL_LIT("accept"),
                                   KANAL_LIT("text/html,application/xhtml+xml,*/*;q=0.8") } };
    kanal_op op = fake_http(host, "POST", "/forms/callback", page, 2, KANAL_LIT(GOOD_FORM));
    const kanal_http_response *response = &fake_answer(host, op)->response;
    cr_assert_eq(response->code, 303);
    cr_assert_str_eq(response_header(response, "location"), "https://shop.example.com/thanks");
    const kanal_field script[] = { page[0], page[1], { KANAL_LIT("sec-fetch-mode"), KANAL_LIT("cors") } };
    op = fake_http(host, "POST", "/forms/callback", script, 3, KANAL_LIT(GOOD_FORM));
    cr_assert_eq(fake_answer(host, op)->response.code, 200);
    op = fake_http(host, "POST", "/forms/callback", page, 2, KANAL_LIT("phone=x"));
    expect_error(&fake_answer(host, op)->response, 422, "field_invalid", "phone");
    cr_assert_eq(fake_event_count(host), 2);
    cr_assert_eq(fake_free(host), 0);
}

/* ---- Life ---- */

/* stop() comes while a submission is under way: it is answered, and only then the stop is finished. */
Test(webform, stop_waits_for_open_submissions)
{
    struct fake_host *host = new_host(NULL);
    const kanal_field type = { KANAL_LIT("content-type"), KANAL_LIT(FORM_TYPE) };
    kanal_op op = fake_http_pending(host, "POST", "/forms/callback", &type, 1, KANAL_LIT(GOOD_FORM));
    cr_assert_eq(fake_answer(host, op)->answered, 0);
    cr_assert_eq(fake_free(host), 0); /* every op was answered */
}
