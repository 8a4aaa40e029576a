#include <criterion/criterion.h>
#include <stdio.h>
#include "kanal/testing/fakehost.h"
#include "kanal/sdk/sdk.h"

#define ORIGIN "https://shop.example.com"
#define FORM_TYPE "application/x-www-form-urlencoded"
#define JSON_TYPE "application/json; charset=utf-8"
#define CHAT_MAC "iCApu94R85Pp6pNeX-Cc3BvJ1omLDuAggX3xrUzdO3Q" /* made with Python's hmac */
#define GOOD_FORM "phone=89161234567&kanal_consent_service=on"

static const char *const secrets[][2] = { { "session", "0123456789abcdef0123456789abcdef" } };

static kanal_str read_fixture(const char *name, struct kanal_buffer *out)
{
    char path[512], bytes[8192];
    snprintf(path, sizeof path, "%s/%s", FIXTURES, name);
    FILE *file = fopen(path, "rb");
    cr_assert_not_null(file, "%s", path);
    kanal_buffer_clear(out);
    kanal_buffer_append(out, bytes, fread(bytes, 1, sizeof bytes, file));
    fclose(file);
    return kanal_buffer_view(out);
}

/* The fixture's settings, with `more` ("\"token\":\"required\"") in front. */
static struct fake_host *new_host(const char *more)
{
    struct kanal_buffer text = { 0 }, settings = { 0 };
    kanal_str fixture = read_fixture("settings.json", &text);
    kanal_buffer_byte(&settings, '{');
    if (more != NULL) {
        kanal_buffer_text(&settings, more);
        kanal_buffer_byte(&settings, ',');
    }
    kanal_buffer_str(&settings, kanal_str_from(fixture, 1));
    kanal_buffer_byte(&settings, 0);
    struct fake_host *host = fake_new(kanal_plugin_v1(), settings.data, secrets, 1);
    cr_assert_not_null(host);
    kanal_buffer_release(&text);
    kanal_buffer_release(&settings);
    return host;
}

static const kanal_http_response *post_as(struct fake_host *host, const char *target, const char *type,
                                          const char *origin, kanal_str body)
{
    kanal_field headers[3] = { { KANAL_LIT("user-agent"), KANAL_LIT("Browser/1") } };
    size_t count = 1;
    if (type != NULL)
        headers[count++] = (kanal_field){ KANAL_LIT("content-type"), kanal_str_c(type) };
    if (origin != NULL)
        headers[count++] = (kanal_field){ KANAL_LIT("origin"), kanal_str_c(origin) };
    kanal_op op = fake_http(host, "POST", target, headers, count, body);
    cr_assert(fake_answer(host, op)->answered);
    return &fake_answer(host, op)->response;
}

static const kanal_http_response *post_form(struct fake_host *host, const char *body)
{
    return post_as(host, "/forms/callback", FORM_TYPE, NULL, kanal_str_c(body));
}

static const char *response_header(const kanal_http_response *response, const char *name)
{
    return kanal_field_get(response->headers, response->header_count, name).ptr;
}

/* error.code, copied into `out`; "" if there is none. */
static const char *error_of(const kanal_http_response *response, const char *member, char out[64])
{
    yyjson_doc *doc = kanal_json_parse(response->body);
    kanal_str text = kanal_json_text_at(kanal_json_at(yyjson_doc_get_root(doc), "error"), member);
    snprintf(out, 64, "%.*s", (int)text.len, text.ptr ? text.ptr : "");
    yyjson_doc_free(doc);
    return out;
}

static void expect_error(const kanal_http_response *response, int32_t code, const char *name,
                         const char *field)
{
    char text[64];
    cr_assert_eq(response->code, code, "%d: %s", response->code, response->body.ptr);
    cr_assert_str_eq(error_of(response, "code", text), name);
    if (field != NULL)
        cr_assert_str_eq(error_of(response, "field", text), field);
    cr_assert_str_neq(error_of(response, "message", text), "");
}

static yyjson_val *event_data(struct fake_host *host, size_t index)
{
    cr_assert_lt(index, fake_event_count(host));
    return yyjson_doc_get_root(fake_event_at(host, index)->document);
}

static void expect_data(struct fake_host *host, const char *pointer, const char *wanted)
{
    yyjson_val *value = yyjson_ptr_get(event_data(host, fake_event_count(host) - 1), pointer);
    if (wanted == NULL) {
        cr_assert_null(value, "%s is there", pointer);
        return;
    }
    char *text = yyjson_val_write(value, 0, NULL);
    cr_assert_not_null(text, "%s is not there", pointer);
    cr_assert_str_eq(text, wanted, "%s is %s", pointer, text);
    free(text);
}

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

/* ---- Bad input ---- */

