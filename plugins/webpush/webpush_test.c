#include <criterion/criterion.h>
#include <stdio.h>
#include "encrypt.h"
#include "kanal/testing/fakehost.h"
#include "fixtures.h"

#define ORIGIN "https://shop.example.com"
/* A pair made for these tests: openssl ecparam -name prime256v1 -genkey -noout */
#define PUBLIC_KEY "BGW84YVzzWqP-yIflI4C2g0-wMQsfTL13O7Puv8kzwSNRdTufNxdYmhlBS4DtA0cf942nGM5conFo4GAx_yR8GU"
#define PRIVATE_KEY                                                                                          \
    "-----BEGIN EC PRIVATE KEY-----\n"                                                                       \
    "MHcCAQEEIBRnR0R1fXW1sTzaWUxDeDlIkENn/7VYcpgWm0M+4bRxoAoGCCqGSM49\n"                                     \
    "AwEHoUQDQgAEZbzhhXPNao/7Ih+UjgLaDT7AxCx9MvXc7s+6/yTPBI1F1O583F1i\n"                                     \
    "aGUFLgO0DRx/3jacYzlyicWjgYDH/JHwZQ==\n"                                                                 \
    "-----END EC PRIVATE KEY-----\n"
#define SETTINGS(more)                                                                                       \
    "{\"public_key\":\"" PUBLIC_KEY "\",\"subject\":\"mailto:push@shop.example.com\",\"origins\":[\"" ORIGIN \
    "\"]" more "}"
#define VISITOR "aaaaaaaaaaaaaaaaaaaaaaaaaa"
#define SESSION "v1." VISITOR ".iCApu94R85Pp6pNeX-Cc3BvJ1omLDuAggX3xrUzdO3Q" /* made with Python's hmac */
#define KEYS                                                                                                 \
    "\"keys\":{\"p256dh\":\"BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-"                              \
    "AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4\",\"auth\":\"BTBZMqHH6r4Tts7J_aSIgg\"}"
#define ENDPOINT "https://fcm.googleapis.com/fcm/send/dGVzdA"
#define SUBSCRIPTION "{\"session\":\"" SESSION "\",\"subscription\":{\"endpoint\":\"" ENDPOINT "\"," KEYS "}}"

static const char *const secrets[][2] = { { "vapid", PRIVATE_KEY },
                                          { "session", "0123456789abcdef0123456789abcdef" } };

static kanal_str read_fixture(const char *name, struct kanal_buffer *out)
{
    char path[512], bytes[4096];
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
    struct fake_host *host =
        fake_new(kanal_plugin_v1(), settings ? settings : SETTINGS(",\"rate_per_minute\":0"), secrets, 2);
    cr_assert_not_null(host);
    cr_assert_eq(fake_start_answer(host)->status, KANAL_OK, "%s", fake_start_answer(host)->reason.ptr);
    return host;
}

static const kanal_http_response *post(struct fake_host *host, const char *target, const char *origin,
                                       kanal_str body)
{
    const kanal_field header = { KANAL_LIT("origin"), kanal_str_c(origin) };
    kanal_op op = fake_http(host, "POST", target, &header, origin != NULL, body);
    cr_assert(fake_answer(host, op)->answered);
    return &fake_answer(host, op)->response;
}

static void expect_error(const kanal_http_response *response, int32_t code, const char *name)
{
    yyjson_doc *doc = kanal_json_parse(response->body);
    yyjson_val *error = kanal_json_at(yyjson_doc_get_root(doc), "error");
    cr_assert_eq(response->code, code, "%d: %s", response->code, response->body.ptr);
    cr_assert(kanal_str_is(kanal_json_text_at(error, "code"), name), "%s", response->body.ptr);
    yyjson_doc_free(doc);
}

static void expect_data(struct fake_host *host, size_t index, const char *wanted)
{
    cr_assert_lt(index, fake_event_count(host));
    char *text = yyjson_write(fake_event_at(host, index)->document, 0, NULL);
    cr_assert_str_eq(text, wanted);
    free(text);
}

