#include "calls.h"

#define URL_BYTES_MAX 4096u
#define CONSENTS_MAX 16u

/* ---- Page ---- */

static void member_url(struct kanal_json *json, const char *key, kanal_str text)
{
    struct kanal_buffer url = { 0 };
    if (text.len > 0 && kanal_url_clean(&url, text, URL_BYTES_MAX) == KANAL_OK)
        kanal_json_member_str(json, key, kanal_buffer_view(&url));
    kanal_buffer_release(&url);
}

static void write_page(struct kanal_json *json, yyjson_val *page)
{
    static const struct {
        const char *name;
        uint32_t max_chars;
    } texts[] = { { "referrer", 4096 }, { "title", 1024 }, { "path", 4096 }, { "search", 4096 } };
    if (!yyjson_is_obj(page))
        return;
    kanal_json_key(json, "page");
    kanal_json_object(json);
    member_url(json, "url", kanal_json_text_at(page, "url"));
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        kanal_member_text(json, texts[i].name, kanal_json_text_at(page, texts[i].name), texts[i].max_chars);
    kanal_json_object_end(json);
}

/* ---- Attribution ---- */

/* The page's own query tells the advertising system's click. */
static void write_click_ids(struct kanal_json *json, kanal_str query)
{
    struct kanal_buffer value = { 0 };
    size_t count = 0;
    for (size_t i = 0; query.len > 0 && i < KANAL_CLICK_ID_COUNT; i++) {
        kanal_buffer_clear(&value);
        if (kanal_form_get(query, kanal_click_id_names[i], &value) != KANAL_OK || value.len == 0 ||
            !kanal_str_utf8(kanal_buffer_view(&value)))
            continue;
        if (count++ == 0) {
            kanal_json_key(json, "click_ids");
            kanal_json_object(json);
        }
        kanal_member_text(json, kanal_click_id_names[i], kanal_buffer_view(&value), 1024);
    }
    if (count > 0)
        kanal_json_object_end(json);
    kanal_buffer_release(&value);
}

static kanal_str query_of(yyjson_val *page)
{
    struct kanal_url url;
    kanal_str search = kanal_json_text_at(page, "search");
    if (search.len > 1)
        return kanal_str_from(search, search.ptr[0] == '?');
    return kanal_url_parse(kanal_json_text_at(page, "url"), &url) == KANAL_OK ? url.query
                                                                              : kanal_str_of(NULL, 0);
}

static void write_attribution(struct kanal_json *json, yyjson_val *context, yyjson_val *page)
{
    /* In the order of kanal_utm_names; Segment's `name` is the campaign. */
    static const char *const members[KANAL_UTM_COUNT] = {
        "source", "medium", "name", "term", "content", "id"
    };
    yyjson_val *campaign = kanal_json_at(context, "campaign");
    struct kanal_json before = *json;
    size_t before_len = json->out->len;
    kanal_json_key(json, "attribution");
    kanal_json_object(json);
    size_t start_len = json->out->len;
    for (size_t i = 0; i < KANAL_UTM_COUNT; i++)
        kanal_member_text(json, kanal_utm_names[i], kanal_json_text_at(campaign, members[i]), 512);
    write_click_ids(json, query_of(page));
    if (json->out->len > start_len) {
        kanal_json_object_end(json);
    } else { /* nothing is told */
        *json = before;
        json->out->len = before_len;
    }
}

/* ---- Client ---- */

static int is_locale(kanal_str text)
{
    size_t run = 0, letters = 1;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        int is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if ((c == '-' || c == '_') && run > 0) {
            if (letters && run < 2)
                return 0;
            run = letters = 0;
        } else if ((is_letter || (!letters && c >= '0' && c <= '9')) && ++run <= 8) {
            continue;
        } else {
            return 0;
        }
    }
    return text.len <= 35 && run >= (letters ? 2u : 1u);
}

static const char *device_kind(kanal_str type)
{
    static const struct {
        const char *type, *kind;
    } kinds[] = {
        { "ios", "phone" },     { "android", "phone" },     { "mobile", "phone" },  { "phone", "phone" },
        { "tablet", "tablet" }, { "desktop", "desktop" },   { "tv", "tv" },         { "smarttv", "tv" },
        { "pos", "terminal" },  { "terminal", "terminal" }, { "kiosk", "terminal" }
    };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (kanal_str_equal_nocase(type, kanal_str_c(kinds[i].type)))
            return kinds[i].kind;
    }
    return type.len > 0 ? "other" : NULL;
}

struct text_member {
    const char *name;
    uint32_t max_chars;
};

/* An object of texts, and what else it shall have. */
static void write_texts(struct kanal_json *json, const char *key, yyjson_val *object,
                        const struct text_member *texts, size_t count, const char *kind)
{
    if (!yyjson_is_obj(object))
        return;
    kanal_json_key(json, key);
    kanal_json_object(json);
    kanal_json_member_text(json, "kind", kind);
    for (size_t i = 0; i < count; i++)
        kanal_member_text(json, texts[i].name, kanal_json_text_at(object, texts[i].name), texts[i].max_chars);
    kanal_json_object_end(json);
}

static void write_screen(struct kanal_json *json, yyjson_val *screen)
{
    int64_t width = kanal_json_int_at(screen, "width", -1), height = kanal_json_int_at(screen, "height", -1);
    int has_width = width >= 0 && width <= 100000, has_height = height >= 0 && height <= 100000;
    if (!has_width && !has_height)
        return;
    kanal_json_key(json, "screen");
    kanal_json_object(json);
    if (has_width)
        kanal_json_member_int(json, "width", width);
    if (has_height)
        kanal_json_member_int(json, "height", height);
    kanal_json_object_end(json);
}