Test(webform, fields_are_checked)
{
    static const struct {
        const char *more, *code, *field;
    } cases[] = {
        { "phone=", "field_required", "phone" },
        { "phone=++", "field_required", "phone" }, /* two spaces */
        { "phone=abc", "field_invalid", "phone" },
        { "phone=%2B79161234567&phone=%2B79161234568", "field_repeated", "phone" },
        { "phone=%2B79161234567&email=x", "field_invalid", "email" },
        { "phone=%2B79161234567&name=12345678901234567890123456789012345678901", "field_too_long", "name" },
        { "phone=%2B79161234567&name=a%0Ab", "field_invalid", "name" },
        { "phone=%2B79161234567&name=a%00b", "field_invalid", "name" },
        { "phone=%2B79161234567&comment=a%07b", "field_invalid", "comment" },
        { "phone=%2B79161234567&when=never", "field_not_an_option", "when" },
        { "phone=%2B79161234567&topics=delivery&topics=x", "field_not_an_option", "topics" },
        { "phone=%2B79161234567&age=12x", "field_invalid", "age" },
        { "phone=%2B79161234567&age=0x10", "field_invalid", "age" },
        { "phone=%2B79161234567&date=2026-02-30", "field_invalid", "date" },
        { "phone=%2B79161234567&date=22.11.2026", "field_invalid", "date" },
        { "phone=%2B79161234567&time=25:00", "field_invalid", "time" },
        { "phone=%2B79161234567&site=javascript:alert(1)", "field_invalid", "site" },
        { "phone=%2B79161234567&site=wss://h/", "field_invalid", "site" },
    };
    struct fake_host *host = new_host("\"rate_per_minute\":0");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char body[512];
        snprintf(body, sizeof body, "kanal_consent_service=on&%s", cases[i].more);
        expect_error(post_form(host, body), 422, cases[i].code, cases[i].field);
    }
    expect_error(post_form(host, "phone=%2B79161234567"), 422, "consent_required", "service");
    expect_error(post_form(host, "phone=%2B79161234567&kanal_consent_service=off"), 422, "consent_required",
                 "service");
    cr_assert_eq(fake_event_count(host), 0);
    /* Forty letters of two bytes each are forty characters. */
    cr_assert_eq(
        post_form(
            host, GOOD_FORM
            "&name=%D0%96%D0%96%D0%96%D0%96%D0%96%D0%96%D0%96%D0%96%D0%96%D0%96%D0%96%D0%96%D0%96%D0%96"
            "%D0%96%D0%96%D0%96%D0%96%D0%96%D0%96%D0%96%D0%96%D0%96%D0%96%D0%96%D0%96%D0%96%D0%96%D0%96%D0%96"
            "%D0%96%D0%96%D0%96%D0%96%D0%96%D0%96%D0%96%D0%96%D0%96%D0%96")
            ->code,
        200);
    cr_assert_eq(fake_free(host), 0);
}

Test(webform, all_wrong_fields_are_told_at_once)
{
    struct fake_host *host = new_host(NULL);
    const kanal_http_response *response = post_form(host, "email=x&age=y");
    yyjson_doc *doc = kanal_json_parse(response->body);
    yyjson_val *errors = kanal_json_at(yyjson_doc_get_root(doc), "errors");
    cr_assert_eq(yyjson_arr_size(errors), 4); /* phone, email, age, consent */
    cr_assert(kanal_str_is(kanal_json_text_at(yyjson_arr_get(errors, 2), "field"), "age"));
    yyjson_doc_free(doc);
    cr_assert_eq(fake_free(host), 0);
}

Test(webform, undeclared_fields)
{
    struct fake_host *host = new_host("\"undeclared_fields\":\"reject\"");
    expect_error(post_form(host, GOOD_FORM "&extra=1"), 422, "field_unknown", "");
    cr_assert_eq(post_form(host, GOOD_FORM "&website=")->code, 200); /* the honeypot is known */
    cr_assert_eq(fake_free(host), 0);
    host = new_host("\"undeclared_fields\":\"keep\"");
    cr_assert_eq(post_form(host, GOOD_FORM "&extra=1&empty=&extra=2")->code, 200);
    expect_data(host, "/form/fields/1", "{\"name\":\"extra\",\"type\":\"text\",\"value\":\"1\"}");
    expect_data(host, "/form/fields/2", "{\"name\":\"extra\",\"type\":\"text\",\"value\":\"2\"}");
    expect_data(host, "/form/fields/3", NULL);
    char body[2048] = GOOD_FORM;
    for (int i = 0; i < 33; i++)
        snprintf(body + strlen(body), sizeof body - strlen(body), "&f%d=1", i);
    expect_error(post_form(host, body), 422, "field_unknown", "");
    cr_assert_eq(fake_free(host), 0);
}

