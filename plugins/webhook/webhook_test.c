#include <criterion/criterion.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include "kanal/testing/fakehost.h"
#include "kanal/sdk/sdk.h"
#include "fixtures.h"

#define NOW "1795294385" /* the fake host's clock */
#define SECRET "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define OLD_SECRET "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
#define OUT_SETTINGS "{\"url\":\"https://crm.example/hooks\"}"

static const char *const both[][2] = { { "secret", SECRET },
                                       { "previous_secret", OLD_SECRET },
                                       { "out_secret", SECRET },
                                       { "previous_out_secret", OLD_SECRET },
                                       { "token", "a bearer token" } };

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

/* settings: NULL: the fixture. */
static struct fake_host *new_host(const char *settings, size_t secret_count)
{
    struct kanal_buffer text = { 0 };
    read_fixture("settings.json", &text);
    kanal_buffer_byte(&text, 0);
    struct fake_host *host = fake_new(kanal_plugin_v1(), settings ? settings : text.data, both, secret_count);
    cr_assert_not_null(host);
    kanal_buffer_release(&text);
    return host;
}

/* "v1," and base64 of the MAC, appended. */
static void sign(struct kanal_buffer *out, const char *secret, const char *id, const char *timestamp,
                 kanal_str body)
{
    struct kanal_buffer key = { 0 }, text = { 0 };
    unsigned char mac[32];
    unsigned len = 0;
    kanal_base64_decode(&key, kanal_str_c(secret + 6), 0);
    kanal_buffer_text(&text, id);
    kanal_buffer_text(&text, ".");
    kanal_buffer_text(&text, timestamp);
    kanal_buffer_text(&text, ".");
    kanal_buffer_str(&text, body);
    HMAC(EVP_sha256(), key.data, (int)key.len, (const unsigned char *)text.data, text.len, mac, &len);
    kanal_buffer_text(out, "v1,");
    kanal_base64_encode(out, kanal_str_of((const char *)mac, len), 0);
    kanal_buffer_release(&key);
    kanal_buffer_release(&text);
}

static const kanal_http_response *post_with(struct fake_host *host, const char *id, const char *timestamp,
                                            kanal_str signatures, kanal_str body)
{
    const kanal_field headers[] = { { KANAL_LIT("webhook-id"), kanal_str_c(id) },
                                    { KANAL_LIT("webhook-timestamp"), kanal_str_c(timestamp) },
                                    { KANAL_LIT("webhook-signature"), signatures } };
    kanal_op op = fake_http(host, "POST", "/", headers, 3, body);
    cr_assert(fake_answer(host, op)->answered);
    return &fake_answer(host, op)->response;
}

static const kanal_http_response *post(struct fake_host *host, const char *secret, const char *id,
                                       const char *timestamp, kanal_str body)
{
    struct kanal_buffer signature = { 0 };
    sign(&signature, secret, id, timestamp, body);
    const kanal_http_response *response = post_with(host, id, timestamp, kanal_buffer_view(&signature), body);
    kanal_buffer_release(&signature);
    return response;
}

static const kanal_http_response *post_good(struct fake_host *host, const char *body)
{
    return post(host, SECRET, "msg_1", NOW, kanal_str_c(body));
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
    char *text = value ? yyjson_val_write(value, 0, NULL) : NULL;
    cr_assert(wanted != NULL || text == NULL, "%s is there", pointer);
    if (wanted != NULL)
        cr_assert(text != NULL && strcmp(text, wanted) == 0, "%s is %s", pointer, text ? text : "not there");
    free(text);
}

/* ---- In ---- */

