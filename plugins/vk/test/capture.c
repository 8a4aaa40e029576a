#include "test/capture.h"

#include <stdio.h>

#include "kanal/sdk/url.h"

static const char *const channel_secrets[][2] = { { "token", "vk1.a.TopSecretToken" },
                                                  { "secret", "aaQ13axAPQEcczQa" } };

struct fake_host *channel_new(const char *more)
{
    char settings[512];
    snprintf(settings, sizeof settings, "{\"group_id\":205112233,\"confirmation\":\"c0f1rm\"%s}",
             more ? more : "");
    struct fake_host *host = fake_new(kanal_plugin_v1(), settings, channel_secrets, 2);
    cr_assert_not_null(host);
    cr_assert(fake_start_answer(host)->answered && fake_start_answer(host)->status == KANAL_OK,
              "start() has not finished");
    call_answer(host, "groups.getById", 200,
                "{\"response\":{\"groups\":[{\"id\":205112233,\"name\":\"Лавка\",\"screen_name\":\"lavka\"}],"
                "\"profiles\":[]}}");
    return host;
}

void channel_free(struct fake_host *host)
{
    cr_assert_eq(fake_free(host), 0, "the fake host found faults");
}

/* ---- Calls ---- */

static void copy(char *out, size_t size, kanal_str text)
{
    cr_assert(text.len < size);
    if (text.len > 0)
        memcpy(out, text.ptr, text.len);
    out[text.len] = 0;
}

static void record(const struct call *call)
{
    const char *path = getenv("KANAL_VK_CALLS");
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
    kanal_json_value(&json, call->fields);
    kanal_json_object_end(&json);
    kanal_buffer_byte(&text, '\n');
    cr_assert_eq(fwrite(text.data, 1, text.len, file), text.len);
    fclose(file);
    kanal_buffer_release(&text);
}

static void read_upload(struct call *call, const kanal_http_request *request)
{
    cr_assert_eq(request->part_count, 1);
    cr_assert_eq(request->secret_count, 0, "the token is not for upload servers");
    const kanal_part *part = &request->parts[0];
    copy(call->method, sizeof call->method, request->url);
    copy(call->upload, sizeof call->upload, part->source_url);
    copy(call->upload_field, sizeof call->upload_field, part->name);
    copy(call->upload_name, sizeof call->upload_name, part->filename);
    copy(call->upload_type, sizeof call->upload_type, part->content_type);
    cr_expect(part->filename.len > 0, "VK needs a file name");
}

static void read_form(struct call *call, const kanal_http_request *request)
{
    struct kanal_buffer text = { 0 }, scratch = { 0 };
    struct kanal_json json;
    kanal_str rest = request->body, name, value;
    int found;
    kanal_json_init(&json, &text);
    kanal_json_object(&json);
    while ((found = kanal_form_next(&rest, &scratch, &name, &value)) == 1) {
        kanal_json_key_str(&json, name);
        kanal_json_str(&json, value);
    }
    cr_assert_eq(found, 0, "the form is broken");
    kanal_json_object_end(&json);
    call->document = kanal_json_parse(kanal_buffer_view(&text));
    call->fields = yyjson_doc_get_root(call->document);
    cr_assert_not_null(call->fields);
    kanal_buffer_release(&text);
    kanal_buffer_release(&scratch);
}

static void read_method(struct call *call, const kanal_http_request *request)
{
    const kanal_secret_use *token = &request->secrets[0];
    cr_assert(kanal_str_starts(request->url, API "/method/"), "%.*s", (int)request->url.len,
              request->url.ptr);
    copy(call->method, sizeof call->method, kanal_str_from(request->url, strlen(API "/method/")));
    cr_assert(kanal_str_is(kanal_field_get(request->headers, request->header_count, "content-type"),
                           "application/x-www-form-urlencoded"));
    cr_assert_eq(request->secret_count, 1);
    cr_expect(token->where == KANAL_IN_FORM && kanal_str_is(token->name, "access_token") &&
              kanal_str_is(token->secret, "token"));
    cr_expect(!memmem(request->body.ptr, request->body.len, "TopSecret", 9), "a secret is named, never held");
    read_form(call, request);
    EXPECT_TEXT(call_text(call, "v"), "5.199");
    EXPECT_TEXT(call_text(call, "access_token"), "");
    record(call);
}

struct call call_at(struct fake_host *host, size_t index)
{
    struct call call = { 0 };
    cr_assert_gt(fake_request_count(host), index, "there is no request %zu", index);
    const kanal_http_request *request = &fake_request_at(host, index)->request;
    cr_assert(kanal_str_is(request->method, "POST"));
    if (request->part_count > 0)
        read_upload(&call, request);
    else
        read_method(&call, request);
    return call;
}

struct call call_only(struct fake_host *host)
{
    cr_assert_eq(fake_request_count(host), 1, "%zu requests are under way, not 1", fake_request_count(host));
    return call_at(host, 0);
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

const char *call_text(const struct call *call, const char *name)
{
    return value_at(call->fields, name);
}

void answer_all(struct fake_host *host)
{
    while (fake_request_count(host) > 0)
        fake_request_answer(host, 0, 200, OK_ONE);
}

/* ---- Events ---- */

const struct fake_answer *post(struct fake_host *host, kanal_str body)
{
    const kanal_field type = { KANAL_LIT("content-type"), KANAL_LIT("application/json") };
    const struct fake_answer *answer = fake_answer(host, fake_http(host, "POST", "/", &type, 1, body));
    cr_assert(answer->answered, "the request is not answered");
    return answer;
}

/* ---- Deliveries ---- */

kanal_op deliver(struct fake_host *host, const char *type, const char *target, const char *data)
{
    kanal_delivery delivery = {
        .type = kanal_str_c(type),
        .command_id = KANAL_LIT("crm-1"),
        .idempotency_key = KANAL_LIT("k-1"),
        .address = KANAL_LIT("vk:" PEER),
        .chat = KANAL_LIT(PEER),
        .target_external_id = kanal_str_c(target),
        .data = kanal_str_c(data),
    };
    return fake_deliver(host, &delivery);
}

kanal_op send_content(struct fake_host *host, const char *data)
{
    return deliver(host, "message.send", NULL, data);
}

const kanal_result *result_of(struct fake_host *host, kanal_op op)
{
    const struct fake_answer *answer = fake_answer(host, op);
    cr_assert(answer->answered, "the delivery is not answered");
    return &answer->result;
}

void expect_sent(struct fake_host *host, kanal_op op, const char *external_id)
{
    const kanal_result *result = result_of(host, op);
    cr_expect_eq(result->outcome, KANAL_SENT, "outcome %d, %.*s", result->outcome, (int)result->reason.len,
                 result->reason.ptr);
    cr_expect(kanal_str_is(result->external_id, external_id), "external_id is %.*s",
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