static struct fake_host *subscribed(void)
{
    struct fake_host *host = new_host(NULL);
    cr_assert_eq(post(host, "/subscription", ORIGIN, KANAL_LIT(SUBSCRIPTION))->code, 200);
    fake_events_clear(host);
    return host;
}

/* ---- Subscriptions ---- */

Test(webpush, a_page_subscribes)
{
    struct fake_host *host = new_host(NULL);
    const kanal_http_response *response = post(host, "/subscription", ORIGIN, KANAL_LIT(SUBSCRIPTION));
    cr_assert_eq(response->code, 200, "%s", response->body.ptr);
    cr_assert(kanal_str_is(response->body,
                           "{\"ok\":true,\"visitor\":\"" VISITOR "\",\"session\":\"" SESSION "\"}"));
    cr_assert_eq(fake_event_count(host), 1);
    cr_assert(kanal_str_is(fake_event_at(host, 0)->event.type, "consent.given"));
    cr_assert(kanal_str_is(fake_event_at(host, 0)->event.address, "visitor:" VISITOR));
    expect_data(host, 0,
                "{\"consent\":[{\"given\":true,\"channel\":\"fake\"}],\"reason\":\"subscribed\",\"provider\":"
                "{\"push_service\":"
                "\"fcm.googleapis.com\"}}");
    cr_assert_str_eq(fake_state(host, "visitor/" VISITOR), "{\"endpoint\":\"" ENDPOINT "\"," KEYS "}");
    cr_assert_eq(post(host, "/subscription", ORIGIN, KANAL_LIT(SUBSCRIPTION))->code,
                 200); /* each visit says it again */
    cr_assert_eq(fake_event_count(host), 1);
    cr_assert_eq(fake_free(host), 0);
}

Test(webpush, a_new_visitor_and_a_new_browser)
{
    struct fake_host *host = new_host(NULL);
    struct kanal_buffer body = { 0 };
    static const char *const fixtures[] = { "chrome.json", "firefox.json" };
    for (size_t i = 0; i < 2; i++) {
        const kanal_http_response *response =
            post(host, "/subscription", NULL, read_fixture(fixtures[i], &body));
        cr_assert_eq(response->code, 200);
        yyjson_doc *doc = kanal_json_parse(response->body);
        struct kanal_visitor visitor;
        cr_assert_eq(kanal_visitor_parse(kanal_json_text_at(yyjson_doc_get_root(doc), "session"), &visitor),
                     KANAL_OK);
        cr_assert(kanal_str_is(kanal_json_text_at(yyjson_doc_get_root(doc), "visitor"), visitor.id));
        yyjson_doc_free(doc);
    }
    cr_assert_not(
        kanal_str_equal(fake_event_at(host, 0)->event.address, fake_event_at(host, 1)->event.address));
    cr_assert_eq(post(host, "/subscription", ORIGIN, KANAL_LIT(SUBSCRIPTION))->code, 200);
    cr_assert_eq(post(host, "/subscription", ORIGIN,
                      KANAL_LIT("{\"session\":\"" SESSION "\",\"subscription\":{\"endpoint\":\"" ENDPOINT
                                "2\"," KEYS "}}"))
                     ->code,
                 200); /* the browser renewed it */
    cr_assert_eq(fake_event_count(host), 4);
    cr_assert_not(
        kanal_str_equal(fake_event_at(host, 2)->event.dedupe, fake_event_at(host, 3)->event.dedupe));
    cr_assert_not_null(strstr(fake_state(host, "visitor/" VISITOR), ENDPOINT "2"));
    kanal_buffer_release(&body);
    cr_assert_eq(fake_free(host), 0);
}

/* Whoever forges a session gets one of their own, and never another's messages. */
Test(webpush, a_forged_session_is_a_new_visitor)
{
    struct fake_host *host = new_host(NULL);
    const kanal_http_response *response =
        post(host, "/subscription", ORIGIN,
             KANAL_LIT("{\"session\":\"v1." VISITOR
                       ".AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\",\"subscription\":{\"endpoint\":"
                       "\"" ENDPOINT "\"," KEYS "}}"));
    cr_assert_eq(response->code, 200);
    cr_assert_null(strstr(response->body.ptr, VISITOR));
    cr_assert_null(fake_state(host, "visitor/" VISITOR));
    expect_error(post(host, "/unsubscribe", ORIGIN, KANAL_LIT("{\"session\":\"x\"}")), 403, "wrong_session");
    cr_assert_eq(fake_free(host), 0);
}