Test(webhook, an_order_becomes_activity)
{
    struct fake_host *host = new_host(NULL, 1);
    struct kanal_buffer body = { 0 };
    const kanal_http_response *response =
        post(host, SECRET, "msg_order", NOW, read_fixture("order.json", &body));
    cr_assert_eq(response->code, 200, "%s", response->body.ptr);
    cr_assert(kanal_str_is(response->body, "{\"events\":1}"));
    const kanal_event *event = event_at(host, 0);
    cr_assert(kanal_str_is(event->type, "activity.tracked"));
    cr_assert(kanal_str_is(event->dedupe, "msg_order"));
    cr_assert(kanal_str_is(event->address, "erp:customer/C%207%2F1"));
    cr_assert_eq(event->time_ms, INT64_C(1795294380000));
    cr_assert(event->raw.len > 0);
    expect_data(host, 0, "/customer/identifiers",
                "[{\"address\":\"tel:+79161234567\",\"verified\":false,\"source\":\"erp\"},"
                "{\"address\":\"mailto:Anna@example.com\",\"verified\":false,\"source\":\"erp\"}]");
    expect_data(
        host, 0, "/activity",
        "{\"name\":\"Order "
        "Completed\",\"properties\":{\"order_id\":\"9007199254740993\",\"revenue\":\"1990.5\","
        "\"currency\":\"RUB\",\"products\":[{\"product_id\":\"sku9\",\"name\":\"Кофе\",\"price\":\"990.25\","
        "\"quantity\":2,\"order\":\"512\"},{\"product_id\":\"sku1\",\"name\":\"—\",\"price\":\"10\","
        "\"quantity\":1,"
        "\"order\":\"512\"}]}}");
    kanal_buffer_release(&body);
    cr_assert_eq(fake_free(host), 0);
}

Test(webhook, several_rules_and_events_of_one_payload)
{
    struct fake_host *host = new_host(NULL, 1);
    struct kanal_buffer body = { 0 };
    cr_assert_eq(post(host, SECRET, "msg_m", NOW, read_fixture("message.json", &body))->code, 200);
    cr_assert_eq(fake_event_count(host), 2);
    cr_assert(kanal_str_is(event_at(host, 0)->dedupe, "m-1"));
    cr_assert(kanal_str_is(event_at(host, 0)->external_id, "m-1"));
    cr_assert(kanal_str_is(event_at(host, 0)->chat, "t-9"));
    cr_assert_eq(event_at(host, 0)->time_ms, INT64_C(1795294384000));
    expect_data(host, 0, "/message/content", "[{\"type\":\"text\",\"text\":\"Где мой заказ?\"}]");
    cr_assert(kanal_str_is(event_at(host, 1)->dedupe, "msg_m.1"));
    expect_data(
        host, 1, "/message/content",
        "[{\"type\":\"file\",\"url\":\"https://crm.example/f/1\",\"provider\":{\"kind\":\"image/png\"}}]");
    cr_assert_eq(
        post_good(host, "{\"type\":\"message.read\",\"data\":{\"message\":\"m-5\",\"reference\":\"crm-7\"}}")
            ->code,
        200);
    cr_assert(kanal_str_is(event_at(host, 2)->type, "message.delivered"));
    cr_assert(kanal_str_is(event_at(host, 2)->command_id, "crm-7"));
    cr_assert(kanal_str_is(event_at(host, 2)->external_id, "m-5"));
    kanal_buffer_release(&body);
    cr_assert_eq(fake_free(host), 0);
}

Test(webhook, what_no_rule_knows)
{
    struct fake_host *host = new_host(NULL, 1);
    const kanal_http_response *response = post_good(host, "{\"type\":\"stock.changed\"}");
    cr_assert_eq(response->code, 200);
    cr_assert(kanal_str_is(response->body, "{\"events\":0}"));
    cr_assert(fake_logged(host, "no rule of `events` holds"));
    cr_assert_eq(
        post_good(host, "{\"type\":\"message.read\",\"test\":true,\"data\":{\"message\":\"1\"}}")->code, 200);
    cr_assert_eq(fake_event_count(host), 0);
    cr_assert_eq(fake_free(host), 0);
    host = new_host("{\"unmatched\":\"refuse\",\"events\":[{\"when\":{\"/"
                    "a\":1},\"type\":\"typing.started\",\"address\":\"a:b\",\"data\":{}}]}",
                    1);
    expect_error(post_good(host, "{\"a\":2}"), 422, "unmatched");
    expect_error(post_good(host, "{\"a\":\"1\"}"), 422, "unmatched");
    cr_assert_eq(post_good(host, "{\"a\":1.0}")->code, 200);
    cr_assert_eq(fake_free(host), 0);
}

