#include <criterion/criterion.h>
#include <stdio.h>
#include "kanal/testing/fakehost.h"
#include "kanal/sdk/sdk.h"
#include "fixtures.h"

#define ORIGIN "https://shop.example.com"
#define SETTINGS "{\"origins\":[\"" ORIGIN "\"],\"default_country\":\"RU\"}"
#define PAGE_AUTHORIZATION "Basic cGFnZS1rZXk6"       /* page-key: */
#define SERVER_AUTHORIZATION "Basic c2VydmVyLWtleTo=" /* server-key: */

static const char *const secrets[][2] = { { "write_key", "page-key" }, { "server_key", "server-key" } };

static kanal_str read_fixture(const char *name, struct kanal_buffer *out)
{
    char path[512], bytes[16384];
    snprintf(path, sizeof path, "%s/%s", FIXTURES, name);
    FILE *file = fopen(path, "rb");
    cr_assert_not_null(file, "%s", path);
    kanal_buffer_clear(out);
    kanal_buffer_append(out, bytes, fread(bytes, 1, sizeof bytes, file));
    fclose(file);
    return kanal_buffer_view(out);
}

static struct fake_host *new_host(const char *settings)
{
    struct fake_host *host = fake_new(kanal_plugin_v1(), settings ? settings : SETTINGS, secrets, 2);
    cr_assert_not_null(host);
    return host;
}

static const kanal_http_response *post_as(struct fake_host *host, const char *target,
                                          const char *authorization, const char *origin, kanal_str body)
{
    kanal_field headers[4] = { { KANAL_LIT("user-agent"), KANAL_LIT("Browser/1") },
                               { KANAL_LIT("content-type"), KANAL_LIT("text/plain") } };
    size_t count = 2;
    if (authorization != NULL)
        headers[count++] = (kanal_field){ KANAL_LIT("authorization"), kanal_str_c(authorization) };
    if (origin != NULL)
        headers[count++] = (kanal_field){ KANAL_LIT("origin"), kanal_str_c(origin) };
    kanal_op op = fake_http(host, "POST", target, headers, count, body);
    cr_assert(fake_answer(host, op)->answered);
    return &fake_answer(host, op)->response;
}

static int32_t post_page(struct fake_host *host, const char *kind, const char *body)
{
    char target[64];
    snprintf(target, sizeof target, "/v1/%s", kind);
    return post_as(host, target, PAGE_AUTHORIZATION, NULL, kanal_str_c(body))->code;
}

static int32_t post_server(struct fake_host *host, const char *kind, const char *body)
{
    char target[64];
    snprintf(target, sizeof target, "/v1/%s", kind);
    return post_as(host, target, SERVER_AUTHORIZATION, NULL, kanal_str_c(body))->code;
}

static void expect_error(const kanal_http_response *response, int32_t code, const char *name)
{
    yyjson_doc *doc = kanal_json_parse(response->body);
    yyjson_val *error = kanal_json_at(yyjson_doc_get_root(doc), "error");
    cr_assert_eq(response->code, code, "%d: %s", response->code, response->body.ptr);
    cr_assert(kanal_str_is(kanal_json_text_at(error, "code"), name), "%s", response->body.ptr);
    cr_assert_gt(kanal_json_text_at(error, "message").len, 0);
    yyjson_doc_free(doc);
}

static const kanal_event *event_at(struct fake_host *host, size_t index)
{
    cr_assert_lt(index, fake_event_count(host));
    return &fake_event_at(host, index)->event;
}

static void expect_data(struct fake_host *host, size_t index, const char *pointer, const char *wanted)
{
    cr_assert_lt(index, fake_event_count(host));
    yyjson_val *value = yyjson_ptr_get(yyjson_doc_get_root(fake_event_at(host, index)->document), pointer);
    if (wanted == NULL) {
        cr_assert_null(value, "%s is there", pointer);
        return;
    }
    char *text = value ? yyjson_val_write(value, 0, NULL) : NULL;
    cr_assert_not_null(text, "%s is not there", pointer);
    cr_assert_str_eq(text, wanted, "%s is %s", pointer, text);
    free(text);
}

/* ---- The calls ---- */