static void write_client(struct kanal_json *json, const struct call *call)
{
    static const struct text_member app[] = { { "name", 128 }, { "version", 64 }, { "build", 64 } },
                                    os[] = { { "name", 64 }, { "version", 64 } },
                                    device[] = { { "manufacturer", 128 }, { "model", 128 } };
    yyjson_val *context = call->context;
    kanal_str user_agent = kanal_json_text_at(context, "userAgent"),
              locale = kanal_json_text_at(context, "locale");
    kanal_str ip = { NULL, 0 };
    if (call->intake->settings->keep_ip)
        ip = call->intake->is_trusted ? kanal_json_text_at(context, "ip") : call->intake->ip;
    if (user_agent.len == 0 && !call->intake->is_trusted) /* else it is the program on the server */
        user_agent = call->intake->user_agent;
    kanal_json_key(json, "client");
    kanal_json_object(json);
    kanal_member_text(json, "user_agent", user_agent, 1024);
    kanal_member_text(json, "ip", ip, 45);
    if (is_locale(locale))
        kanal_json_member_str(json, "locale", locale);
    kanal_member_text(json, "timezone", kanal_json_text_at(context, "timezone"), 64);
    write_texts(json, "app", kanal_json_at(context, "app"), app, 3, NULL);
    write_texts(json, "os", kanal_json_at(context, "os"), os, 2, NULL);
    write_texts(json, "device", kanal_json_at(context, "device"), device, 2,
                device_kind(kanal_json_text_at(kanal_json_at(context, "device"), "type")));
    write_screen(json, kanal_json_at(context, "screen"));
    kanal_json_object_end(json);
}

void context_write(struct kanal_json *json, const struct call *call)
{
    yyjson_val *page = kanal_json_at(call->context, "page");
    if (!yyjson_is_obj(page) && strcmp(call->kind, "page") == 0)
        page = kanal_json_at(call->body, "properties"); /* a server tells of a page there */
    write_page(json, page);
    write_attribution(json, call->context, page);
    write_client(json, call);
}

/* ---- Consent ---- */

/* A category's name as a purpose: lower case, what may not stand in one becomes '_'. */
static size_t purpose_of(kanal_str category, char out[65])
{
    size_t n = 0;
    for (size_t i = 0; i < category.len && n < 64; i++) {
        char c = category.ptr[i];
        if (c >= 'A' && c <= 'Z')
            c = (char)(c | 0x20);
        if (n == 0 && (c < 'a' || c > 'z'))
            return 0;
        int right = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-';
        out[n++] = right ? c : '_';
    }
    return n;
}

void context_write_consent(struct kanal_json *json, const struct call *call)
{
    yyjson_val *preferences = kanal_json_at(kanal_json_at(call->context, "consent"), "categoryPreferences");
    yyjson_obj_iter members = yyjson_obj_iter_with(preferences);
    yyjson_val *key;
    char purpose[65];
    size_t count = 0, len;
    while (count < CONSENTS_MAX && (key = yyjson_obj_iter_next(&members)) != NULL) {
        yyjson_val *given = yyjson_obj_iter_get_val(key);
        if (!yyjson_is_bool(given) || (len = purpose_of(kanal_json_text(key), purpose)) == 0)
            continue;
        if (count++ == 0) {
            kanal_json_key(json, "consent");
            kanal_json_array(json);
        }
        kanal_json_object(json);
        kanal_json_member_str(json, "purpose", kanal_str_of(purpose, len));
        kanal_json_member_bool(json, "given", yyjson_get_bool(given));
        kanal_json_object_end(json);
    }
    if (count > 0)
        kanal_json_array_end(json);
}

/* ---- The rest ---- */

/* Members of the context that were told in full elsewhere. */
static int is_told(kanal_str name)
{
    static const char *const told[] = { "campaign", "ip", "locale", "page", "timezone", "userAgent" };
    for (size_t i = 0; i < sizeof told / sizeof told[0]; i++) {
        if (kanal_str_is(name, told[i]))
            return 1;
    }
    return 0;
}

static void write_context_left(struct kanal_json *json, yyjson_val *context)
{
    yyjson_obj_iter members = yyjson_obj_iter_with(context);
    yyjson_val *key;
    size_t count = 0;
    while ((key = yyjson_obj_iter_next(&members)) != NULL) {
        if (is_told(kanal_json_text(key)))
            continue;
        if (count++ == 0) {
            kanal_json_key(json, "context");
            kanal_json_object(json);
        }
        kanal_json_key_str(json, kanal_json_text(key));
        kanal_value_copy(json, yyjson_obj_iter_get_val(key));
    }
    if (count > 0)
        kanal_json_object_end(json);
}

void context_write_provider(struct kanal_json *json, const struct call *call, kanal_str original_name)
{
    yyjson_val *integrations = kanal_json_at(call->body, "integrations");
    struct kanal_json before = *json;
    size_t before_len = json->out->len;
    kanal_json_key(json, "provider");
    kanal_json_object(json);
    size_t start_len = json->out->len;
    kanal_member_text(json, "name", original_name, 1024);
    if (yyjson_obj_size(integrations) > 0) {
        kanal_json_key(json, "integrations");
        kanal_value_copy(json, integrations);
    }
    write_context_left(json, call->context);
    if (json->out->len > start_len) {
        kanal_json_object_end(json);
    } else {
        *json = before;
        json->out->len = before_len;
    }
}