/* All or nothing: one event that cannot be made refuses the payload, with the place. */
Test(webhook, what_cannot_be_mapped)
{
    struct fake_host *host = new_host(NULL, 1);
    struct kanal_buffer body = { 0 };
    const kanal_http_response *response = post_good(
        host, "{\"type\":\"message.created\",\"data\":{\"id\":\"1\",\"text\":\"x\",\"author\":{}}}");
    expect_error(response, 422, "unmappable");
    cr_assert_not_null(strstr(response->body.ptr, "events[1].address"));
    kanal_buffer_text(&body, "{\"type\":\"message.created\",\"data\":{\"author\":{\"id\":\"");
    for (int i = 0; i < 300; i++)
        kanal_buffer_byte(&body, 'x');
    kanal_buffer_text(&body, "\"}}}");
    expect_error(post(host, SECRET, "m", NOW, kanal_buffer_view(&body)), 422, "unmappable");
    kanal_buffer_clear(&body);
    kanal_buffer_text(&body,
                      "{\"type\":\"message.created\",\"data\":{\"author\":{\"id\":\"1\"},\"files\":[{}");
    for (int i = 0; i < 200; i++)
        kanal_buffer_text(&body, ",{}");
    kanal_buffer_text(&body, "]}}");
    expect_error(post(host, SECRET, "m", NOW, kanal_buffer_view(&body)), 422, "unmappable");
    cr_assert_eq(fake_event_count(host), 0);
    kanal_buffer_release(&body);
    cr_assert_eq(fake_free(host), 0);
}

/* ---- Signatures ---- */

