#include "test/capture.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>

#include "kanal/sdk/base64.h"
#include "kanal/sdk/url.h"

#define FORM "application/x-www-form-urlencoded"
#define PREFIX "https://api.twilio.com/2010-04-01/Accounts/" ACCOUNT "/"

static const char *const channel_secrets[][2] = { { "auth_token", TOKEN }, { "api_key_secret", "kkkkkkkk" } };

struct fake_host *channel_new_with(const char *settings)
{
    return fake_new(kanal_plugin_v1(), settings, channel_secrets, 2);
}

struct fake_host *channel_new(const char *more)
{
    char settings[1024];
    snprintf(settings, sizeof settings, "{\"account_sid\":\"" ACCOUNT "\",\"from\":\"" OURS "\"%s}",
             more ? more : "");
    struct fake_host *host = channel_new_with(settings);
    cr_assert_not_null(host);
    cr_assert(fake_start_answer(host)->answered && fake_start_answer(host)->status == KANAL_OK);
    return host;
}

void channel_free(struct fake_host *host)
{
    cr_assert_eq(fake_free(host), 0, "the fake host found faults");
}

/* ---- Requests of Twilio's ---- */

static void encode_value(struct kanal_buffer *out, const char *name, yyjson_val *value)
{
    char *json = yyjson_is_str(value) ? NULL : yyjson_val_write(value, 0, NULL);
    kanal_form_add(out, name, json ? kanal_str_c(json) : kanal_json_text(value));
    free(json);
}

void encode_form(struct kanal_buffer *out, yyjson_val *object)
{
    yyjson_val *key, *value;
    size_t index, max;
    if (!yyjson_is_obj(object))
        return;
    yyjson_obj_foreach (object, index, max, key, value)
        encode_value(out, yyjson_get_str(key), value);
}

/* "name", 1, "value" of each, sorted: no name of Twilio's has a byte that low. */
static int by_bytes(const void *a, const void *b)
{
    const struct kanal_buffer *one = a, *other = b;
    size_t least = one->len < other->len ? one->len : other->len;
    int difference = memcmp(one->data, other->data, least);
    return difference != 0 ? difference : (one->len > other->len) - (one->len < other->len);
}

static void append_sorted(struct kanal_buffer *out, kanal_str form)
{
    static struct kanal_buffer pairs[300];
    size_t count = 0;
    struct kanal_buffer scratch = { 0 };
    kanal_str name, value;
    memset(pairs, 0, sizeof pairs);
    while (kanal_form_next(&form, &scratch, &name, &value) == 1) {
        cr_assert_lt(count, 300);
        kanal_buffer_str(&pairs[count], name);
        kanal_buffer_byte(&pairs[count], 1);
        kanal_buffer_str(&pairs[count++], value);
    }
    qsort(pairs, count, sizeof *pairs, by_bytes);
    for (size_t i = 0; i < count; i++) {
        const char *split = memchr(pairs[i].data, 1, pairs[i].len);
        size_t at = (size_t)(split - pairs[i].data);
        kanal_buffer_append(out, pairs[i].data, at);
        kanal_buffer_append(out, split + 1, pairs[i].len - at - 1);
        kanal_buffer_release(&pairs[i]);
    }
    kanal_buffer_release(&scratch);
}

void sign(char out[64], const char *url, kanal_str form)
{
    struct kanal_buffer text = { 0 }, base64 = { 0 };
    unsigned char mac[20];
    unsigned len = 0;
    kanal_buffer_text(&text, url);
    append_sorted(&text, form);
    HMAC(EVP_sha1(), TOKEN, (int)strlen(TOKEN), (const unsigned char *)text.data, text.len, mac, &len);
    kanal_base64_encode(&base64, kanal_str_of((const char *)mac, len), 0);
    snprintf(out, 64, "%.*s", (int)base64.len, base64.data);
    kanal_buffer_release(&text);
    kanal_buffer_release(&base64);
}

const struct fake_answer *post_with(struct fake_host *host, const char *target, const char *type,
                                    kanal_str body, const char *signature)
{
    const kanal_field headers[] = { { KANAL_LIT("content-type"), kanal_str_c(type) },
                                    { KANAL_LIT("x-twilio-signature"), kanal_str_c(signature) } };
    kanal_op op = fake_http(host, "POST", target, headers, signature ? 2 : 1, body);
    const struct fake_answer *answer = fake_answer(host, op);
    cr_assert(answer->answered, "the request is not answered");
    return answer;
}

const struct fake_answer *post_form(struct fake_host *host, const char *target, kanal_str form)
{
    char url[1200], signature[64];
    snprintf(url, sizeof url, BASE "%s", target);
    sign(signature, url, form);
    return post_with(host, target, FORM, form, signature);
}