Test(events, a_page_puts_a_product_into_the_cart)
{
    struct fake_host *host = new_host(NULL);
    struct kanal_buffer body = { 0 };
    const kanal_http_response *response =
        post_as(host, "/v1/t", PAGE_AUTHORIZATION, ORIGIN, read_fixture("track.json", &body));
    cr_assert_eq(response->code, 200, "%s", response->body.ptr);
    cr_assert(kanal_str_is(response->body, "{\"success\":true}"));
    cr_assert(kanal_str_is(
        kanal_field_get(response->headers, response->header_count, "access-control-allow-origin"), ORIGIN));
    const kanal_event *event = event_at(host, 0);
    cr_assert(kanal_str_is(event->type, "activity.tracked"));
    cr_assert(kanal_str_is(event->dedupe, "ajs-next-1795294385000-1"));
    cr_assert(kanal_str_is(event->address, "visitor:9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d"));
    cr_assert_eq(event->time_ms, INT64_C(1795294384000)); /* a second before it was sent, by our clock */
    cr_assert(event->raw.len > 0);
    expect_data(host, 0, "/activity/name", "\"Product Added\"");
    expect_data(host, 0, "/activity/kind", "\"track\"");
    expect_data(host, 0, "/activity/properties/price", "\"1990\"");
    expect_data(host, 0, "/activity/properties/value", "\"1990.5\"");
    expect_data(host, 0, "/activity/properties/quantity", "1");
    expect_data(host, 0, "/activity/properties/deep",
                "\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]\"");
    expect_data(host, 0, "/activity/session", "\"1795294000000\"");
    expect_data(host, 0, "/activity/external_id", "\"ajs-next-1795294385000-1\"");
    expect_data(host, 0, "/page/url", "\"https://shop.example.com/p/9?yclid=123&utm_source=vk\"");
    expect_data(host, 0, "/attribution",
                "{\"utm_source\":\"vk\",\"utm_medium\":\"cpc\",\"utm_campaign\":\"autumn\",\"click_ids\":{"
                "\"yclid\":\"123\"}}");
    expect_data(host, 0, "/client",
                "{\"user_agent\":\"Mozilla/5.0 (X11)\",\"locale\":\"ru-RU\",\"timezone\":\"Europe/Moscow\"}");
    expect_data(
        host, 0, "/consent",
        "[{\"purpose\":\"advertising\",\"given\":true},{\"purpose\":\"functional___ux\",\"given\":false}]");
    expect_data(
        host, 0, "/customer/identifiers",
        "[{\"address\":\"mailto:Anna%2Bshop@example.com\",\"verified\":false,\"source\":\"identify\"}]");
    expect_data(host, 0, "/provider/name", "\"product_added\"");
    expect_data(host, 0, "/provider/context/library/name", "\"analytics.js\"");
    kanal_buffer_release(&body);
    cr_assert_eq(fake_free(host), 0);
}

