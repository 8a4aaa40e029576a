#include "cli/line.h"

#include <stdio.h>
#include <time.h>

#include "cli/terminal.h"
#include "kanal/sdk/json.h"
#include "kanal/sdk/time.h"

#define REST_BYTES 400u /* of what is shown as JSON */

#define DIM "\033[2m"
#define BOLD "\033[1m"
#define RED "\033[31m"
#define GREEN "\033[32m"
#define YELLOW "\033[33m"
#define BLUE "\033[34m"
#define CYAN "\033[36m"
#define PLAIN "\033[0m"

typedef void summary_fn(struct kanal_buffer *out, yyjson_val *data);

static void summarise_incoming(struct kanal_buffer *out, yyjson_val *data);
static void summarise_reaction(struct kanal_buffer *out, yyjson_val *data);
static void summarise_step(struct kanal_buffer *out, yyjson_val *data);
static void summarise_call(struct kanal_buffer *out, yyjson_val *data);
static void summarise_form(struct kanal_buffer *out, yyjson_val *data);
static void summarise_activity(struct kanal_buffer *out, yyjson_val *data);
static void summarise_health(struct kanal_buffer *out, yyjson_val *data);
static void summarise_rest(struct kanal_buffer *out, yyjson_val *data);

/* By the beginning of the type; the first that fits. */
static const struct kind {
    const char *type, *colour;
    summary_fn *summarise;
} kinds[] = {
    { "message.received", GREEN, summarise_incoming },
    { "message.edited", GREEN, summarise_incoming },
    { "message.deleted", GREEN, summarise_incoming },
    { "message.reacted", GREEN, summarise_reaction },
    { "message.failed", RED, summarise_step },
    { "message.unknown", RED, summarise_step },
    { "message.expired", RED, summarise_step },
    { "message.", BLUE, summarise_step },
    { "call.", YELLOW, summarise_call },
    { "form.", YELLOW, summarise_form },
    { "activity.", DIM, summarise_activity },
    { "channel.down", RED, summarise_health },
    { "channel.", GREEN, summarise_health },
    { "typing.", DIM, summarise_rest },
    { "", CYAN, summarise_rest },
};

/* ---- Words ---- */

static void space(struct kanal_buffer *out)
{
    if (out->len > 0 && out->data[out->len - 1] != ' ')
        kanal_buffer_byte(out, ' ');
}

/* A word, with a space before it; nothing if there is none. */
static void word(struct kanal_buffer *out, const char *before, kanal_str text, const char *after)
{
    if (text.len == 0)
        return;
    space(out);
    kanal_buffer_text(out, before);
    terminal_text(out, text);
    kanal_buffer_text(out, after);
}

static void word_at(struct kanal_buffer *out, const char *before, yyjson_val *object, const char *key,
                    const char *after)
{
    word(out, before, kanal_json_text_at(object, key), after);
}

static void number(struct kanal_buffer *out, yyjson_val *object, const char *key, const char *after)
{
    yyjson_val *value = kanal_json_at(object, key);

    if (!yyjson_is_num(value))
        return;
    space(out);
    struct kanal_json json;
    kanal_json_init(&json, out);
    kanal_json_value(&json, value);
    kanal_buffer_text(out, after);
}

/* A value as compact JSON, cut where it becomes long. */
static void rest_of(struct kanal_buffer *out, yyjson_val *value)
{
    struct kanal_buffer text = { 0 };
    struct kanal_json json;

    kanal_json_init(&json, &text);
    kanal_json_value(&json, value);
    size_t len = text.len;
    if (len > REST_BYTES)
        for (len = REST_BYTES; len > 0 && (text.data[len] & 0xc0) == 0x80;)
            len--;
    terminal_text(out, kanal_str_of(text.data, len));
    if (len < text.len)
        kanal_buffer_text(out, " \xe2\x80\xa6");
    kanal_buffer_release(&text);
}

/* ---- Content ---- */

static void write_option(struct kanal_buffer *out, yyjson_val *option)
{
    word_at(out, "[", option, "text", "]");
}

static void write_options(struct kanal_buffer *out, yyjson_val *part)
{
    yyjson_val *options = kanal_json_at(part, "options"), *option;
    size_t i, max;

    word_at(out, "", part, "text", "");
    if (options)
        yyjson_arr_foreach (options, i, max, option)
            write_option(out, option);
}