const struct fake_answer *post_json(struct fake_host *host, const char *target, kanal_str json)
{
    char url[1200], longer[1024], signature[64];
    unsigned char hash[32];
    struct kanal_buffer hex = { 0 };
    EVP_Digest(json.ptr ? json.ptr : "", json.len, hash, NULL, EVP_sha256(), NULL);
    kanal_hex_encode(&hex, kanal_str_of((const char *)hash, sizeof hash));
    snprintf(longer, sizeof longer, "%s%sbodySHA256=%.*s", target, strchr(target, '?') ? "&" : "?",
             (int)hex.len, hex.data);
    snprintf(url, sizeof url, BASE "%s", longer);
    sign(signature, url, kanal_str_of(NULL, 0));
    kanal_buffer_release(&hex);
    return post_with(host, longer, "application/json", json, signature);
}

struct fixture fixture_open(const char *name)
{
    size_t len;
    char *text = fixture_read(FIXTURES, name, &len);
    struct fixture fixture = { .document = kanal_json_parse(kanal_str_of(text, len)) };
    yyjson_val *root = yyjson_doc_get_root(fixture.document);
    fixture.path = yyjson_get_str(kanal_json_at(root, "path"));
    fixture.params = kanal_json_at(root, "params");
    fixture.body = kanal_json_at(root, "body");
    cr_assert(fixture.path && (fixture.params || fixture.body), "%s is no fixture", name);
    char *settings = yyjson_val_write(kanal_json_at(root, "settings"), 0, NULL);
    if (settings && settings[0] == '{') {
        settings[0] = ',';
        settings[strlen(settings) - 1] = 0;
        snprintf(fixture.settings, sizeof fixture.settings, "%s", settings);
    }
    free(settings);
    free(text);
    return fixture;
}

void fixture_close(struct fixture *fixture)
{
    yyjson_doc_free(fixture->document);
}

struct fake_host *tell(const char *name, int as_json)
{
    struct fixture fixture = fixture_open(name);
    struct fake_host *host = channel_new(fixture.settings);
    struct kanal_buffer body = { 0 };
    const struct fake_answer *answer;
    if (fixture.body || as_json) {
        char *json = yyjson_val_write(fixture.body ? fixture.body : fixture.params, 0, NULL);
        answer = post_json(host, fixture.path, kanal_str_c(json));
        free(json);
    } else {
        encode_form(&body, fixture.params);
        answer = post_form(host, fixture.path, kanal_buffer_view(&body));
    }
    cr_assert_eq(answer->response.code / 100, 2, "%s is answered with %d", name, answer->response.code);
    kanal_buffer_release(&body);
    fixture_close(&fixture);
    return host;
}

/* ---- Requests to Twilio ---- */

static void record(const struct call *call)
{
    const char *path = getenv("KANAL_TWILIO_CALLS");
    FILE *file = path && *path ? fopen(path, "a") : NULL;
    if (!file)
        return;
    struct kanal_buffer text = { 0 };
    struct kanal_json json;
    kanal_json_init(&json, &text);
    kanal_json_object(&json);
    kanal_json_member_text(&json, "test", criterion_current_test->name);
    kanal_json_member_text(&json, "path", call->path);
    kanal_json_member_text(&json, "form", call->form);
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
    const kanal_secret_use *secret = &request->secrets[0];
    cr_assert(kanal_str_is(request->method, "POST"));
    cr_assert(kanal_str_starts(request->url, PREFIX), "%.*s", (int)request->url.len, request->url.ptr);
    snprintf(call.path, sizeof call.path, "%s", request->url.ptr + strlen(PREFIX));
    cr_assert(kanal_str_is(kanal_field_get(request->headers, request->header_count, "content-type"), FORM));
    cr_assert_eq(request->secret_count, 1);
    cr_expect(secret->where == KANAL_IN_BASIC && kanal_str_is(secret->name, ACCOUNT) &&
              kanal_str_is(secret->secret, "auth_token"));
    cr_expect(!memmem(request->body.ptr, request->body.len, TOKEN, strlen(TOKEN)),
              "a secret is named, never held");
    call.form = kanal_str_dup(request->body);
    record(&call);
    return call;
}

void call_free(struct call *call)
{
    free(call->form);
}

const char *call_text(const struct call *call, const char *name)
{
    static char text[8192];
    struct kanal_buffer scratch = { 0 };
    kanal_str form = kanal_str_c(call->form), found, value;
    size_t used = 0;
    text[0] = 0;
    while (kanal_form_next(&form, &scratch, &found, &value) == 1)
        if (kanal_str_is(found, name))
            used += (size_t)snprintf(text + used, sizeof text - used, "%s%.*s", used ? "|" : "",
                                     (int)value.len, value.ptr);
    kanal_buffer_release(&scratch);
    return text;
}

kanal_op deliver(struct fake_host *host, const char *type, const char *data)
{
    kanal_delivery delivery = {
        .type = kanal_str_c(type),
        .command_id = KANAL_LIT("crm-1"),
        .idempotency_key = KANAL_LIT("k-1"),
        .address = KANAL_LIT(ADDRESS),
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
    cr_expect(kanal_str_is(result->external_id, SID), "external_id is %.*s", (int)result->external_id.len,
              result->external_id.ptr);
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