/* What @segment/analytics-node 3.1.0 sent. */
Test(events, a_batch_of_a_server)
{
    struct fake_host *host = new_host(NULL);
    struct kanal_buffer body = { 0 };
    cr_assert_eq(
        post_as(host, "/v1/batch", SERVER_AUTHORIZATION, NULL, read_fixture("node-batch.json", &body))->code,
        200);
    cr_assert_eq(fake_event_count(host), 6);
    cr_assert(kanal_str_is(event_at(host, 0)->type, "profile.observed"));
    expect_data(
        host, 0, "/profile",
        "{\"first_name\":\"Анна\",\"last_name\":\"Иванова\",\"email\":\"anna@example.com\",\"phone\":\"+7 "
        "916 "
        "123-45-67\",\"birthday\":\"1991-04-12\",\"company\":\"Initech\",\"avatar\":{\"url\":\"https://"
        "shop.example.com/a/1.png\"},\"attributes\":{\"plan\":\"gold\",\"orders\":7}}");
    expect_data(host, 0, "/customer/identifiers",
                "[{\"address\":\"user:fake/019mr8mf4r\",\"verified\":true,\"source\":\"identify\"},"
                "{\"address\":\"mailto:anna@example.com\",\"verified\":false,\"source\":\"identify\"},"
                "{\"address\":\"tel:+79161234567\",\"verified\":false,\"source\":\"identify\"}]");
    cr_assert(kanal_str_is(event_at(host, 1)->address, "user:fake/019mr8mf4r"));
    expect_data(host, 1, "/activity/name", "\"Order Completed\"");
    expect_data(host, 1, "/activity/properties/total", "\"27.5\"");
    expect_data(host, 1, "/activity/properties/products/1/price", "\"3.5\"");
    expect_data(host, 1, "/activity/properties/products/1/quantity", "2");
    expect_data(host, 1, "/client", "{}"); /* the header is the program on the server */
    expect_data(host, 2, "/activity/name", "\"Page Viewed\"");
    expect_data(host, 2, "/activity/category", "\"Docs\"");
    expect_data(host, 2, "/activity/properties/name", "\"Delivery\"");
    expect_data(host, 2, "/page/title", "\"Доставка\"");
    expect_data(host, 2, "/attribution/click_ids", "{\"yclid\":\"14872390471\"}");
    expect_data(host, 3, "/activity/name", "\"Screen Viewed\"");
    expect_data(host, 3, "/client/device",
                "{\"kind\":\"phone\",\"manufacturer\":\"Google\",\"model\":\"Pixel 9\"}");
    expect_data(host, 3, "/client/screen", "{\"width\":412,\"height\":915}");
    expect_data(host, 3, "/provider/context/device/id", "\"d-1\"");
    expect_data(host, 4, "/activity/properties",
                "{\"group_id\":\"0e8c78ea\",\"traits\":{\"name\":\"Initech\",\"employees\":329}}");
    cr_assert(kanal_str_is(event_at(host, 5)->address, "visitor:9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d"));
    expect_data(host, 5, "/activity/name", "\"Identity Merged\"");
    kanal_buffer_release(&body);
    cr_assert_eq(fake_free(host), 0);
}

Test(events, a_visit_to_the_shop)
{
    struct fake_host *host =
        new_host("{\"user_space\":\"shop "
                 "cards\",\"server_verifies\":[\"user_id\",\"phone\"],\"default_country\":\"RU\"}");
    struct kanal_buffer body = { 0 };
    cr_assert_eq(
        post_as(host, "/v1/track", SERVER_AUTHORIZATION, NULL, read_fixture("till.json", &body))->code, 200);
    cr_assert(kanal_str_is(event_at(host, 0)->address, "user:shop%20cards/card-77012"));
    cr_assert_eq(event_at(host, 0)->time_ms, INT64_C(1795283400000));
    expect_data(host, 0, "/customer/identifiers/1",
                "{\"address\":\"tel:+79161234567\",\"verified\":true,\"source\":\"identify\"}");
    expect_data(host, 0, "/activity/properties/revenue", "\"540.00\"");
    expect_data(host, 0, "/client/device/kind", "\"terminal\"");
    kanal_buffer_release(&body);
    cr_assert_eq(fake_free(host), 0);
}

/* ---- Claims and what is verified ---- */

Test(events, a_page_cannot_speak_for_a_user)
{
    struct fake_host *host =
        new_host("{\"server_verifies\":[\"user_id\",\"email\",\"phone\",\"anonymous_id\"]}");
    const char *call = "{\"event\":\"X\",\"userId\":42,\"context\":{\"traits\":{\"email\":\"a@b.ru\","
                       "\"phone\":\"+79161234567\"}}}";
    cr_assert_eq(post_page(host, "track", call), 200);
    cr_assert(kanal_str_is(event_at(host, 0)->address, "visitor:user.42"));
    cr_assert_eq(post_server(host, "track", call), 200);
    cr_assert(kanal_str_is(event_at(host, 1)->address, "user:fake/42"));
    for (int i = 0; i < 3; i++) {
        char pointer[64];
        snprintf(pointer, sizeof pointer, "/customer/identifiers/%d/verified", i);
        expect_data(host, 0, pointer, "false");
        expect_data(host, 1, pointer, "true");
    }
    const char *alias = "{\"userId\":\"42\",\"previousId\":\"p\",\"anonymousId\":\"a\"}";
    cr_assert_eq(post_page(host, "alias", alias), 200);
    cr_assert_eq(post_server(host, "alias", alias), 200);
    expect_data(host, 2, "/customer/identifiers/1",
                "{\"address\":\"visitor:p\",\"verified\":false,\"source\":\"identify\"}");
    expect_data(host, 3, "/customer/identifiers/1",
                "{\"address\":\"visitor:p\",\"verified\":true,\"source\":\"identify\"}");
    cr_assert_eq(fake_free(host), 0);
}

