#include "test/capture.h"

#include <stdio.h>

static const char *const channel_secrets[][2] = { { "token", "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw" },
                                                  { "webhook", "s3cret_token" } };

struct fake_host *channel_new_unanswered(const char *settings)
{
    struct fake_host *host = fake_new(kanal_plugin_v1(), settings, channel_secrets, 2);
    cr_assert_not_null(host);
    cr_assert(fake_start_answer(host)->answered && fake_start_answer(host)->status == KANAL_OK,
              "start() has not finished");
    return host;
}

struct fake_host *channel_new(const char *settings)
{
    struct fake_host *host = channel_new_unanswered(settings);
    struct call me = call_at(host, 0);
    cr_assert_str_eq(me.method, "getMe");
    call_free(&me);
    fake_request_answer(host, 0, 200,
                        "{\"ok\":true,\"result\":{\"id\":110201543,\"is_bot\":true,\"first_name\":\"Shop\","
                        "\"username\":\"kanal_shop_bot\"}}");
    return host;
}

void channel_free(struct fake_host *host)
{
    cr_assert_eq(fake_free(host), 0, "the fake host found faults");
}

/* ---- Calls ---- */

const char *call_text(const struct call *call, const char *name)
{
    return value_at(call->parameters, name);
}

static void copy(char *out, size_t size, kanal_str text)
{
    cr_assert(text.len < size);
    if (text.len > 0)
        memcpy(out, text.ptr, text.len);
    out[text.len] = 0;
}

/* A form as a JSON object of strings; the file aside. */
static void read_form(struct call *call, const kanal_http_request *request)
{
    struct kanal_buffer text = { 0 };
    struct kanal_json json;
    kanal_json_init(&json, &text);
    kanal_json_object(&json);
    for (size_t i = 0; i < request->part_count; i++) {
        const kanal_part *part = &request->parts[i];
        if (part->source_url.len > 0) {
            copy(call->upload, sizeof call->upload, part->source_url);
            copy(call->upload_field, sizeof call->upload_field, part->name);
            copy(call->upload_name, sizeof call->upload_name, part->filename);
            copy(call->upload_type, sizeof call->upload_type, part->content_type);
            cr_expect(part->filename.len > 0, "Telegram needs a file name");
            cr_expect_eq(part->data.len, 0);
        } else {
            cr_expect_eq(part->filename.len, 0);
            kanal_json_key_str(&json, part->name);
            kanal_json_str(&json, part->data.ptr ? part->data : KANAL_LIT(""));
        }
    }
    kanal_json_object_end(&json);
    call->document = kanal_json_parse(kanal_buffer_view(&text));
    kanal_buffer_release(&text);
}

static void check_secrets(const kanal_http_request *request, const char *method)
{
    const kanal_secret_use *token = &request->secrets[0];
    int is_set_webhook = strcmp(method, "setWebhook") == 0;
    cr_assert_eq(request->secret_count, is_set_webhook ? 2u : 1u);
    cr_expect_eq(token->where, KANAL_IN_PATH);
    cr_expect(kanal_str_is(token->prefix, "bot") && kanal_str_is(token->secret, "token"));
    cr_expect_eq(request->url.ptr[token->position], '/');
    cr_expect(kanal_str_is(kanal_str_from(request->url, token->position + 1), method),
              "the token stands before the method");
    if (is_set_webhook) {
        cr_expect_eq(request->secrets[1].where, KANAL_IN_JSON);
        cr_expect(kanal_str_is(request->secrets[1].name, "secret_token") &&
                  kanal_str_is(request->secrets[1].secret, "webhook"));
    }
    /* A secret is named, never held. */
    cr_expect(!request->body.ptr || !memmem(request->body.ptr, request->body.len, "AAHdqTcv", 8));
    cr_expect(!memmem(request->url.ptr, request->url.len, "AAHdqTcv", 8));
}

static void record(const struct call *call)
{
    const char *path = getenv("KANAL_TELEGRAM_CALLS");
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
    if (call->upload[0])
        kanal_json_member_text(&json, "upload", call->upload_field);
    kanal_json_object_end(&json);
    kanal_buffer_byte(&text, '\n');
    cr_assert_eq(fwrite(text.data, 1, text.len, file), text.len);
    fclose(file);
    kanal_buffer_release(&text);
}

struct call call_at(struct fake_host *host, size_t index)
{
    struct call call = { .index = index };
    cr_assert_gt(fake_request_count(host), index, "there is no request %zu", index);
    const kanal_http_request *request = &fake_request_at(host, index)->request;
    cr_assert(kanal_str_is(request->method, "POST"));
    cr_assert(kanal_str_starts(request->url, API "/") ||
              kanal_str_starts(request->url, "http://127.0.0.1:8081/"));
    size_t slash = request->url.len;
    while (request->url.ptr[slash - 1] != '/')
        slash--;
    copy(call.method, sizeof call.method, kanal_str_from(request->url, slash));
    check_secrets(request, call.method);
    if (request->part_count > 0) {
        read_form(&call, request);
    } else {
        cr_assert(kanal_str_is(kanal_field_get(request->headers, request->header_count, "content-type"),
                               "application/json"));
        call.document = kanal_json_parse(request->body);
    }
    call.parameters = yyjson_doc_get_root(call.document);
    cr_assert(yyjson_is_obj(call.parameters), "the parameters are no JSON object");
    record(&call);
    return call;
}

struct call call_only(struct fake_host *host)
{
    cr_assert_eq(fake_request_count(host), 1, "%zu requests are under way, not 1", fake_request_count(host));
    return call_at(host, 0);
}

void call_answer(struct fake_host *host, const char *method, int code, const char *body)
{
    struct call call = call_only(host);
    cr_assert_str_eq(call.method, method);
    call_free(&call);
    fake_request_answer(host, 0, code, body);
}

void call_free(struct call *call)
{
    yyjson_doc_free(call->document);
    memset(call, 0, sizeof *call);
}

/* ---- Files ---- */

char *read_fixture(const char *name, size_t *ret_len)
{
    return fixture_read(FIXTURES, name, ret_len);
}

/* ---- Updates ---- */

int post_update(struct fake_host *host, const char *json, size_t len)
{
    const kanal_field headers[] = {
        { KANAL_LIT("content-type"), KANAL_LIT("application/json") },
        { KANAL_LIT("x-telegram-bot-api-secret-token"), KANAL_LIT("s3cret_token") },
    };
    kanal_op op = fake_http(host, "POST", "/", headers, 2, kanal_str_of(json, len));
    const struct fake_answer *answer = fake_answer(host, op);
    cr_assert(answer->answered, "the request is not answered");
    return answer->response.code;
}