Test(webform, malformed_bodies)
{
    struct fake_host *host = new_host("\"rate_per_minute\":0");
    static const char *const json[] = { "",
                                        "{",
                                        "[]",
                                        "null",
                                        "{}",
                                        "{\"fields\":[]}",
                                        "{\"fields\":{\"phone\":{}}}",
                                        "{\"fields\":{\"phone\":[[]]}}",
                                        "{\"fields\":{\"phone\":[null]}}",
                                        "{\"fields\":\"\xFF\"}" };
    static const char *const forms[] = { "phone=%zz", "phone=%", "phone=%FF", "%C3=1" };
    for (size_t i = 0; i < sizeof json / sizeof json[0]; i++)
        expect_error(post_as(host, "/forms/callback", JSON_TYPE, ORIGIN, kanal_str_c(json[i])), 400,
                     "malformed_body", NULL);
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++)
        expect_error(post_form(host, forms[i]), 400, "malformed_body", NULL);
    struct kanal_buffer many = { 0 };
    for (int i = 0; i < 255; i++)
        kanal_buffer_text(&many, "a=1&");
    kanal_buffer_text(&many, GOOD_FORM "&");
    cr_assert_eq(post_as(host, "/forms/callback", FORM_TYPE, NULL, kanal_buffer_view(&many))->code,
                 200); /* 256 */
    kanal_buffer_text(&many, "a=1");
    expect_error(post_as(host, "/forms/callback", FORM_TYPE, NULL, kanal_buffer_view(&many)), 400,
                 "malformed_body", NULL);
    kanal_buffer_clear(&many);
    kanal_buffer_text(&many, "{\"fields\":{\"a\":[1");
    for (int i = 0; i < 300; i++)
        kanal_buffer_text(&many, ",-1.7976931348623157e308");
    kanal_buffer_text(&many, "]}}");
    expect_error(post_as(host, "/forms/callback", JSON_TYPE, NULL, kanal_buffer_view(&many)), 400,
                 "malformed_body", NULL);
    kanal_buffer_release(&many);
    fake_events_clear(host);
    static const char *const types[] = { "text/plain", "multipart/form-data; boundary=x", "application/jsonx",
                                         "" };
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        expect_error(post_as(host, "/forms/callback", types[i], ORIGIN, KANAL_LIT("{}")), 415,
                     "unsupported_type", NULL);
    expect_error(post_as(host, "/forms/callback", NULL, ORIGIN, KANAL_LIT("{}")), 415, "unsupported_type",
                 NULL);
    expect_error(post_as(host, "/forms/other", FORM_TYPE, NULL, KANAL_LIT(GOOD_FORM)), 404, "unknown_form",
                 NULL);
    expect_error(post_as(host, "/", FORM_TYPE, NULL, KANAL_LIT(GOOD_FORM)), 404, "unknown_form",
                 NULL); /* which of the two? */
    cr_assert_eq(fake_event_count(host), 0);
    cr_assert_eq(fake_free(host), 0);
}

/* Hostile context never breaks an event: it is dropped, cut or escaped. */
Test(webform, hostile_context)
{
    struct fake_host *host = new_host(NULL);
    struct kanal_buffer body = { 0 };
    kanal_buffer_text(&body, GOOD_FORM
                      "&kanal_page_url=javascript%3Aalert(1)&kanal_landing_url=https%3A%2F%2Fu%3Ap%40h%2F"
                      "&kanal_first_visit=yesterday&kanal_consent_Bad+Purpose=1&kanal_page_title=");
    for (int i = 0; i < 3000; i++)
        kanal_buffer_text(&body, "%D0%96");
    kanal_buffer_text(&body, "&utm_source=");
    for (int i = 0; i < 600; i++)
        kanal_buffer_text(&body, "x");
    cr_assert_eq(post_as(host, "/forms/callback", FORM_TYPE, NULL, kanal_buffer_view(&body))->code, 200);
    expect_data(host, "/page/url", NULL);
    expect_data(host, "/attribution/landing_url", NULL);
    expect_data(host, "/attribution/first_visit", NULL);
    expect_data(host, "/consent/2", NULL);
    cr_assert_eq(yyjson_get_len(yyjson_ptr_get(event_data(host, 0), "/page/title")), 1024);
    cr_assert_eq(yyjson_get_len(yyjson_ptr_get(event_data(host, 0), "/attribution/utm_source")), 512);
    kanal_buffer_release(&body);
    cr_assert_eq(fake_free(host), 0);
}

Test(webform, contradicting_settings_are_refused)
{
    static const char *const wrong[] = {
        "{\"forms\":[{\"id\":\"a\",\"fields\":[]},{\"id\":\"a\",\"fields\":[]}]}",
        "{\"forms\":[{\"id\":\"a\",\"fields\":[{\"name\":\"x\"},{\"name\":\"x\"}]}]}",
        "{\"honeypot\":\"x\",\"forms\":[{\"id\":\"a\",\"fields\":[{\"name\":\"x\"}]}]}",
        "{\"thanks_url\":\"https://\",\"forms\":[{\"id\":\"a\",\"fields\":[]}]}"
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        cr_assert_null(fake_new(kanal_plugin_v1(), wrong[i], secrets, 1), "case %zu", i);
}

/* stop() comes while a submission is under way: it is answered, and only then the stop is finished. */
Test(webform, stop_waits_for_open_submissions)
{
    struct fake_host *host = new_host(NULL);
    const kanal_field type = { KANAL_LIT("content-type"), KANAL_LIT(FORM_TYPE) };
    kanal_op op = fake_http_pending(host, "POST", "/forms/callback", &type, 1, KANAL_LIT(GOOD_FORM));
    cr_assert_eq(fake_answer(host, op)->answered, 0);
    cr_assert_eq(fake_free(host), 0); /* every op was answered */
}