Test(events, what_the_operator_does_not_trust_stays_a_claim)
{
    struct fake_host *host = new_host("{\"server_verifies\":[]}");
    cr_assert_eq(post_server(host, "track", "{\"event\":\"X\",\"userId\":\"42\"}"), 200);
    cr_assert(kanal_str_is(event_at(host, 0)->address, "visitor:user.42"));
    expect_data(host, 0, "/customer/identifiers/0/verified", "false");
    cr_assert_eq(fake_free(host), 0);
}

Test(events, ids_are_strings_also_above_2_53)
{
    struct fake_host *host = new_host(NULL);
    cr_assert_eq(
        post_page(host, "track",
                  "{\"event\":\"X\",\"anonymousId\":18446744073709551615,\"userId\":-9223372036854775808}"),
        200);
    cr_assert(kanal_str_is(event_at(host, 0)->address, "visitor:18446744073709551615"));
    expect_data(host, 0, "/customer/identifiers/0/address", "\"user:fake/-9223372036854775808\"");
    cr_assert_eq(post_page(host, "track", "{\"event\":\"X\",\"anonymousId\":\"Ж /?\"}"), 200);
    cr_assert(kanal_str_is(event_at(host, 1)->address, "visitor:%D0%96%20%2F%3F"));
    cr_assert_eq(fake_free(host), 0);
}

/* ---- Keys ---- */

Test(events, keys)
{
    struct fake_host *host = new_host(NULL);
    const char *call = "{\"event\":\"X\",\"anonymousId\":\"a\"}";
    expect_error(post_as(host, "/v1/track", NULL, NULL, kanal_str_c(call)), 401, "wrong_key");
    expect_error(post_as(host, "/v1/track", "Basic d3Jvbmc6", NULL, kanal_str_c(call)), 401, "wrong_key");
    expect_error(post_as(host, "/v1/track", "Basic cGFnZS1rZXk", NULL, kanal_str_c("{\"writeKey\":\"no\"")),
                 400, "invalid_call"); /* without the colon it is still the key */
    expect_error(post_as(host, "/v1/track", "Bearer page-key", NULL, kanal_str_c(call)), 401, "wrong_key");
    expect_error(post_as(host, "/v1/track", "Basic !", NULL, kanal_str_c(call)), 401, "wrong_key");
    cr_assert_eq(fake_event_count(host), 0);
    cr_assert_eq(post_as(host, "/v1/track", NULL, NULL,
                         KANAL_LIT("{\"writeKey\":\"page-key\",\"event\":\"X\",\"anonymousId\":\"a\"}"))
                     ->code,
                 200);
    cr_assert_eq(fake_event_count(host), 1);
    cr_assert_eq(fake_free(host), 0);
    const char *const one[][2] = { { "write_key", "page-key" } };
    host = fake_new(kanal_plugin_v1(), SETTINGS, one, 1); /* no server */
    expect_error(post_as(host, "/v1/track", SERVER_AUTHORIZATION, NULL, kanal_str_c(call)), 401, "wrong_key");
    cr_assert_eq(post_as(host, "/v1/track", PAGE_AUTHORIZATION, NULL, kanal_str_c(call))->code, 200);
    cr_assert_eq(fake_free(host), 0);
    host = fake_new(kanal_plugin_v1(), SETTINGS, NULL, 0);
    expect_error(post_as(host, "/v1/track", PAGE_AUTHORIZATION, NULL, kanal_str_c(call)), 503, "unavailable");
    cr_assert_eq(fake_free(host), 0);
}

/* ---- Limits ---- */