static void write_part(struct kanal_buffer *out, yyjson_val *part)
{
    kanal_str type = kanal_json_text_at(part, "type"), plain = kanal_json_text_at(part, "plain");

    if (kanal_str_is(type, "text")) {
        word(out, "", plain.len > 0 ? plain : kanal_json_text_at(part, "text"), "");
    } else if (kanal_str_is(type, "choice")) {
        write_options(out, part);
    } else if (kanal_str_is(type, "answer")) {
        word_at(out, "", part, "text", "");
        word_at(out, "(", part, "payload", ")");
    } else {
        word(out, "[", type.len > 0 ? type : KANAL_LIT("?"), "");
        word_at(out, "", part, "name", "");
        word_at(out, "", part, "title", "");
        word_at(out, "", part, "kind", "");
        number(out, part, "lat", "");
        number(out, part, "lon", "");
        word_at(out, "", part, "total", "");
        kanal_buffer_byte(out, ']');
        word_at(out, "", part, "text", "");
        word_at(out, "", part, "caption", "");
    }
}

void line_content(struct kanal_buffer *out, yyjson_val *content)
{
    yyjson_val *part;
    size_t i, max;

    if (yyjson_is_arr(content))
        yyjson_arr_foreach (content, i, max, part)
            write_part(out, part);
}

void line_error(struct kanal_buffer *out, yyjson_val *error)
{
    kanal_str said = kanal_json_text_at(error, "provider_message");

    word_at(out, "", error, "code", said.len > 0 ? ":" : "");
    word(out, "", said, "");
    word_at(out, "(", error, "provider_code", ")");
    word_at(out, "\xe2\x80\x94 ", error, "detail", "");
}

/* ---- Types ---- */

static void summarise_incoming(struct kanal_buffer *out, yyjson_val *data)
{
    yyjson_val *message = kanal_json_at(data, "message");

    line_content(out, kanal_json_at(message, "content"));
    if (!kanal_json_at(message, "content"))
        word_at(out, "message ", message, "external_id", "");
}

static void summarise_reaction(struct kanal_buffer *out, yyjson_val *data)
{
    yyjson_val *reactions = kanal_json_at(data, "reactions"), *reaction;
    size_t i, max;

    if (yyjson_arr_size(reactions) == 0)
        kanal_buffer_text(out, "no reaction any more");
    if (yyjson_is_arr(reactions))
        yyjson_arr_foreach (reactions, i, max, reaction)
            word_at(out, "", reaction, "emoji", "");
    word_at(out, "to message ", kanal_json_at(data, "message"), "external_id", "");
}

/* What became of a command. */
static void summarise_step(struct kanal_buffer *out, yyjson_val *data)
{
    yyjson_val *message = kanal_json_at(data, "message"), *moved = kanal_json_at(data, "rerouted");

    word_at(out, "", message, "id", "");
    word_at(out, "(", message, "reference", ")");
    if (kanal_json_int_at(message, "parts", 1) > 1) {
        number(out, message, "part", "/");
        kanal_buffer_int(out, kanal_json_int_at(message, "parts", 1));
    }
    line_error(out, kanal_json_at(data, "error"));
    word_at(out, "from ", moved, "from", "");
    word_at(out, "to ", moved, "to", "");
    word_at(out, "because ", moved, "reason", "");
    line_content(out, kanal_json_at(message, "content"));
}

static void summarise_call(struct kanal_buffer *out, yyjson_val *data)
{
    yyjson_val *call = kanal_json_at(data, "call");

    word_at(out, "", call, "direction", "");
    word_at(out, "from ", call, "from", "");
    word_at(out, "to ", call, "to", "");
    word_at(out, "", call, "reason", "");
    number(out, call, "ring_ms", " ms rung");
    number(out, call, "talk_ms", " ms talked");
}

static void write_field(struct kanal_buffer *out, yyjson_val *field)
{
    yyjson_val *value = kanal_json_at(field, "value");

    word_at(out, "", field, "name", "=");
    if (yyjson_is_str(value))
        terminal_text(out, kanal_json_text(value));
    else if (value)
        rest_of(out, value);
}

static void summarise_form(struct kanal_buffer *out, yyjson_val *data)
{
    yyjson_val *form = kanal_json_at(data, "form"), *fields = kanal_json_at(form, "fields"), *field;
    size_t i, max;

    word_at(out, "", form, "id", ":");
    if (yyjson_is_arr(fields))
        yyjson_arr_foreach (fields, i, max, field)
            write_field(out, field);
}

static void summarise_activity(struct kanal_buffer *out, yyjson_val *data)
{
    yyjson_val *activity = kanal_json_at(data, "activity"),
               *properties = kanal_json_at(activity, "properties");

    word_at(out, "", activity, "name", "");
    word_at(out, "", kanal_json_at(data, "page"), "url", "");
    if (yyjson_obj_size(properties) > 0) {
        space(out);
        rest_of(out, properties);
    }
}

