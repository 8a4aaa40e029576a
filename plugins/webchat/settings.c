/* settings.c - see settings.h. */
#include <stdlib.h>
#include "frame.h"
#include "kanal/sdk/json.h"
#include "kanal/sdk/url.h"
#include "settings.h"

const char settings_schema[] =
    "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"
    "\"origins\":{\"type\":\"array\",\"maxItems\":256,\"default\":[],"
    "\"description\":\"Sites that may use the chat: https://shop.example, https://*.shop.example, or * for "
    "any.\","
    "\"items\":{\"type\":\"string\",\"maxLength\":255,\"pattern\":\"^([*]|https?://"
    "([*][.])?[A-Za-z0-9.-]+(:[0-9]{1,5})?)$\"}},"
    "\"title\":{\"type\":\"string\",\"maxLength\":80,\"description\":\"Heading of the window.\"},"
    "\"subtitle\":{\"type\":\"string\",\"maxLength\":120,\"description\":\"Line below the heading.\"},"
    "\"greeting\":{\"type\":\"string\",\"maxLength\":1000,\"description\":\"First message, shown and not "
    "sent.\"},"
    "\"accent\":{\"type\":\"string\",\"pattern\":\"^#[0-9A-Fa-f]{6}$\",\"description\":\"Main colour.\"},"
    "\"locale\":{\"type\":\"string\",\"maxLength\":35,\"pattern\":\"^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$\","
    "\"description\":\"Language of the widget (ru, en); absent: the page's.\"},"
    "\"theme\":{\"enum\":[\"auto\",\"light\",\"dark\"],\"description\":\"auto: as the visitor's system.\"},"
    "\"side\":{\"enum\":[\"right\",\"left\"],\"description\":\"Corner of the page.\"},"
    "\"texts\":{\"type\":\"object\",\"maxProperties\":100,\"additionalProperties\":{\"type\":\"string\","
    "\"maxLength\":300},"
    "\"description\":\"Other words for the widget's own, by their keys in widget/texts.js.\"},"
    "\"upload_bytes\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":16777216,\"default\":10485760,"
    "\"description\":\"Largest file; 0: no uploads.\"},"
    "\"upload_types\":{\"type\":\"array\",\"maxItems\":64,\"items\":{\"type\":\"string\",\"maxLength\":127,"
    "\"pattern\":\"^[a-z0-9.+-]+/([a-z0-9.+-]+|[*])$\"},\"default\":[\"image/jpeg\",\"image/png\",\"image/"
    "webp\",\"image/gif\","
    "\"application/pdf\",\"text/plain\",\"audio/*\",\"video/mp4\",\"video/webm\",\"video/"
    "quicktime\",\"application/zip\","
    "\"application/vnd.openxmlformats-officedocument.wordprocessingml.document\","
    "\"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet\"],"
    "\"description\":\"File types that visitors may send.\"},"
    "\"history_messages\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":200,\"default\":100,"
    "\"description\":\"Messages a visitor finds again.\"},"
    "\"session_minutes\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":1440,\"default\":30,"
    "\"description\":\"After so long a pause a message starts a new conversation.started.\"},"
    "\"conversation_starts\":{\"enum\":[\"message\",\"open\"],\"default\":\"message\","
    "\"description\":\"What starts a session: the first message, or already the chat's first connection.\"},"
    "\"page_url\":{\"type\":\"string\",\"format\":\"uri\",\"pattern\":\"^https?://"
    "[^{}]*$\",\"maxLength\":900,"
    "\"description\":\"A page that has the widget: where hand-off links lead to.\"},"
    "\"max_connections\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":100000,\"default\":5000,"
    "\"description\":\"Open chats of this channel on one replica.\"},"
    "\"connections_per_visitor\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":64,\"default\":8,"
    "\"description\":\"Open pages of one visitor.\"},"
    "\"messages_per_minute\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":6000,\"default\":30,"
    "\"description\":\"Messages of one visitor.\"},"
    "\"message_burst\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":1000,\"default\":10,"
    "\"description\":\"How many of them at once.\"},"
    "\"new_visitors_per_minute\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":60000,\"default\":20,"
    "\"description\":\"New sessions of one network address; 0: any number.\"}}}";