Test(webpush, a_page_unsubscribes)
{
    struct fake_host *host = subscribed();
    cr_assert_eq(post(host, "/unsubscribe", ORIGIN, KANAL_LIT("{\"session\":\"" SESSION "\"}"))->code, 200);
    cr_assert(kanal_str_is(fake_event_at(host, 0)->event.type, "consent.withdrawn"));
    expect_data(host, 0,
                "{\"consent\":[{\"given\":false,\"channel\":\"fake\"}],\"reason\":\"unsubscribed\","
                "\"provider\":{\"push_service\":"
                "\"fcm.googleapis.com\"}}");
    cr_assert_str_eq(fake_state(host, "visitor/" VISITOR), "{}");
    cr_assert_eq(post(host, "/unsubscribe", ORIGIN, KANAL_LIT("{\"session\":\"" SESSION "\"}"))->code, 200);
    cr_assert_eq(fake_event_count(host), 1);
    cr_assert_eq(fake_free(host), 0);
}

/* Each is told: the same endpoint again is another consent. */
Test(webpush, on_and_off_and_on)
{
    struct fake_host *host = new_host(NULL);
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(post(host, "/subscription", ORIGIN, KANAL_LIT(SUBSCRIPTION))->code, 200);
        cr_assert_eq(post(host, "/unsubscribe", ORIGIN, KANAL_LIT("{\"session\":\"" SESSION "\"}"))->code,
                     200);
    }
    cr_assert_eq(fake_event_count(host), 6);
    for (size_t i = 0; i < 6; i++)
        for (size_t k = 0; k < i; k++)
            cr_assert_not(
                kanal_str_equal(fake_event_at(host, i)->event.dedupe, fake_event_at(host, k)->event.dedupe));
    cr_assert_eq(fake_free(host), 0);
}

Test(webpush, what_is_no_subscription)
{
    static const char *const endpoints[] = { "http://fcm.googleapis.com/x",
                                             "https://evil.example/x",
                                             "https://fcm.googleapis.com.evil.example/",
                                             "https://fcm.googleapis.com:8443/x",
                                             "https://u:p@fcm.googleapis.com/x",
                                             "https://127.0.0.1/x",
                                             "https://push.services.mozilla.com/x",
                                             "https://evilpush.services.mozilla.com/x",
                                             "",
                                             "x",
                                             "https://fcm.googleapis.com/x#y",
                                             "https://fcm.googleapis.com/\xD0\x96" };
    static const char *const keys[] = { "{}", "{\"p256dh\":\"BCVx\",\"auth\":\"BTBZMqHH6r4Tts7J_aSIgg\"}",
                                        "{\"p256dh\":\"BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-"
                                        "AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw5\","
                                        "\"auth\":\"BTBZMqHH6r4Tts7J_aSIgg\"}",
                                        "{\"p256dh\":\"BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-"
                                        "AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4\","
                                        "\"auth\":\"BTBZ\"}" };
    struct fake_host *host = new_host(NULL);
    char body[1024];
    for (size_t i = 0; i < sizeof endpoints / sizeof endpoints[0]; i++) {
        snprintf(body, sizeof body, "{\"subscription\":{\"endpoint\":\"%s\"," KEYS "}}", endpoints[i]);
        expect_error(post(host, "/subscription", ORIGIN, kanal_str_c(body)), 422, "wrong_subscription");
    }
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        snprintf(body, sizeof body, "{\"subscription\":{\"endpoint\":\"" ENDPOINT "\",\"keys\":%s}}",
                 keys[i]);
        expect_error(post(host, "/subscription", ORIGIN, kanal_str_c(body)), 422, "wrong_subscription");
    }
    static const char *const malformed[] = { "", "{", "[]", "7" };
    for (size_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++)
        expect_error(post(host, "/subscription", ORIGIN, kanal_str_c(malformed[i])), 400, "malformed_body");
    cr_assert_eq(fake_event_count(host), 0);
    cr_assert_eq(fake_free(host), 0);
}