static void summarise_health(struct kanal_buffer *out, yyjson_val *data)
{
    yyjson_val *reasons = kanal_json_at(kanal_json_at(data, "health"), "reasons"), *reason;
    size_t i, max;

    if (yyjson_is_arr(reasons))
        yyjson_arr_foreach (reasons, i, max, reason)
            line_error(out, reason);
}

/* Types without words of their own: the members of data that the line does not show yet. */
static void summarise_rest(struct kanal_buffer *out, yyjson_val *data)
{
    static const char *const shown[] = { "channel", "customer", "chat", "conversation" };
    yyjson_val *key, *value;
    size_t i, max;

    if (!yyjson_is_obj(data))
        return;
    yyjson_obj_foreach (data, i, max, key, value) {
        int skip = 0;

        for (size_t n = 0; n < sizeof shown / sizeof *shown; n++)
            skip |= yyjson_equals_str(key, shown[n]);
        if (skip)
            continue;
        space(out);
        terminal_text(out, kanal_json_text(key));
        kanal_buffer_byte(out, '=');
        rest_of(out, value);
    }
}

/* ---- The line ---- */

static void paint(struct kanal_buffer *out, const struct line_style *style, const char *colour)
{
    if (style->colours)
        kanal_buffer_text(out, colour);
}

static void write_time(struct kanal_buffer *out, int64_t ms, const struct line_style *style)
{
    time_t seconds = (time_t)(ms / 1000), now = (time_t)(style->now_ms / 1000);
    struct tm tm, today;
    char text[40];

    if (!localtime_r(&seconds, &tm) || !localtime_r(&now, &today))
        return;
    int same_day = tm.tm_yday == today.tm_yday && tm.tm_year == today.tm_year;
    strftime(text, sizeof text, same_day ? "%H:%M:%S" : "%Y-%m-%d %H:%M:%S", &tm);
    paint(out, style, DIM);
    kanal_buffer_text(out, text);
    paint(out, style, PLAIN);
    kanal_buffer_byte(out, ' ');
}

static void write_who(struct kanal_buffer *out, yyjson_val *customer, const struct line_style *style)
{
    kanal_str address = kanal_json_text_at(customer, "address"), name = kanal_json_text_at(customer, "name");

    if (address.len == 0) /* a fact */
        address = kanal_json_text_at(customer, "node");
    if (address.len == 0)
        return;
    kanal_buffer_byte(out, ' ');
    paint(out, style, BOLD);
    terminal_text(out, address);
    paint(out, style, PLAIN);
    word(out, "", name, "");
}

static const struct kind *kind_of(kanal_str type)
{
    const struct kind *kind = kinds;

    while (!kanal_str_starts(type, kind->type))
        kind++;
    return kind;
}

static int write_event(struct kanal_buffer *out, yyjson_val *event, const struct line_style *style)
{
    yyjson_val *data = kanal_json_at(event, "data");
    kanal_str type = kanal_json_text_at(event, "type");
    struct kanal_buffer summary = { 0 };
    const struct kind *kind;
    int64_t ms;

    if (type.len == 0 || !yyjson_is_obj(data) ||
        kanal_time_parse_rfc3339(kanal_json_text_at(event, "time"), &ms) != 0)
        return -1;
    kind = kind_of(type);
    write_time(out, ms, style);
    paint(out, style, CYAN);
    terminal_text(out, kanal_json_text_at(kanal_json_at(data, "channel"), "id"));
    paint(out, style, PLAIN);
    write_who(out, kanal_json_at(data, "customer"), style);
    kanal_buffer_byte(out, ' ');
    paint(out, style, kind->colour);
    terminal_text(out, type);
    paint(out, style, PLAIN);
    kind->summarise(&summary, data);
    if (summary.len > 0) {
        kanal_buffer_text(out, "  ");
        kanal_buffer_append(out, summary.data, summary.len);
    }
    kanal_buffer_release(&summary);
    return 0;
}

void line_write(struct kanal_buffer *out, kanal_str subject, kanal_str payload,
                const struct line_style *style)
{
    yyjson_doc *document = kanal_json_parse(payload);
    size_t start = out->len;

    if (write_event(out, yyjson_doc_get_root(document), style) != 0) {
        out->len = start;
        write_time(out, style->now_ms, style);
        terminal_text(out, subject);
        kanal_buffer_text(out, "  ");
        if (document)
            rest_of(out, yyjson_doc_get_root(document));
        else {
            kanal_buffer_text(out, "not JSON: ");
            terminal_text(out,
                          kanal_str_of(payload.ptr, payload.len < REST_BYTES ? payload.len : REST_BYTES));
        }
    }
    yyjson_doc_free(document);
}