/* ---- Reading ---- */

static uint32_t whole(yyjson_val *root, const char *key, uint32_t otherwise)
{
    int64_t number = kanal_json_int_at(root, key, otherwise);
    return number >= 0 && number <= UINT32_MAX ? (uint32_t)number : otherwise;
}

static void list_free(char **list, size_t count)
{
    for (size_t i = 0; list && i < count; i++)
        free(list[i]);
    free(list);
}

static kanal_status list_read(yyjson_val *from, kanal_str first, char ***ret_list, size_t *ret_count)
{
    yyjson_val *value;
    size_t i, size, count = 0;
    char **list = calloc(yyjson_arr_size(from) + 1, sizeof *list);

    if (!list)
        return KANAL_E_BUSY;
    if (first.len > 0)
        list[count++] = kanal_str_dup(first);
    yyjson_arr_foreach (from, i, size, value) {
        if (yyjson_is_str(value))
            list[count++] = kanal_str_dup(kanal_json_text(value));
    }
    *ret_list = list;
    *ret_count = count;
    for (i = 0; i < count; i++) {
        if (!list[i])
            return KANAL_E_BUSY;
    }
    return KANAL_OK;
}

/* "https://hub.example.com" of the channel's public URL. */
static kanal_str own_origin(kanal_str public_url)
{
    struct kanal_url url;

    if (kanal_url_parse(public_url, &url) != KANAL_OK || url.host.len == 0)
        return kanal_str_c(NULL);
    for (size_t i = url.scheme.len + 3; i < public_url.len; i++) {
        if (public_url.ptr[i] == '/')
            return kanal_str_of(public_url.ptr, i);
    }
    return public_url;
}

static void client_write(struct settings *s, yyjson_val *root, kanal_str public_url)
{
    static const char *const texts[] = {
        "title", "subtitle", "greeting", "accent", "locale", "theme", "side"
    };
    yyjson_val *own = kanal_json_at(root, "texts");
    struct kanal_json json;

    kanal_json_init(&json, &s->client);
    kanal_json_object(&json);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        kanal_json_member_str(&json, texts[i], kanal_json_text_at(root, texts[i]));
    if (own) {
        kanal_json_key(&json, "texts");
        kanal_json_value(&json, own);
    }
    if (public_url.len > 0) {
        struct kanal_buffer base = { 0 };

        kanal_buffer_str(&base, public_url);
        kanal_buffer_byte(&base, '/');
        kanal_json_member_str(&json, "base", kanal_buffer_view(&base));
        kanal_buffer_release(&base);
    }
    settings_limits_write(s, &json);
    kanal_json_object_end(&json);
}

void settings_limits_write(const struct settings *s, struct kanal_json *json)
{
    kanal_json_member_int(json, "text_chars", FRAME_TEXT_CHARS);
    kanal_json_member_int(json, "upload_bytes", s->upload_bytes);
    kanal_json_key(json, "upload_types");
    kanal_json_array(json);
    for (size_t i = 0; i < s->upload_type_count; i++)
        kanal_json_str(json, kanal_str_c(s->upload_types[i]));
    kanal_json_array_end(json);
}

/* The page with "kanal={ref}", which widget/widget.js looks for: behind the '#', which no server and no other site is told; of a page that has
 * one already, in the query. */
static void link_write(struct settings *s, kanal_str page)
{
    const char *hash = page.len > 0 ? memchr(page.ptr, '#', page.len) : NULL;
    size_t end = hash ? (size_t)(hash - page.ptr) : page.len;

    if (page.len == 0)
        return;
    kanal_buffer_append(&s->link, page.ptr, end);
    kanal_buffer_byte(&s->link, !hash ? '#' : memchr(page.ptr, '?', end) ? '&' : '?');
    kanal_buffer_text(&s->link, "kanal={ref}");
    kanal_buffer_str(&s->link, kanal_str_from(page, end));
}