static void take_mutant(kanal_str body, void *user)
{
    int32_t code = post(user, "/subscription", ORIGIN, body)->code;
    cr_assert(code == 200 || code == 400 || code == 422, "%d: %.*s", code, (int)body.len, body.ptr);
}

Test(webpush, every_value_of_another_type)
{
    struct fake_host *host = new_host(NULL);
    cr_assert_gt(fixture_mutate(KANAL_LIT(SUBSCRIPTION), take_mutant, host), 40);
    cr_assert_gt(fixture_truncate(KANAL_LIT(SUBSCRIPTION), take_mutant, host), 100);
    cr_assert_eq(fake_free(host), 0);
}

Test(webpush, a_host_that_fails)
{
    struct fake_host *host = new_host(NULL);
    fake_fail_publish(host, KANAL_E_NETWORK);
    expect_error(post(host, "/subscription", ORIGIN, KANAL_LIT(SUBSCRIPTION)), 503, "unavailable");
    cr_assert_null(fake_state(host, "visitor/" VISITOR)); /* told first, kept then */
    fake_fail_publish(host, KANAL_OK);
    fake_fail_state(host, KANAL_E_NETWORK);
    expect_error(post(host, "/subscription", ORIGIN, KANAL_LIT(SUBSCRIPTION)), 503, "unavailable");
    fake_fail_state(host, KANAL_OK);
    cr_assert_eq(post(host, "/subscription", ORIGIN, KANAL_LIT(SUBSCRIPTION))->code, 200);
    cr_assert_eq(fake_free(host), 0);
}

Test(webpush, browsers)
{
    struct fake_host *host = new_host(SETTINGS(",\"rate_per_minute\":60,\"rate_burst\":2"));
    const kanal_field origin = { KANAL_LIT("origin"), KANAL_LIT(ORIGIN) };
    kanal_op op = fake_http(host, "GET", "/key", &origin, 1, kanal_str_of(NULL, 0));
    cr_assert(kanal_str_is(fake_answer(host, op)->response.body, "{\"public_key\":\"" PUBLIC_KEY "\"}"));
    op = fake_http(host, "OPTIONS", "/subscription", &origin, 1, kanal_str_of(NULL, 0));
    cr_assert_eq(fake_answer(host, op)->response.code, 204);
    expect_error(post(host, "/subscription", "https://other.example", KANAL_LIT(SUBSCRIPTION)), 403,
                 "origin_denied");
    cr_assert_eq(post(host, "/subscription", ORIGIN, KANAL_LIT(SUBSCRIPTION))->code, 200);
    cr_assert_eq(post(host, "/subscription", ORIGIN, KANAL_LIT(SUBSCRIPTION))->code, 200);
    expect_error(post(host, "/subscription", ORIGIN, KANAL_LIT(SUBSCRIPTION)), 429, "rate_limited");
    cr_assert_eq(fake_free(host), 0);
}

/* ---- At start ---- */