/* The vector of the standard's own libraries (github.com/standard-webhooks, the tests of each language). */
Test(webhook, the_standards_own_vector)
{
    struct kanal_buffer signature = { 0 };
    sign(&signature, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330",
         KANAL_LIT("{\"test\": 2432232314}"));
    cr_assert(kanal_str_is(kanal_buffer_view(&signature), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="));
    kanal_buffer_release(&signature);
}

Test(webhook, signatures)
{
    struct fake_host *host = new_host(NULL, 2);
    const kanal_str body = KANAL_LIT("{\"type\":\"stock.changed\"}");
    struct kanal_buffer good = { 0 }, list = { 0 };
    cr_assert_eq(post(host, SECRET, "m", NOW, body)->code, 200);
    cr_assert_eq(post(host, OLD_SECRET, "m", NOW, body)->code, 200);
    expect_error(post(host, "whsec_AAAA", "m", NOW, body), 401, "wrong_signature");
    sign(&good, SECRET, "m", NOW, body);
    kanal_buffer_text(&list, "v1a,xxxx v1,bad v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= ");
    kanal_buffer_str(&list, kanal_buffer_view(&good));
    cr_assert_eq(post_with(host, "m", NOW, kanal_buffer_view(&list), body)->code, 200); /* among others */
    expect_error(post_with(host, "m2", NOW, kanal_buffer_view(&good), body), 401, "wrong_signature");
    expect_error(post_with(host, "m", "1795294386", kanal_buffer_view(&good), body), 401, "wrong_signature");
    expect_error(post_with(host, "m", NOW, kanal_buffer_view(&good), KANAL_LIT("{}")), 401,
                 "wrong_signature");
    for (size_t i = 3; i < good.len; i++) {
        char before = good.data[i];
        good.data[i] = before == 'A' ? 'B' : 'A';
        expect_error(post_with(host, "m", NOW, kanal_buffer_view(&good), body), 401, "wrong_signature");
        good.data[i] = before;
    }
    static const char *const wrong[] = {
        "", "v1", "v1,", "v2,AAAA", "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", ", ,v1"
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        expect_error(post_with(host, "m", NOW, kanal_str_c(wrong[i]), body), 401, "wrong_signature");
    expect_error(post(host, SECRET, "", NOW, body), 401, "wrong_signature");
    expect_error(post(host, SECRET, "a b", NOW, body), 401, "wrong_signature");
    expect_error(post(host, SECRET, "m", "soon", body), 401, "wrong_signature");
    kanal_op op = fake_http(host, "POST", "/", NULL, 0, body);
    expect_error(&fake_answer(host, op)->response, 401, "wrong_signature");
    kanal_buffer_release(&good);
    kanal_buffer_release(&list);
    cr_assert_eq(fake_free(host), 0);
    host = new_host(NULL, 0);
    expect_error(post(host, SECRET, "m", NOW, body), 503, "unavailable"); /* no secret: nothing is taken */
    cr_assert_eq(fake_free(host), 0);
    const char *const pem[][2] = { { "secret", "-----BEGIN" } };
    host = fake_new(kanal_plugin_v1(), OUT_SETTINGS, pem, 1);
    expect_error(post(host, SECRET, "m", NOW, body), 503, "unavailable");
    cr_assert(fake_logged(host, "no base64"));
    cr_assert_eq(fake_free(host), 0);
}

Test(webhook, five_minutes)
{
    struct fake_host *host = new_host(NULL, 1);
    const kanal_str body = KANAL_LIT("{\"type\":\"stock.changed\"}");
    static const struct {
        const char *timestamp;
        int32_t code;
    } cases[] = { { "1795294085", 200 },
                  { "1795294084", 401 },
                  { "1795294685", 200 },
                  { "1795294686", 401 },
                  { "0", 401 },
                  { "-1", 401 },
                  { "9223372036854775807", 401 },
                  { "-9223372036854775808", 401 } };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        cr_assert_eq(post(host, SECRET, "m", cases[i].timestamp, body)->code, cases[i].code, "%s",
                     cases[i].timestamp);
    cr_assert_eq(fake_free(host), 0);
}

/* The same request again is the same event: the host dedupes by the key. */
Test(webhook, a_replay_has_the_same_key)
{
    struct fake_host *host = new_host(NULL, 1);
    struct kanal_buffer body = { 0 };
    read_fixture("order.json", &body);
    for (int i = 0; i < 2; i++)
        cr_assert_eq(post(host, SECRET, "msg_once", NOW, kanal_buffer_view(&body))->code, 200);
    cr_assert(kanal_str_equal(event_at(host, 0)->dedupe, event_at(host, 1)->dedupe));
    fake_fail_publish(host, KANAL_E_NETWORK);
    cr_assert_eq(post(host, SECRET, "msg_once", NOW, kanal_buffer_view(&body))->code, 503);
    kanal_buffer_release(&body);
    cr_assert_eq(fake_free(host), 0);
}

/* ---- Bad input ---- */

Test(webhook, malformed_bodies)
{
    struct fake_host *host = new_host(NULL, 1);
    static const char *const bodies[] = { "", "{", "{\"a\":\"\xFF\"}", "nul" };
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++)
        expect_error(post_good(host, bodies[i]), 400, "malformed_body");
    cr_assert_eq(post_good(host, "[]")->code, 200);
    cr_assert_eq(post_good(host, "7")->code, 200);
    cr_assert_eq(fake_free(host), 0);
}

static void take_mutant(kanal_str body, void *user)
{
    int32_t code = post(user, SECRET, "m", NOW, body)->code;
    cr_assert(code == 200 || code == 400 || code == 422, "%d: %.*s", code, (int)body.len, body.ptr);
}

Test(webhook, every_value_of_another_type)
{
    static const char *const fixtures[] = { "order.json", "message.json" };
    for (size_t i = 0; i < 2; i++) {
        struct fake_host *host = new_host(NULL, 1);
        struct kanal_buffer body = { 0 };
        kanal_str text = read_fixture(fixtures[i], &body);
        cr_assert_gt(fixture_mutate(text, take_mutant, host), 60);
        cr_assert_gt(fixture_truncate(text, take_mutant, host), 150);
        cr_assert_gt(fake_event_count(host), 50);
        kanal_buffer_release(&body);
        cr_assert_eq(fake_free(host), 0);
    }
}

/* ---- Out ---- */

static kanal_op send_text(struct fake_host *host)
{
    const kanal_delivery delivery = { .part = 1,
                                      .part_count = 1,
                                      .type = KANAL_LIT("message.send"),
                                      .command_id = KANAL_LIT("crm-1"),
                                      .idempotency_key = KANAL_LIT("k-1"),
                                      .address = KANAL_LIT("erp:customer/7"),
                                      .chat = KANAL_LIT("t-9"),
                                      .data =
                                          KANAL_LIT("{\"content\":[{\"type\":\"text\",\"text\":\"Да\"}]}") };
    return fake_deliver(host, &delivery);
}

static const kanal_result *result_of(struct fake_host *host, kanal_op op)
{
    cr_assert(fake_answer(host, op)->answered, "the delivery is not answered");
    return &fake_answer(host, op)->result;
}

static kanal_str header_of(const kanal_http_request *request, const char *name)
{
    return kanal_field_get(request->headers, request->header_count, name);
}

Test(webhook, a_delivery_is_posted_and_signed_with_both_secrets)
{
    struct fake_host *host = new_host(OUT_SETTINGS, 5);
    struct kanal_buffer signatures = { 0 };
    kanal_op op = send_text(host);
    cr_assert_eq(fake_request_count(host), 1);
    const kanal_http_request *request = &fake_request_at(host, 0)->request;
    cr_assert(kanal_str_is(request->url, "https://crm.example/hooks"));
    cr_assert(
        kanal_str_is(request->body,
                     "{\"type\":\"message.send\",\"timestamp\":\"2026-11-21T20:53:05.000Z\",\"id\":\"k-1\","
                     "\"command_id\":\"crm-1\",\"part\":1,\"parts\":1,\"address\":\"erp:customer/7\","
                     "\"chat\":\"t-9\",\"data\":{\"content\":[{\"type\":\"text\",\"text\":\"Да\"}]}}"),
        "%s", request->body.ptr);
    cr_assert(kanal_str_is(header_of(request, "webhook-id"), "k-1"));
    cr_assert(kanal_str_is(header_of(request, "webhook-timestamp"), NOW));
    sign(&signatures, SECRET, "k-1", NOW, request->body);
    kanal_buffer_byte(&signatures, ' ');
    sign(&signatures, OLD_SECRET, "k-1", NOW, request->body);
    cr_assert(kanal_str_equal(header_of(request, "webhook-signature"), kanal_buffer_view(&signatures)));
    cr_assert_eq(request->secret_count, 0);
    fake_request_answer(host, 0, 204, "");
    cr_assert_eq(result_of(host, op)->outcome, KANAL_SENT);
    cr_assert(kanal_str_is(result_of(host, op)->external_id, "k-1"));
    kanal_buffer_release(&signatures);
    cr_assert_eq(fake_free(host), 0);
}

Test(webhook, a_mapped_body_headers_and_the_other_systems_id)
{
    struct fake_host *host =
        new_host("{\"url\":\"https://crm.example/"
                 "hooks\",\"bearer\":true,\"headers\":{\"x-tenant\":\"shop\"},\"external_id\":"
                 "\"/result/id\",\"body\":{\"event\":{\"$\":\"/"
                 "type\",\"map\":{\"message.send\":\"reply\"}},\"thread\":{\"$\":"
                 "\"/chat\"},\"texts\":{\"$each\":\"/data/content\",\"do\":{\"$\":\"@/"
                 "text\"}},\"none\":{\"$\":\"/none\"}}}",
                 5);
    kanal_op op = send_text(host);
    const kanal_http_request *request = &fake_request_at(host, 0)->request;
    cr_assert(kanal_str_is(request->body, "{\"event\":\"reply\",\"thread\":\"t-9\",\"texts\":[\"Да\"]}"),
              "%s", request->body.ptr);
    cr_assert(kanal_str_is(header_of(request, "x-tenant"), "shop"));
    cr_assert_eq(request->secret_count, 1);
    cr_assert(kanal_str_is(request->secrets[0].secret, "token"));
    cr_assert(kanal_str_is(request->secrets[0].prefix, "Bearer "));
    fake_request_answer(host, 0, 200, "{\"result\":{\"id\":18446744073709551615}}");
    cr_assert(kanal_str_is(result_of(host, op)->external_id, "18446744073709551615"));
    static const char *const answers[] = { "", "{", "{\"result\":[]}", "{\"result\":{\"id\":{}}}", "\xFF" };
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        op = send_text(host);
        fake_request_answer(host, 0, 200, answers[i]);
        cr_assert_eq(result_of(host, op)->outcome, KANAL_SENT);
        cr_assert(kanal_str_is(result_of(host, op)->external_id, "k-1"));
    }
    cr_assert_eq(fake_free(host), 0);
}

Test(webhook, what_the_other_system_answers)
{
    static const struct {
        int code;
        int32_t outcome, scope;
        const char *name;
    } cases[] = {
        { 400, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "invalid_content" },
        { 401, KANAL_FAILED, KANAL_SCOPE_CHANNEL, "auth_failed" },
        { 403, KANAL_FAILED, KANAL_SCOPE_CHANNEL, "auth_failed" },
        { 404, KANAL_FAILED, KANAL_SCOPE_CHANNEL, "provider_rejected" },
        { 408, KANAL_RETRY, KANAL_SCOPE_MESSAGE, "timeout" },
        { 410, KANAL_FAILED, KANAL_SCOPE_CHANNEL, "provider_rejected" },
        { 413, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "payload_too_large" },
        { 422, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "invalid_content" },
        { 425, KANAL_RETRY, KANAL_SCOPE_MESSAGE, "provider_error" },
        { 429, KANAL_RETRY, KANAL_SCOPE_CHANNEL, "rate_limited" },
        { 301, KANAL_FAILED, KANAL_SCOPE_CHANNEL, "provider_rejected" },
        { 500, KANAL_RETRY, KANAL_SCOPE_MESSAGE, "provider_error" },
        { 503, KANAL_RETRY, KANAL_SCOPE_CHANNEL, "provider_error" },
        { 101, KANAL_RETRY, KANAL_SCOPE_MESSAGE, "provider_error" },
    };
    struct fake_host *host = new_host(OUT_SETTINGS, 3);
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
        cr_assert(kanal_str_is(result->reason, "why"));
        int is_ill = cases[i].outcome == KANAL_FAILED && cases[i].scope == KANAL_SCOPE_CHANNEL;
        if (is_ill)
            cr_assert_neq(fake_health(host), KANAL_OK);
    }
    fake_request_answer(host, (send_text(host), 0), 200, "");
    cr_assert_eq(fake_health(host), KANAL_OK); /* it works again */
    kanal_op op = send_text(host);
    fake_request_fail(host, 0, KANAL_E_MAYBE);
    cr_assert_eq(result_of(host, op)->outcome, KANAL_UNKNOWN);
    op = send_text(host);
    fake_request_fail(host, 0, KANAL_E_NETWORK);
    cr_assert_eq(result_of(host, op)->outcome, KANAL_RETRY);
    cr_assert_eq(fake_free(host), 0);
}

Test(webhook, nothing_goes_out_unsigned)
{
    struct fake_host *host = new_host(OUT_SETTINGS, 2);
    kanal_op op = send_text(host);
    cr_assert(kanal_str_is(result_of(host, op)->code, "auth_failed"));
    cr_assert_eq(fake_request_count(host), 0);
    cr_assert_neq(fake_health(host), KANAL_OK);
    cr_assert_eq(fake_free(host), 0);
    host = new_host(NULL, 3);
    op = send_text(host);
    cr_assert(kanal_str_is(result_of(host, op)->code, "unsupported_verb"));
    cr_assert_eq(fake_free(host), 0);
}

Test(webhook, stop_with_things_under_way)
{
    struct fake_host *host = new_host(OUT_SETTINGS, 5);
    send_text(host);
    cr_assert_eq(fake_free(host), 0); /* every op was answered */
}