kanal_status settings_init(struct settings *s, const kanal_config *config)
{
    yyjson_doc *doc = kanal_json_parse(config->settings);
    yyjson_val *root = yyjson_doc_get_root(doc);
    kanal_status status = yyjson_is_obj(root) ? KANAL_OK : KANAL_E_INVALID;

    memset(s, 0, sizeof *s);
    if (status == KANAL_OK)
        status = list_read(kanal_json_at(root, "origins"), own_origin(config->public_url), &s->origins,
                           &s->origin_count);
    if (status == KANAL_OK)
        status = list_read(kanal_json_at(root, "upload_types"), kanal_str_c(NULL), &s->upload_types,
                           &s->upload_type_count);
    if (status == KANAL_OK) {
        s->upload_bytes = whole(root, "upload_bytes", 10485760);
        s->history_messages = whole(root, "history_messages", 100);
        s->session_minutes = whole(root, "session_minutes", 30);
        s->max_connections = whole(root, "max_connections", 5000);
        s->connections_per_visitor = whole(root, "connections_per_visitor", 8);
        s->messages_per_minute = whole(root, "messages_per_minute", 30);
        s->message_burst = whole(root, "message_burst", 10);
        s->new_visitors_per_minute = whole(root, "new_visitors_per_minute", 20);
        s->starts_on_open = kanal_str_is(kanal_json_text_at(root, "conversation_starts"), "open");
        client_write(s, root, config->public_url);
        link_write(s, kanal_json_text_at(root, "page_url"));
        status = s->client.failed || s->link.failed ? KANAL_E_BUSY : KANAL_OK;
    }
    yyjson_doc_free(doc);
    return status;
}

void settings_release(struct settings *s)
{
    list_free(s->origins, s->origin_count);
    list_free(s->upload_types, s->upload_type_count);
    kanal_buffer_release(&s->client);
    kanal_buffer_release(&s->link);
    memset(s, 0, sizeof *s);
}

/* ---- Origins ---- */

/* A star label stands for one label or more: a.example.com and a.b.example.com, not example.com itself. */
static int origin_matches(const char *allowed, kanal_str origin)
{
    const char *star = strstr(allowed, "://*.");
    size_t scheme = star ? (size_t)(star - allowed) + 3 : 0;
    kanal_str tail;

    if (!star)
        return kanal_str_equal_nocase(kanal_str_c(allowed), origin);
    tail = kanal_str_c(star + 4); /* ".example.com" */
    if (origin.len <= scheme + tail.len ||
        !kanal_str_equal_nocase(kanal_str_of(allowed, scheme), kanal_str_of(origin.ptr, scheme)))
        return 0;
    for (size_t i = scheme; i < origin.len - tail.len;
         i++) { /* labels only: no port, no user, no path before the name */
        char c = origin.ptr[i];
        if (c == ':' || c == '/' || c == '@' || c == '?' || c == '#')
            return 0;
    }
    return kanal_str_equal_nocase(tail, kanal_str_from(origin, origin.len - tail.len));
}

int settings_origin_ok(const struct settings *s, kanal_str origin)
{
    for (size_t i = 0; i < s->origin_count; i++) {
        if (strcmp(s->origins[i], "*") == 0)
            return 1;
        if (origin.len > 0 && origin_matches(s->origins[i], origin))
            return 1;
    }
    return 0;
}

/* ---- File types ---- */

/* Served from the gateway's name these would run as its script in the reader's browser. */
static const char *const never[] = {
    "text/html",       "application/xhtml+xml", "image/svg+xml",          "text/xml",
    "application/xml", "text/javascript",       "application/javascript", "text/css"
};

int settings_upload_type_ok(const struct settings *s, kanal_str mime)
{
    for (size_t i = 0; i < sizeof never / sizeof *never; i++) {
        if (kanal_str_is(mime, never[i]))
            return 0;
    }
    for (size_t i = 0; i < s->upload_type_count; i++) {
        kanal_str allowed = kanal_str_c(s->upload_types[i]);
        int any = allowed.len > 2 && allowed.ptr[allowed.len - 1] == '*';

        if (any && mime.len > allowed.len - 1 && memcmp(mime.ptr, allowed.ptr, allowed.len - 1) == 0)
            return 1;
        if (kanal_str_equal(allowed, mime))
            return 1;
    }
    return 0;
}
