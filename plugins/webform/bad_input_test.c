#include "test_form.h"

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
    cr_assert_eq(yyjson_get_len(yyjson_ptr_get(event_data(host, 0), "/page/title")),
                 2048); /* 1,024 letters of two bytes */
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
        cr_assert_null(fake_new(kanal_plugin_v1(), wrong[i], test_secrets, 1), "case %zu", i);
}