Test(webpush, keys_that_do_not_belong_together)
{
    static const char *const wrong[][2] = {
        { "vapid", "x" }, { "vapid", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n" }
    };
    struct fake_host *host = fake_new(kanal_plugin_v1(),
                                      "{\"public_key\":\"BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-"
                                      "AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4\","
                                      "\"subject\":\"mailto:a@b.ru\"}",
                                      secrets, 2);
    cr_assert_eq(fake_start_answer(host)->status, KANAL_E_DENIED);
    cr_assert_not_null(strstr(fake_start_answer(host)->reason.ptr, "not the public half"));
    cr_assert_eq(fake_free(host), 0);
    for (size_t i = 0; i < 3; i++) {
        host = fake_new(kanal_plugin_v1(), SETTINGS(""), i < 2 ? &wrong[i] : NULL, i < 2);
        cr_assert_eq(fake_start_answer(host)->status, KANAL_E_DENIED, "%zu", i);
        cr_assert_gt(fake_start_answer(host)->reason.len, 0);
        cr_assert_eq(fake_free(host), 0);
    }
    cr_assert_null(fake_new(kanal_plugin_v1(),
                            "{\"public_key\":\"BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-"
                            "AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw5\","
                            "\"subject\":\"mailto:a@b.ru\"}",
                            secrets, 2));
}

/* ---- Messages ---- */

static kanal_op send(struct fake_host *host, const char *address, const char *data)
{
    const kanal_delivery delivery = { .type = KANAL_LIT("message.send"),
                                      .idempotency_key = KANAL_LIT("k-1"),
                                      .address = kanal_str_c(address),
                                      .data = kanal_str_c(data) };
    return fake_deliver(host, &delivery);
}

static kanal_op send_text(struct fake_host *host)
{
    return send(host, "visitor:" VISITOR, "{\"content\":[{\"type\":\"text\",\"text\":\"x\"}]}");
}

static const kanal_result *result_of(struct fake_host *host, kanal_op op)
{
    cr_assert(fake_answer(host, op)->answered, "the delivery is not answered");
    return &fake_answer(host, op)->result;
}

static void expect_failed(struct fake_host *host, kanal_op op, int32_t scope, const char *code)
{
    const kanal_result *result = result_of(host, op);
    cr_assert_eq(result->outcome, KANAL_FAILED);
    cr_assert_eq(result->scope, scope);
    cr_assert(kanal_str_is(result->code, code), "%s: %s", result->code.ptr, result->reason.ptr);
    cr_assert_gt(result->reason.len, 0);
}

static kanal_str header_of(const kanal_http_request *request, const char *name)
{
    return kanal_field_get(request->headers, request->header_count, name);
}

/* header.claims.signature of "vapid t=…, k=…": the claims, and that the signature is right. */
static void expect_vapid(kanal_str header, const char *claims)
{
    struct kanal_buffer key = { 0 }, part = { 0 };
    cr_assert(kanal_str_starts(header, "vapid t="));
    const char *comma = memchr(header.ptr, ',', header.len);
    cr_assert(comma != NULL && strcmp(comma, ", k=" PUBLIC_KEY) == 0, "%s", header.ptr);
    kanal_str token = kanal_str_of(header.ptr + 8, (size_t)(comma - header.ptr) - 8);
    const char *first = memchr(token.ptr, '.', token.len), *last = memrchr(token.ptr, '.', token.len);
    kanal_base64_decode(&part, kanal_str_of(first + 1, (size_t)(last - first) - 1),
                        KANAL_BASE64_URL | KANAL_BASE64_UNPADDED);
    cr_assert(kanal_str_is(kanal_buffer_view(&part), claims), "%.*s", (int)part.len, part.data);
    kanal_buffer_clear(&part);
    kanal_base64_decode(&part, kanal_str_from(token, (size_t)(last - token.ptr) + 1),
                        KANAL_BASE64_URL | KANAL_BASE64_UNPADDED);
    kanal_base64_decode(&key, KANAL_LIT(PUBLIC_KEY), KANAL_BASE64_URL | KANAL_BASE64_UNPADDED);
    cr_assert(encrypt_verify_es256(kanal_buffer_view(&key),
                                   kanal_str_of(token.ptr, (size_t)(last - token.ptr)),
                                   kanal_buffer_view(&part)));
    kanal_buffer_release(&key);
    kanal_buffer_release(&part);
}

Test(webpush, a_message_goes_out)
{
    struct fake_host *host = subscribed();
    kanal_op op = send(host, "visitor:" VISITOR,
                       "{\"content\":[{\"type\":\"text\",\"text\":\"x\"}],\"provider\":{\"ttl\":60,"
                       "\"urgency\":\"high\",\"topic\":\"cart\"}}");
    cr_assert_eq(fake_request_count(host), 1);
    const kanal_http_request *request = &fake_request_at(host, 0)->request;
    cr_assert(kanal_str_is(request->url, ENDPOINT));
    cr_assert(kanal_str_is(request->method, "POST"));
    cr_assert(kanal_str_is(header_of(request, "content-encoding"), "aes128gcm"));
    cr_assert(kanal_str_is(header_of(request, "ttl"), "60"));
    cr_assert(kanal_str_is(header_of(request, "urgency"), "high"));
    cr_assert(kanal_str_is(header_of(request, "topic"), "cart"));
    cr_assert_eq(request->body.len,
                 86 + sizeof "{\"id\":\"k-1\",\"body\":\"x\",\"tag\":\"k-1\"}" - 1 + 1 + 16);
    cr_assert_eq((unsigned char)request->body.ptr[20], 65);
    expect_vapid(header_of(request, "authorization"),
                 "{\"aud\":\"https://"
                 "fcm.googleapis.com\",\"exp\":1795337585,\"sub\":\"mailto:push@shop.example.com\"}");
    fake_request_answer(host, 0, 201, "");
    cr_assert_eq(result_of(host, op)->outcome, KANAL_SENT);
    cr_assert(kanal_str_is(result_of(host, op)->external_id, "k-1"));
    cr_assert_eq(fake_free(host), 0);
}

/* One signature serves for hours, then another is made. */
Test(webpush, tokens_are_used_again)
{
    struct fake_host *host = subscribed();
    char tokens[3][512];
    for (int i = 0; i < 3; i++) {
        send_text(host);
        snprintf(tokens[i], sizeof tokens[i], "%s",
                 header_of(&fake_request_at(host, 0)->request, "authorization").ptr);
        fake_request_answer(host, 0, 201, "");
        if (i == 1)
            fake_advance(host, 6 * 3600 * 1000);
    }
    cr_assert_str_eq(tokens[0], tokens[1]);
    cr_assert_str_neq(tokens[1], tokens[2]);
    cr_assert_eq(fake_free(host), 0);
}

Test(webpush, a_subscription_that_is_gone)
{
    static const struct {
        int code;
        const char *name;
    } cases[] = { { 404, "recipient_unknown" }, { 410, "opted_out" } };
    for (size_t i = 0; i < 2; i++) {
        struct fake_host *host = subscribed();
        kanal_op op = send_text(host);
        fake_request_answer(host, 0, cases[i].code, "gone");
        expect_failed(host, op, KANAL_SCOPE_RECIPIENT, cases[i].name);
        cr_assert_eq(fake_event_count(host), 1);
        cr_assert(kanal_str_is(fake_event_at(host, 0)->event.type, "consent.withdrawn"));
        expect_data(host, 0,
                    "{\"consent\":[{\"given\":false,\"channel\":\"fake\"}],\"reason\":\"provider\","
                    "\"provider\":{\"push_service\":"
                    "\"fcm.googleapis.com\"}}");
        cr_assert_str_eq(fake_state(host, "visitor/" VISITOR), "{}");
        expect_failed(host, send_text(host), KANAL_SCOPE_RECIPIENT, "recipient_unknown");
        cr_assert_eq(fake_request_count(host), 0);
        cr_assert_eq(fake_free(host), 0);
    }
}

/* Not told is not forgotten: the next message finds it again. */
Test(webpush, an_end_that_could_not_be_told)
{
    struct fake_host *host = subscribed();
    send_text(host);
    fake_fail_publish(host, KANAL_E_NETWORK);
    fake_request_answer(host, 0, 410, "gone");
    cr_assert_not_null(fake_state(host, "visitor/" VISITOR));
    fake_fail_publish(host, KANAL_OK);
    send_text(host);
    fake_request_answer(host, 0, 410, "gone");
    cr_assert_eq(fake_event_count(host), 1);
    cr_assert_str_eq(fake_state(host, "visitor/" VISITOR), "{}");
    cr_assert_eq(fake_free(host), 0);
}

Test(webpush, what_the_push_service_answers)
{
    static const struct {
        int code;
        int32_t outcome, scope;
        const char *name;
    } cases[] = {
        { 400, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "provider_rejected" },
        { 401, KANAL_FAILED, KANAL_SCOPE_RECIPIENT, "auth_failed" },
        { 403, KANAL_FAILED, KANAL_SCOPE_RECIPIENT, "auth_failed" },
        { 413, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "payload_too_large" },
        { 429, KANAL_RETRY, KANAL_SCOPE_RECIPIENT, "rate_limited" },
        { 500, KANAL_RETRY, KANAL_SCOPE_RECIPIENT, "provider_error" },
        { 503, KANAL_RETRY, KANAL_SCOPE_RECIPIENT, "provider_error" },
        { 302, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "provider_rejected" },
    };
    struct fake_host *host = subscribed();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const kanal_field after = { KANAL_LIT("retry-after"), KANAL_LIT("7") };
        const kanal_http_response response = { .struct_size = sizeof response,
                                               .code = cases[i].code,
                                               .body = KANAL_LIT("why"),
                                               .headers = &after,
                                               .header_count = 1 };
        kanal_op op = send_text(host);
        fake_request_answer_with(host, 0, &response);
        const kanal_result *result = result_of(host, op);
        cr_assert_eq(result->outcome, cases[i].outcome, "%d", cases[i].code);
        cr_assert_eq(result->scope, cases[i].scope, "%d", cases[i].code);
        cr_assert(kanal_str_is(result->code, cases[i].name), "%d: %s", cases[i].code, result->code.ptr);
        cr_assert_eq(result->retry_after_ms, cases[i].outcome == KANAL_RETRY ? 7000 : 0);
    }
    static const struct {
        kanal_status status;
        int32_t outcome;
    } failures[] = { { KANAL_E_NETWORK, KANAL_RETRY },
                     { KANAL_E_TIMEOUT, KANAL_RETRY },
                     { KANAL_E_MAYBE, KANAL_UNKNOWN },
                     { KANAL_E_DENIED, KANAL_FAILED },
                     { KANAL_E_BUSY, KANAL_RETRY } };
    for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++) {
        kanal_op op = send_text(host);
        fake_request_fail(host, 0, failures[i].status);
        cr_assert_eq(result_of(host, op)->outcome, failures[i].outcome);
        cr_assert_neq(result_of(host, op)->scope, KANAL_SCOPE_CHANNEL); /* a visitor chose the endpoint */
    }
    cr_assert_eq(fake_health(host), KANAL_OK);
    cr_assert_eq(fake_free(host), 0);
}

