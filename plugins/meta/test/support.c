#include "support.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>

static const char *const secrets[][2] = { { "token", TOKEN },
                                          { "app_secret", APP_SECRET },
                                          { "verify_token", VERIFY_TOKEN } };

struct fake_host *channel_new_unanswered(const char *settings)
{
    struct fake_host *host =
        fake_new(kanal_plugin_v1(), settings ? settings : meta_test.settings, secrets, 3);
    cr_assert_not_null(host);
    cr_assert(fake_start_answer(host)->answered && fake_start_answer(host)->status == KANAL_OK,
              "start() has not finished");
    return host;
}

struct fake_host *channel_new(const char *settings)
{
    struct fake_host *host = channel_new_unanswered(settings);
    struct call self = call_only(host);
    EXPECT_TEXT(self.method, "GET");
    EXPECT_TEXT(self.path, meta_test.self);
    call_free(&self);
    fake_request_answer(host, 0, 200, "{\"id\":\"106540352242922\"}");
    return host;
}

void channel_free(struct fake_host *host)
{
    cr_assert_eq(fake_free(host), 0, "the fake host found faults");
}

/* ---- Webhooks ---- */

void sign_body(char out[80], kanal_str body)
{
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned int len = 0;
    struct kanal_buffer hex = { 0 };
    HMAC(EVP_sha256(), APP_SECRET, (int)strlen(APP_SECRET), (const unsigned char *)(body.ptr ? body.ptr : ""),
         body.len, mac, &len);
    for (unsigned int i = 0; i < len; i++) {
        char two[3];
        snprintf(two, sizeof two, "%02x", mac[i]);
        kanal_buffer_text(&hex, two);
    }
    snprintf(out, 80, "sha256=%.*s", (int)hex.len, hex.data);
    kanal_buffer_release(&hex);
}

int post_signed(struct fake_host *host, kanal_str body, const char *signature)
{
    const kanal_field headers[] = { { KANAL_LIT("content-type"), KANAL_LIT("application/json") },
                                    { KANAL_LIT("x-hub-signature-256"), kanal_str_c(signature) } };
    kanal_op op = fake_http(host, "POST", "/", headers, signature ? 2 : 1, body);
    const struct fake_answer *answer = fake_answer(host, op);
    cr_assert(answer->answered, "the request is not answered");
    return answer->response.code;
}

int post_hook(struct fake_host *host, const char *json, size_t len)
{
    char signature[80];
    sign_body(signature, kanal_str_of(json, len));
    return post_signed(host, kanal_str_of(json, len), signature);
}

struct fake_host *tell(const char *fixture)
{
    size_t len;
    char *payload = read_fixture(fixture, &len);
    struct fake_host *host = channel_new(NULL);
    cr_assert_eq(post_hook(host, payload, len), 200);
    free(payload);
    return host;
}

/* ---- Values ---- */

void expect_event(struct fake_host *host, size_t index, const char *type, const char *address,
                  const char *chat, const char *external_id)
{
    cr_assert_lt(index, fake_event_count(host), "there is no event %zu", index);
    const kanal_event *event = &fake_event_at(host, index)->event;
    EXPECT_TEXT(event->type.ptr, type);
    EXPECT_TEXT(event->address.ptr, address);
    cr_expect(kanal_str_is(event->chat, chat), "chat is %.*s, not %s", (int)event->chat.len, event->chat.ptr,
              chat);
    cr_expect(kanal_str_is(event->external_id, external_id), "external_id is %.*s, not %s",
              (int)event->external_id.len, event->external_id.ptr, external_id);
}

/* ---- Requests ---- */

static void copy(char *out, size_t size, kanal_str text)
{
    cr_assert_lt(text.len, size);
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
            copy(call->upload_name, sizeof call->upload_name, part->filename);
            copy(call->upload_type, sizeof call->upload_type, part->content_type);
            cr_expect(part->filename.len > 0, "Meta needs a file name");
            cr_expect_eq(part->data.len, 0);
        } else {
            kanal_json_key_str(&json, part->name);
            kanal_json_str(&json, part->data.ptr ? part->data : KANAL_LIT(""));
        }
    }
    kanal_json_object_end(&json);
    call->document = kanal_json_parse(kanal_buffer_view(&text));
    kanal_buffer_release(&text);
}

/* A secret is named, never held. */
static void check_secrets(const kanal_http_request *request)
{
    const kanal_secret_use *token = &request->secrets[0];
    cr_assert_geq(request->secret_count, 1);
    cr_expect_eq(token->where, KANAL_IN_HEADER);
    cr_expect(kanal_str_is(token->name, "authorization") && kanal_str_is(token->prefix, "Bearer ") &&
              kanal_str_is(token->secret, "token"));
    cr_expect(!request->body.ptr || !memmem(request->body.ptr, request->body.len, TOKEN, strlen(TOKEN)));
    cr_expect(!memmem(request->url.ptr, request->url.len, TOKEN, strlen(TOKEN)));
}