static void append_event(struct kanal_buffer *out, const char *id, size_t filler)
{
    kanal_buffer_text(out, "{\"type\":\"track\",\"event\":\"X\",\"anonymousId\":\"a\",\"messageId\":\"");
    kanal_buffer_text(out, id);
    kanal_buffer_text(out, "\",\"properties\":{\"x\":\"");
    for (size_t i = 0; i < filler; i++)
        kanal_buffer_byte(out, 'x');
    kanal_buffer_text(out, "\"}}");
}

Test(events, sizes)
{
    struct fake_host *host = new_host(NULL);
    struct kanal_buffer one = { 0 }, body = { 0 };
    append_event(&one, "1", 0);
    size_t bare = one.len;
    kanal_buffer_clear(&one);
    append_event(&one, "1", 32768 - bare);
    cr_assert_eq(one.len, 32768);
    cr_assert_eq(post_as(host, "/v1/track", PAGE_AUTHORIZATION, NULL, kanal_buffer_view(&one))->code, 200);
    kanal_buffer_byte(&one, ' ');
    expect_error(post_as(host, "/v1/track", PAGE_AUTHORIZATION, NULL, kanal_buffer_view(&one)), 400,
                 "too_large");
    kanal_buffer_text(&body, "{\"batch\":[");
    append_event(&body, "2", 32768 - bare);
    kanal_buffer_text(&body, "]}");
    cr_assert_eq(post_as(host, "/v1/batch", PAGE_AUTHORIZATION, NULL, kanal_buffer_view(&body))->code, 200);
    kanal_buffer_clear(&body);
    kanal_buffer_text(&body, "{\"batch\":[");
    append_event(&body, "3", 1);
    kanal_buffer_byte(&body, ',');
    append_event(&body, "4", 32769 - bare);
    kanal_buffer_text(&body, "]}");
    expect_error(post_as(host, "/v1/batch", PAGE_AUTHORIZATION, NULL, kanal_buffer_view(&body)), 400,
                 "invalid_call");
    cr_assert_eq(fake_event_count(host), 2);
    kanal_buffer_clear(&body);
    kanal_buffer_text(&body, "{\"batch\":[]}");
    while (body.len < 500 * 1024)
        kanal_buffer_byte(&body, ' ');
    cr_assert_eq(post_as(host, "/v1/batch", PAGE_AUTHORIZATION, NULL, kanal_buffer_view(&body))->code, 200);
    kanal_buffer_byte(&body, ' ');
    expect_error(post_as(host, "/v1/batch", PAGE_AUTHORIZATION, NULL, kanal_buffer_view(&body)), 400,
                 "too_large");
    kanal_buffer_release(&one);
    kanal_buffer_release(&body);
    cr_assert_eq(fake_free(host), 0);
}

/* More than the host takes in one publish. */
Test(events, a_batch_of_a_thousand)
{
    struct fake_host *host = new_host(NULL);
    struct kanal_buffer body = { 0 };
    kanal_buffer_text(&body, "{\"batch\":[");
    for (int i = 0; i < 1000; i++) {
        char id[16];
        snprintf(id, sizeof id, "m%d", i);
        if (i > 0)
            kanal_buffer_byte(&body, ',');
        append_event(&body, id, 1);
    }
    kanal_buffer_text(&body, "]}");
    cr_assert_eq(post_as(host, "/v1/b", PAGE_AUTHORIZATION, NULL, kanal_buffer_view(&body))->code, 200);
    cr_assert_eq(fake_event_count(host), 1000);
    cr_assert(kanal_str_is(event_at(host, 999)->dedupe, "m999"));
    fake_fail_publish(host, KANAL_E_NETWORK);
    cr_assert_eq(post_as(host, "/v1/b", PAGE_AUTHORIZATION, NULL, kanal_buffer_view(&body))->code, 503);
    kanal_buffer_release(&body);
    cr_assert_eq(fake_free(host), 0);
}

Test(events, rate_of_pages_not_of_servers)
{
    struct fake_host *host = new_host("{\"rate_per_minute\":60,\"rate_burst\":2}");
    const char *call = "{\"event\":\"X\",\"anonymousId\":\"a\"}";
    cr_assert_eq(post_page(host, "track", call), 200);
    cr_assert_eq(post_page(host, "track", call), 200);
    const kanal_http_response *response =
        post_as(host, "/v1/track", PAGE_AUTHORIZATION, NULL, kanal_str_c(call));
    expect_error(response, 429, "rate_limited");
    cr_assert(kanal_str_is(kanal_field_get(response->headers, response->header_count, "retry-after"), "1"));
    for (int i = 0; i < 9; i++)
        cr_assert_eq(post_server(host, "track", call), 200);
    fake_advance(host, 1000);
    cr_assert_eq(post_page(host, "track", call), 200);
    cr_assert_eq(fake_free(host), 0);
}