Test(webpush, what_cannot_be_sent)
{
    struct fake_host *host = subscribed();
    const char *text = "{\"content\":[{\"type\":\"text\",\"text\":\"x\"}]}";
    expect_failed(host, send(host, "visitor:bbbbbbbbbbbbbbbbbbbbbbbbbb", text), KANAL_SCOPE_RECIPIENT,
                  "recipient_unknown");
    expect_failed(host, send(host, "visitor:x", text), KANAL_SCOPE_RECIPIENT, "recipient_unknown");
    expect_failed(host, send(host, "tel:+79161234567", text), KANAL_SCOPE_RECIPIENT, "recipient_unknown");
    static const char *const wrong[] = {
        "{}",
        "{\"content\":[]}",
        "{\"content\":[{\"type\":\"video\"}]}",
        "{\"content\":[{\"type\":\"text\",\"text\":\"x\"}],\"provider\":{\"ttl\":-1}}",
        "{\"content\":[{\"type\":\"text\",\"text\":\"x\"}],\"provider\":{\"urgency\":\"now\"}}",
        "{\"content\":[{\"type\":\"text\",\"text\":\"x\"}],\"provider\":{\"topic\":\"a b\"}}"
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        expect_failed(host, send(host, "visitor:" VISITOR, wrong[i]), KANAL_SCOPE_MESSAGE,
                      "unsupported_content");
    struct kanal_buffer large = { 0 };
    kanal_buffer_text(&large, "{\"content\":[{\"type\":\"text\",\"text\":\"");
    for (int i = 0; i < 4000; i++)
        kanal_buffer_byte(&large, 'x');
    kanal_buffer_text(&large, "\"}]}");
    kanal_buffer_byte(&large, 0);
    expect_failed(host, send(host, "visitor:" VISITOR, large.data), KANAL_SCOPE_MESSAGE, "payload_too_large");
    cr_assert_eq(fake_request_count(host), 0);
    fake_fail_state(host, KANAL_E_NETWORK);
    cr_assert_eq(result_of(host, send_text(host))->outcome, KANAL_RETRY);
    kanal_buffer_release(&large);
    cr_assert_eq(fake_free(host), 0);
}

Test(webpush, stop_with_things_under_way)
{
    struct fake_host *host = subscribed();
    send_text(host);
    cr_assert_eq(fake_free(host), 0); /* every op was answered */
}
