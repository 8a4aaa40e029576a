#include "kanal/sdk/member.h"
#include "kanal/sdk/url.h"

#define COPY_DEPTH_MAX 16
#define VALUE_DEPTH_MAX 32
#define COPY_BYTES_MAX (16u * 1024)
#define MIME_BYTES_MAX 255u
#define URI_BYTES_MAX 4096u
#define SECONDS_MAX INT64_C(253402300799) /* the end of the year 9999 */

kanal_str kanal_str_cut(kanal_str text, size_t max_chars)
{
    if (text.len <= max_chars)
        return text;
    size_t chars = 0;
    for (size_t i = 0; i < text.len; i++) {
        int starts_character = ((unsigned char)text.ptr[i] & 0xc0) != 0x80;
        if (starts_character && chars++ == max_chars)
            return kanal_str_of(text.ptr, i);
    }
    return text;
}

int kanal_str_ascii(kanal_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] <= ' ' || text.ptr[i] > '~')
            return 0;
    return 1;
}

void kanal_member_text(struct kanal_json *json, const char *key, kanal_str text, size_t max_chars)
{
    if (text.len > 0)
        kanal_json_member_str(json, key, kanal_str_cut(text, max_chars));
}

void kanal_member_text_of(struct kanal_json *json, const char *key, yyjson_val *object, const char *name,
                          size_t max_chars)
{
    kanal_member_text(json, key, kanal_json_text_at(object, name), max_chars);
}

void kanal_member_count_of(struct kanal_json *json, const char *key, yyjson_val *object, const char *name,
                           int64_t min, int64_t max, int64_t factor)
{
    int64_t number = kanal_json_int_at(object, name, INT64_MIN);
    if (number >= min && number <= max)
        kanal_json_member_int(json, key, number * factor);
}

void kanal_member_number_of(struct kanal_json *json, const char *key, yyjson_val *object, const char *name,
                            double min, double max)
{
    yyjson_val *value = kanal_json_at(object, name);
    double number = yyjson_get_num(value);
    if (yyjson_is_num(value) && number >= min && number <= max)
        kanal_json_member_double(json, key, number);
}

void kanal_member_true_of(struct kanal_json *json, const char *key, yyjson_val *object, const char *name)
{
    if (kanal_json_bool_at(object, name))
        kanal_json_member_bool(json, key, 1);
}

static int is_token_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != 0 && strchr("!#$&^_.+-", c));
}

/* type/subtype of RFC 6838, parameters ignored. */
static int is_mime(kanal_str text)
{
    size_t slashes = 0, since = 0;
    if (text.len == 0 || text.len > MIME_BYTES_MAX)
        return 0;
    for (size_t i = 0; i < text.len && text.ptr[i] != ';'; i++) {
        if (text.ptr[i] == '/' && since > 0 && slashes == 0) {
            slashes = 1;
            since = 0;
        } else if (is_token_char(text.ptr[i])) {
            since++;
        } else {
            return 0;
        }
    }
    return slashes == 1 && since > 0;
}

void kanal_member_mime(struct kanal_json *json, kanal_str mime, const char *otherwise)
{
    if (is_mime(mime))
        kanal_json_member_str(json, "mime", mime);
    else
        kanal_json_member_text(json, "mime", otherwise);
}

int kanal_value_is_shallow(yyjson_val *value, int depth)
{
    size_t index, max;
    yyjson_val *key, *member;
    if (!yyjson_is_ctn(value))
        return 1;
    if (depth == 0)
        return 0;
    yyjson_arr_foreach (value, index, max, member)
        if (!kanal_value_is_shallow(member, depth - 1))
            return 0;
    yyjson_obj_foreach (value, index, max, key, member)
        if (!kanal_value_is_shallow(member, depth - 1))
            return 0;
    return 1;
}

void kanal_member_copy(struct kanal_json *json, const char *key, yyjson_val *value)
{
    if (!value || !kanal_value_is_shallow(value, COPY_DEPTH_MAX))
        return;
    struct kanal_buffer text = { 0 };
    struct kanal_json copy;
    kanal_json_init(&copy, &text);
    kanal_json_value(&copy, value);
    if (!text.failed && text.len > 0 && text.len <= COPY_BYTES_MAX) {
        kanal_json_key(json, key);
        kanal_json_raw(json, kanal_buffer_view(&text));
    }
    kanal_buffer_release(&text);
}

void kanal_value_copy(struct kanal_json *json, yyjson_val *value)
{
    if (!yyjson_is_ctn(value) || kanal_value_is_shallow(value, VALUE_DEPTH_MAX)) {
        kanal_json_value(json, value);
        return;
    }
    struct kanal_buffer text = { 0 };
    struct kanal_json inner;
    kanal_json_init(&inner, &text);
    kanal_json_value(&inner, value);
    kanal_json_str(json, kanal_buffer_view(&text));
    kanal_buffer_release(&text);
}

void kanal_member_digits(struct kanal_json *json, const char *key, int64_t number)
{
    struct kanal_buffer text = { 0 };
    kanal_buffer_int(&text, number);
    kanal_json_member_str(json, key, kanal_buffer_view(&text));
    kanal_buffer_release(&text);
}

struct kanal_provider kanal_provider_begin(struct kanal_json *json)
{
    struct kanal_provider provider = { .before = *json, .before_len = json->out->len };
    kanal_json_key(json, "provider");
    kanal_json_object(json);
    provider.start_len = json->out->len;
    return provider;
}

void kanal_provider_end(struct kanal_json *json, const struct kanal_provider *provider)
{
    if (json->out->len > provider->start_len) {
        kanal_json_object_end(json);
        return;
    }
    *json = provider->before;
    json->out->len = provider->before_len;
}

static int is_hex(char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

/* RFC 3986: what browsers leave as it is, but the contract's format "uri" refuses. */
static int is_strict(kanal_str uri, const struct kanal_url *url)
{
    int is_ipv6 = url->host.len > 0 && memchr(url->host.ptr, ':', url->host.len) != NULL;
    size_t brackets = 0, fragments = 0;
    for (size_t i = 0; i < uri.len; i++) {
        char c = uri.ptr[i];
        if (c <= ' ' || c > '~' || strchr("\"<>\\^`{|}", c))
            return 0;
        if (c == '%' && (i + 2 >= uri.len || !is_hex(uri.ptr[i + 1]) || !is_hex(uri.ptr[i + 2])))
            return 0;
        brackets += c == '[' || c == ']';
        fragments += c == '#';
    }
    return fragments <= 1 && brackets == (is_ipv6 ? 2u : 0u);
}

void kanal_member_uri(struct kanal_json *json, const char *key, kanal_str uri)
{
    struct kanal_url url;
    if (uri.len <= URI_BYTES_MAX && kanal_url_parse(uri, &url) == KANAL_OK && is_strict(uri, &url))
        kanal_json_member_str(json, key, uri);
}

void kanal_member_seconds(struct kanal_json *json, const char *key, int64_t seconds)
{
    if (seconds > 0 && seconds <= SECONDS_MAX)
        kanal_json_member_time(json, key, seconds * 1000);
}