/* ---- Browsers ---- */

Test(events, preflight_and_origins)
{
    struct fake_host *host = new_host(NULL);
    kanal_field origin = { KANAL_LIT("origin"), KANAL_LIT(ORIGIN) };
    kanal_op op = fake_http(host, "OPTIONS", "/v1/t", &origin, 1, kanal_str_of(NULL, 0));
    const kanal_http_response *response = &fake_answer(host, op)->response;
    cr_assert_eq(response->code, 204);
    cr_assert(kanal_str_is(
        kanal_field_get(response->headers, response->header_count, "access-control-allow-headers"),
        "authorization, content-type, x-retry-count"));
    origin.value = KANAL_LIT("https://other.example");
    op = fake_http(host, "OPTIONS", "/v1/t", &origin, 1, kanal_str_of(NULL, 0));
    expect_error(&fake_answer(host, op)->response, 403, "origin_denied");
    expect_error(post_as(host, "/v1/t", PAGE_AUTHORIZATION, "null", KANAL_LIT("{}")), 403, "origin_denied");
    cr_assert_eq(fake_free(host), 0);
}

Test(events, the_settings_that_analytics_js_asks_for)
{
    struct fake_host *host = new_host(NULL);
    kanal_op op = fake_http(host, "GET", "/v1/projects/page-key/settings", NULL, 0, kanal_str_of(NULL, 0));
    const kanal_http_response *response = &fake_answer(host, op)->response;
    cr_assert_eq(response->code, 200);
    cr_assert_not_null(
        strstr(response->body.ptr,
               "\"Segment.io\":{\"apiKey\":\"page-key\",\"apiHost\":\"hub.example.com/c/fake/v1\","
               "\"protocol\":\"https\"}"));
    static const char *const wrong[] = { "/v1/projects/", "/v1/projects//settings",
                                         "/v1/projects/a/b/settings", "/v1/projects/a/setting" };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        op = fake_http(host, "GET", wrong[i], NULL, 0, kanal_str_of(NULL, 0));
        expect_error(&fake_answer(host, op)->response, 404, "unknown_path");
    }
    cr_assert_eq(fake_free(host), 0);
}

/* ---- Bad input ---- */

Test(events, malformed_bodies)
{
    static const char *const bodies[] = { "",     "{",     "[]",
                                          "null", "\"x\"", "{\"event\":\"\xFF\",\"userId\":\"1\"}" };
    static const char *const calls[][2] = {
        { "track", "{}" },
        { "track", "{\"event\":\"\",\"userId\":\"1\"}" },
        { "track", "{\"event\":\"X\"}" },
        { "track", "{\"event\":\"X\",\"userId\":\"\",\"anonymousId\":null}" },
        { "track", "{\"event\":\"X\",\"userId\":{},\"anonymousId\":1.5}" },
        { "group", "{\"userId\":\"1\"}" },
        { "alias", "{\"userId\":\"1\"}" },
        { "alias", "{\"previousId\":\"1\"}" },
        { "batch", "{}" },
        { "batch", "{\"batch\":{}}" },
        { "batch", "{\"batch\":[1]}" },
        { "batch", "{\"batch\":[{\"type\":\"dance\",\"userId\":\"1\"}]}" },
    };
    struct fake_host *host = new_host(NULL);
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++)
        expect_error(post_as(host, "/v1/track", PAGE_AUTHORIZATION, NULL, kanal_str_c(bodies[i])), 400,
                     "invalid_call");
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
        cr_assert_eq(post_page(host, calls[i][0], calls[i][1]), 400, "case %zu", i);
    cr_assert_eq(fake_event_count(host), 0);
    expect_error(post_as(host, "/v1/dance", PAGE_AUTHORIZATION, NULL, KANAL_LIT("{}")), 404, "unknown_path");
    const kanal_field gzip[] = { { KANAL_LIT("content-encoding"), KANAL_LIT("gzip") },
                                 { KANAL_LIT("authorization"), KANAL_LIT(PAGE_AUTHORIZATION) } };
    kanal_op op = fake_http(host, "POST", "/v1/track", gzip, 2, KANAL_LIT("\x1f\x8b"));
    expect_error(&fake_answer(host, op)->response, 415, "unsupported_encoding");
    struct kanal_buffer deep = { 0 };
    for (int i = 0; i < 20000; i++)
        kanal_buffer_byte(&deep, '[');
    expect_error(post_as(host, "/v1/track", PAGE_AUTHORIZATION, NULL, kanal_buffer_view(&deep)), 400,
                 "invalid_call");
    kanal_buffer_release(&deep);
    cr_assert_eq(fake_free(host), 0);
}