static void record(const struct call *call)
{
    const char *path = getenv("KANAL_META_CALLS");
    FILE *file = path && *path ? fopen(path, "a") : NULL;
    if (!file)
        return;
    struct kanal_buffer text = { 0 };
    struct kanal_json json;
    kanal_json_init(&json, &text);
    kanal_json_object(&json);
    kanal_json_member_text(&json, "test", criterion_current_test->name);
    kanal_json_member_text(&json, "method", call->method);
    kanal_json_member_text(&json, "path", call->path);
    kanal_json_key(&json, "body");
    kanal_json_value(&json, call->body);
    if (call->upload[0])
        kanal_json_member_text(&json, "upload", call->upload);
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
    cr_assert(kanal_str_starts(request->url, meta_test.api), "the request is to %.*s", (int)request->url.len,
              request->url.ptr);
    copy(call.method, sizeof call.method, request->method);
    copy(call.path, sizeof call.path, kanal_str_from(request->url, strlen(meta_test.api)));
    check_secrets(request);
    if (request->part_count > 0) {
        read_form(&call, request);
    } else if (request->body.len > 0) {
        cr_assert(kanal_str_is(kanal_field_get(request->headers, request->header_count, "content-type"),
                               "application/json"));
        call.document = kanal_json_parse(request->body);
        cr_assert_not_null(call.document, "the body is no JSON: %.*s", (int)request->body.len,
                           request->body.ptr);
    }
    call.body = yyjson_doc_get_root(call.document);
    record(&call);
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

void call_answer(struct fake_host *host, const char *path, int code, const char *body)
{
    struct call call = call_only(host);
    EXPECT_TEXT(call.path, path);
    call_free(&call);
    fake_request_answer(host, 0, code, body);
}

const char *call_text(const struct call *call, const char *path)
{
    return value_at(call->body, path);
}

/* ---- Deliveries ---- */

kanal_op deliver(struct fake_host *host, const char *type, const char *target, const char *data)
{
    kanal_delivery delivery = {
        .type = kanal_str_c(type),
        .command_id = KANAL_LIT("crm-1"),
        .part = 1,
        .part_count = 2,
        .idempotency_key = KANAL_LIT("k-1"),
        .address = kanal_str_c(meta_test.address),
        .chat = kanal_str_c(meta_test.chat),
        .target_external_id = kanal_str_c(target),
        .data = kanal_str_c(data),
    };
    return fake_deliver(host, &delivery);
}

kanal_op send_content(struct fake_host *host, const char *data)
{
    return deliver(host, "message.send", NULL, data);
}

kanal_op send_to(struct fake_host *host, const char *chat, const char *address, const char *data)
{
    kanal_delivery delivery = { .chat = kanal_str_c(chat),
                                .address = kanal_str_c(address),
                                .data = kanal_str_c(data) };
    return fake_deliver(host, &delivery);
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
    cr_expect_eq(result->outcome, KANAL_FAILED, "outcome %d for %s", result->outcome, code);
    cr_expect_eq(result->scope, scope, "scope %d for %s", result->scope, code);
    cr_expect(kanal_str_is(result->code, code), "code is %.*s, not %s", (int)result->code.len,
              result->code.ptr, code);
    cr_expect_gt(result->reason.len, 0);
}

void expect_refused(const char *type, const char *target, const char *data, const char *code)
{
    struct fake_host *host = channel_new(NULL);
    kanal_op op = deliver(host, type, target, data);
    cr_expect_eq(fake_request_count(host), 0, "a request was made for %s", data);
    if (fake_request_count(host) == 0)
        expect_failed(host, op, KANAL_SCOPE_MESSAGE, code);
    channel_free(host);
}

void expect_call(const char *type, const char *target, const char *data, const char *path, const char *value)
{
    struct fake_host *host = channel_new(NULL);
    kanal_op op = deliver(host, type, target, data);
    if (fake_request_count(host) == 0) {
        const kanal_result *result = result_of(host, op);
        cr_assert_fail("%s: %.*s %.*s", data, (int)result->code.len, result->code.ptr,
                       (int)result->reason.len, result->reason.ptr);
    }
    struct call call = call_only(host);
    cr_expect_str_eq(call_text(&call, path), value, "%s: %s is %s, not %s", data, path,
                     call_text(&call, path), value);
    call_free(&call);
    fake_request_answer(host, 0, 200, sent_answer);
    cr_expect_eq(result_of(host, op)->outcome, KANAL_SENT);
    channel_free(host);
}
