#include "test_form.h"

const char *const test_secrets[1][2] = { { "session", "0123456789abcdef0123456789abcdef" } };

kanal_str read_fixture(const char *name, struct kanal_buffer *out)
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

struct fake_host *new_host(const char *more)
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
    struct fake_host *host = fake_new(kanal_plugin_v1(), settings.data, test_secrets, 1);
    cr_assert_not_null(host);
    kanal_buffer_release(&text);
    kanal_buffer_release(&settings);
    return host;
}

const kanal_http_response *post_as(struct fake_host *host, const char *target, const char *type,
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

const kanal_http_response *post_form(struct fake_host *host, const char *body)
{
    return post_as(host, "/forms/callback", FORM_TYPE, NULL, kanal_str_c(body));
}

const char *response_header(const kanal_http_response *response, const char *name)
{
    return kanal_field_get(response->headers, response->header_count, name).ptr;
}

const char *error_of(const kanal_http_response *response, const char *member, char out[64])
{
    yyjson_doc *doc = kanal_json_parse(response->body);
    kanal_str text = kanal_json_text_at(kanal_json_at(yyjson_doc_get_root(doc), "error"), member);
    snprintf(out, 64, "%.*s", (int)text.len, text.ptr ? text.ptr : "");
    yyjson_doc_free(doc);
    return out;
}

void expect_error(const kanal_http_response *response, int32_t code, const char *name, const char *field)
{
    char text[64];
    cr_assert_eq(response->code, code, "%d: %s", response->code, response->body.ptr);
    cr_assert_str_eq(error_of(response, "code", text), name);
    if (field != NULL)
        cr_assert_str_eq(error_of(response, "field", text), field);
    cr_assert_str_neq(error_of(response, "message", text), "");
}

yyjson_val *event_data(struct fake_host *host, size_t index)
{
    cr_assert_lt(index, fake_event_count(host));
    return yyjson_doc_get_root(fake_event_at(host, index)->document);
}

void expect_data(struct fake_host *host, const char *pointer, const char *wanted)
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