/* One bad call does not take the others with it, and the sender is told which it was. */
Test(events, a_bad_call_in_a_batch)
{
    struct fake_host *host = new_host(NULL);
    const kanal_http_response *response =
        post_as(host, "/v1/batch", PAGE_AUTHORIZATION, NULL,
                KANAL_LIT("{\"batch\":[{\"type\":\"track\",\"event\":\"A\",\"userId\":\"1\"},{\"type\":"
                          "\"track\",\"userId\":"
                          "\"1\"},{\"type\":\"page\",\"anonymousId\":\"1\"}]}"));
    cr_assert_eq(response->code, 200);
    cr_assert(kanal_str_is(response->body,
                           "{\"success\":true,\"accepted\":2,\"rejected\":[{\"index\":1,\"reason\":\"a track "
                           "call needs the name of its event\"}]}"),
              "%s", response->body.ptr);
    cr_assert_eq(fake_event_count(host), 2);
    cr_assert(fake_metric(host, "calls_rejected") == 1);
    cr_assert_not(
        kanal_str_equal(event_at(host, 0)->dedupe, event_at(host, 1)->dedupe)); /* without messageId */
    cr_assert_eq(fake_free(host), 0);
}

struct mutant {
    struct fake_host *host;
    const char *target;
    size_t accepted;
};

static void take_mutant(kanal_str body, void *user)
{
    struct mutant *mutant = user;
    int32_t code = post_as(mutant->host, mutant->target, SERVER_AUTHORIZATION, NULL, body)->code;
    cr_assert(code == 200 || code == 400, "%d: %.*s", code, (int)body.len, body.ptr);
    mutant->accepted += code == 200;
}

Test(events, every_value_of_another_type)
{
    static const char *const fixtures[][2] = { { "track.json", "/v1/track" },
                                               { "till.json", "/v1/track" },
                                               { "node-batch.json", "/v1/batch" } };
    for (size_t i = 0; i < sizeof fixtures / sizeof fixtures[0]; i++) {
        struct kanal_buffer body = { 0 };
        struct mutant mutant = { new_host(NULL), fixtures[i][1], 0 };
        kanal_str text = read_fixture(fixtures[i][0], &body);
        size_t count =
            fixture_mutate(text, take_mutant, &mutant) + fixture_truncate(text, take_mutant, &mutant);
        cr_assert_gt(count, 500);
        cr_assert_gt(mutant.accepted, 100); /* a wrong member loses that member, not the call */
        kanal_buffer_release(&body);
        cr_assert_eq(fake_free(mutant.host), 0);
    }
}

/* ---- Names, money, time ---- */

Test(events, names_of_commerce)
{
    static const char *const names[][2] = {
        { "Product Added", "Product Added" },    { "ORDER COMPLETED", "Order Completed" },
        { "OrderCompleted", "Order Completed" }, { "Completed Order", "Order Completed" },
        { "cart-viewed", "Cart Viewed" },        { "Button Clicked", "Button Clicked" },
        { "Product Added!", "Product Added!" },  { "Заказ", "Заказ" }
    };
    struct fake_host *host = new_host(NULL);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char body[256], wanted[64];
        snprintf(body, sizeof body, "{\"anonymousId\":\"a\",\"event\":\"%s\"}", names[i][0]);
        snprintf(wanted, sizeof wanted, "\"%s\"", names[i][1]);
        cr_assert_eq(post_page(host, "track", body), 200);
        expect_data(host, i, "/activity/name", wanted);
        if (strcmp(names[i][0], names[i][1]) == 0)
            expect_data(host, i, "/provider/name", NULL);
    }
    cr_assert_eq(fake_free(host), 0);
}

