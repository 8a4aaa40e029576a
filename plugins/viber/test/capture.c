#include "test/capture.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>

static const char *const channel_secrets[][2] = { { "token", TOKEN } };

struct fake_host *channel_new_unanswered(const char *settings)
{
    struct fake_host *host = fake_new(kanal_plugin_v1(), settings, channel_secrets, 1);
    cr_assert_not_null(host);
    return host;
}

struct fake_host *channel_new(const char *settings)
{
    struct fake_host *host = channel_new_unanswered(settings);
    cr_assert_not(fake_start_answer(host)->answered, "without the account's id nothing can be told");
    call_answer(host, "get_account_info", 200, OK_ACCOUNT);
    cr_assert(fake_start_answer(host)->answered && fake_start_answer(host)->status == KANAL_OK,
              "start() has not finished");
    return host;
}

void channel_free(struct fake_host *host)
{
    cr_assert_eq(fake_free(host), 0, "the fake host found faults");
}

/* ---- Calls ---- */

static void record(const struct call *call)
{
    const char *path = getenv("KANAL_VIBER_CALLS");
    FILE *file = path && *path ? fopen(path, "a") : NULL;
    if (!file)
        return;
    struct kanal_buffer text = { 0 };
    struct kanal_json json;
    kanal_json_init(&json, &text);
    kanal_json_object(&json);
    kanal_json_member_text(&json, "test", criterion_current_test->name);
    kanal_json_member_text(&json, "method", call->method);
    kanal_json_key(&json, "parameters");
    kanal_json_value(&json, call->parameters);
    kanal_json_object_end(&json);
    kanal_buffer_byte(&text, '\n');
    cr_assert_eq(fwrite(text.data, 1, text.len, file), text.len);
    fclose(file);
    kanal_buffer_release(&text);
}

struct call call_only(struct fake_host *host)
{
    struct call call = { 0 };
    cr_assert_eq(fake_request_count(host), 1, "%zu requests are under way, not 1", fake_request_count(host));
    const kanal_http_request *request = &fake_request_at(host, 0)->request;
    const kanal_secret_use *token = &request->secrets[0];
    cr_assert(kanal_str_is(request->method, "POST"));
    cr_assert(kanal_str_starts(request->url, API "/"), "%.*s", (int)request->url.len, request->url.ptr);
    snprintf(call.method, sizeof call.method, "%s", request->url.ptr + strlen(API "/"));
    cr_assert(kanal_str_is(kanal_field_get(request->headers, request->header_count, "content-type"),
                           "application/json"));
    cr_assert_eq(request->secret_count, 1);
    cr_expect(token->where == KANAL_IN_HEADER && kanal_str_is(token->name, "x-viber-auth-token") &&
              kanal_str_is(token->secret, "token"));
    cr_expect(!memmem(request->body.ptr, request->body.len, "dazcczb2542", 11),
              "a secret is named, never held");
    call.document = kanal_json_parse(request->body);
    call.parameters = yyjson_doc_get_root(call.document);
    cr_assert(yyjson_is_obj(call.parameters), "the parameters are no JSON object");
    record(&call);
    return call;
}

void call_free(struct call *call)
{
    yyjson_doc_free(call->document);
    memset(call, 0, sizeof *call);
}

void call_answer(struct fake_host *host, const char *method, int code, const char *body)
{
    struct call call = call_only(host);
    cr_assert_str_eq(call.method, method, "%s is called, not %s", call.method, method);
    call_free(&call);
    fake_request_answer(host, 0, code, body);
}

const char *call_text(const struct call *call, const char *path)
{
    return value_at(call->parameters, path);
}

/* ---- Callbacks ---- */

void sign(char out[65], kanal_str body)
{
    unsigned char mac[32];
    unsigned len = 0;
    HMAC(EVP_sha256(), TOKEN, (int)strlen(TOKEN), (const unsigned char *)(body.ptr ? body.ptr : ""), body.len,
         mac, &len);
    for (size_t i = 0; i < sizeof mac; i++)
        snprintf(out + 2 * i, 3, "%02x", mac[i]);
}

const struct fake_answer *post(struct fake_host *host, kanal_str body)
{
    char signature[65];
    sign(signature, body);
    const kanal_field headers[] = { { KANAL_LIT("content-type"), KANAL_LIT("application/json") },
                                    { KANAL_LIT("x-viber-content-signature"), kanal_str_c(signature) } };
    const struct fake_answer *answer = fake_answer(host, fake_http(host, "POST", "/", headers, 2, body));
    cr_assert(answer->answered, "the request is not answered");
    return answer;
}

/* ---- Deliveries ---- */

kanal_op deliver(struct fake_host *host, const char *type, const char *data)
{
    kanal_delivery delivery = {
        .type = kanal_str_c(type),
        .command_id = KANAL_LIT("crm-1"),
        .idempotency_key = KANAL_LIT("k-1"),
        .address = KANAL_LIT(ADDRESS),
        .chat = KANAL_LIT(USER),
        .data = kanal_str_c(data),
    };
    return fake_deliver(host, &delivery);
}

kanal_op send_content(struct fake_host *host, const char *data)
{
    return deliver(host, "message.send", data);
}

const kanal_result *result_of(struct fake_host *host, kanal_op op)
{
    const struct fake_answer *answer = fake_answer(host, op);
    cr_assert(answer->answered, "the delivery is not answered");
    return &answer->result;
}

void expect_sent(struct fake_host *host, kanal_op op)
{
    const kanal_result *result = result_of(host, op);
    cr_expect_eq(result->outcome, KANAL_SENT, "outcome %d, %.*s", result->outcome, (int)result->reason.len,
                 result->reason.ptr);
    cr_expect(kanal_str_is(result->external_id, "5741311803571721087"), "external_id is %.*s",
              (int)result->external_id.len, result->external_id.ptr);
}

void expect_failed(struct fake_host *host, kanal_op op, int32_t scope, const char *code)
{
    const kanal_result *result = result_of(host, op);
    cr_expect_eq(result->outcome, KANAL_FAILED);
    cr_expect_eq(result->scope, scope, "scope %d for %s", result->scope, code);
    cr_expect(kanal_str_is(result->code, code), "code is %.*s, not %s", (int)result->code.len,
              result->code.ptr, code);
    cr_expect_gt(result->reason.len, 0);
}