Test(events, money)
{
    struct fake_host *host = new_host(NULL);
    cr_assert_eq(post_page(host, "track",
                           "{\"anonymousId\":\"a\",\"event\":\"X\",\"properties\":{\"price\":19.99,"
                           "\"revenue\":-0.1,\"tax\":1e21,"
                           "\"total\":5.0,\"discount\":\"free\",\"value\":7,\"shipping\":1234567890123456}}"),
                 200);
    expect_data(host, 0, "/activity/properties",
                "{\"price\":\"19.99\",\"revenue\":\"-0.1\",\"tax\":1e21,\"total\":\"5\",\"discount\":"
                "\"free\",\"value\":7,"
                "\"shipping\":1234567890123456}");
    cr_assert_eq(fake_free(host), 0);
}

Test(events, times)
{
    static const struct {
        const char *members;
        int64_t wanted_ms; /* after now */
    } cases[] = {
        { "\"timestamp\":\"2026-11-21T20:53:05.000Z\"", 0 },
        { "\"timestamp\":\"2026-11-21T20:53:04.500Z\"", -500 },
        { "\"timestamp\":\"2030-01-01T00:00:00Z\"", 0 }, /* not in the future */
        { "\"timestamp\":\"2030-01-01T00:00:00Z\",\"sentAt\":\"2030-01-01T00:00:07Z\"", -7000 },
        { "\"timestamp\":\"2020-01-01T00:00:00Z\",\"sentAt\":\"2020-01-01T00:00:00Z\"", 0 },
        { "\"originalTimestamp\":\"2026-11-21T20:53:00.000Z\"", -5000 },
        { "\"timestamp\":\"1013-11-21T20:53:00Z\"", -INT64_C(1795294385000) }, /* not told */
        { "\"timestamp\":\"yesterday\"", 0 },
        { "\"timestamp\":7", 0 },
    };
    struct fake_host *host = new_host(NULL);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char body[256];
        snprintf(body, sizeof body, "{\"anonymousId\":\"a\",\"event\":\"X\",%s}", cases[i].members);
        cr_assert_eq(post_page(host, "track", body), 200);
        cr_assert_eq(event_at(host, i)->time_ms, INT64_C(1795294385000) + cases[i].wanted_ms,
                     "case %zu: %lld", i, (long long)event_at(host, i)->time_ms);
    }
    cr_assert_eq(fake_free(host), 0);
}

Test(events, the_network_address_only_if_the_operator_keeps_it)
{
    struct fake_host *host = new_host(NULL);
    const char *call = "{\"anonymousId\":\"a\",\"event\":\"X\",\"context\":{\"ip\":\"203.0.113.9\"}}";
    cr_assert_eq(post_page(host, "track", call), 200);
    expect_data(host, 0, "/client", "{\"user_agent\":\"Browser/1\"}");
    cr_assert_eq(fake_free(host), 0);
    host = new_host("{\"keep_ip\":true}");
    cr_assert_eq(post_page(host, "track", call), 200);
    cr_assert_eq(post_server(host, "track", call), 200);
    expect_data(host, 0, "/client/ip", "\"192.0.2.7\""); /* a page may write anything */
    expect_data(host, 1, "/client/ip", "\"203.0.113.9\"");
    cr_assert_eq(fake_free(host), 0);
}

Test(events, stop_waits_for_open_requests)
{
    struct fake_host *host = new_host(NULL);
    const kanal_field key = { KANAL_LIT("authorization"), KANAL_LIT(PAGE_AUTHORIZATION) };
    kanal_op op = fake_http_pending(host, "POST", "/v1/track", &key, 1,
                                    KANAL_LIT("{\"event\":\"X\",\"userId\":\"1\"}"));
    cr_assert_eq(fake_answer(host, op)->answered, 0);
    cr_assert_eq(fake_free(host), 0); /* every op was answered */
}
