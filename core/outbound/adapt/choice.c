/* Choices: as buttons of the one kind or the other, or as numbered lines. */
#include "outbound/adapt/grapheme.h"
#include "outbound/adapt/inside.h"

struct choice choice_of(yyjson_val *part)
{
    return (struct choice){ .options = kanal_json_at(part, "options"),
                            .source = part,
                            .asked = kanal_json_text_at(part, "style"),
                            .text = kanal_json_text_at(part, "text") };
}

/* ---- Options ---- */

/* As much of the text as fits, and "…". */
static kanal_str shorten(kanal_str text, uint32_t chars, struct kanal_buffer *scratch)
{
    kanal_buffer_clear(scratch);
    if (chars == 0 || grapheme_count_points(text) <= chars)
        return text;
    size_t end = 0, points = 0;
    while (end < text.len) {
        size_t length = grapheme_next(kanal_str_from(text, end));
        points += grapheme_count_points(kanal_str_of(text.ptr + end, length));
        if (points + 1 > chars)
            break;
        end += length;
    }
    while (end > 0 && text.ptr[end - 1] == ' ')
        end--;
    kanal_buffer_append(scratch, text.ptr, end);
    kanal_buffer_text(scratch, "\xE2\x80\xA6");
    return kanal_buffer_view(scratch);
}

/* Shortened, do two of them read the same? */
static int would_be_equal(yyjson_val *options, uint32_t chars)
{
    struct kanal_buffer a = { 0 }, b = { 0 };
    size_t i, j, count = yyjson_arr_size(options);
    int equal = 0;
    for (i = 0; i < count && !equal; i++) {
        kanal_str full = kanal_json_text_at(yyjson_arr_get(options, i), "text");
        kanal_str first = shorten(full, chars, &a);
        for (j = 0; a.len > 0 && j < count && !equal; j++)
            equal = j != i &&
                    kanal_str_equal(
                        first, shorten(kanal_json_text_at(yyjson_arr_get(options, j), "text"), chars, &b));
    }
    kanal_buffer_release(&a);
    kanal_buffer_release(&b);
    return equal;
}

int options_can_fit(yyjson_val *options, const kanal_limits *limits)
{
    if (options_fit(options, limits))
        return 1;
    if (limits->options > 0 && yyjson_arr_size(options) > limits->options)
        return 0;
    if (limits->payload_bytes > 0 && limits->payload_bytes < ADAPT_TOKEN_MIN)
        return 0;
    return (limits->option_chars == 0 || limits->option_chars > 3) &&
           !would_be_equal(options, limits->option_chars);
}

/* What the customer may answer: remembered by whoever sends it. number: 0: none was shown. */
static void offer(struct builder *b, uint32_t number, kanal_str shown, yyjson_val *option)
{
    struct kanal_buffer *out = &b->out->offer;
    struct kanal_json json;
    kanal_str full = kanal_json_text_at(option, "text"), payload = kanal_json_text_at(option, "payload");
    if (out->len > 0)
        kanal_buffer_byte(out, ',');
    kanal_json_init(&json, out);
    kanal_json_object(&json);
    if (number > 0)
        kanal_json_member_int(&json, "n", number);
    kanal_json_member_str(&json, "text", shown);
    if (!kanal_str_equal(shown, full))
        kanal_json_member_str(&json, "full", full);
    kanal_json_member_str(&json, "payload", payload.len > 0 ? payload : full);
    kanal_json_object_end(&json);
}

static void remember_token(struct builder *b, kanal_str token, kanal_str payload)
{
    struct kanal_buffer *out = &b->out->tokens;
    struct kanal_json json;
    if (out->len > 0)
        kanal_buffer_byte(out, ',');
    kanal_json_init(&json, out);
    kanal_json_str(&json, token);
    kanal_buffer_byte(out, ':');
    kanal_json_init(&json, out);
    kanal_json_str(&json, payload);
}

static void write_payload(struct builder *b, yyjson_val *option, int is_converted)
{
    kanal_str payload = kanal_json_text_at(option, "payload");
    char text[ADAPT_TOKEN_LEN + 1];
    if (payload.len == 0 && is_converted && option_answers(option))
        payload = kanal_json_text_at(option, "text"); /* quick replies need none */
    if (b->limits->payload_bytes > 0 && payload.len > b->limits->payload_bytes) {
        kanal_str token = adapt_token(payload, b->limits->payload_bytes, text);
        remember_token(b, token, payload);
        payload = token;
    }
    if (payload.len > 0)
        kanal_json_member_str(&b->json, "payload", payload);
}

static void write_option(struct builder *b, yyjson_val *option, int is_converted,
                         struct kanal_buffer *scratch)
{
    size_t index, max;
    yyjson_val *key, *value;
    kanal_str full = kanal_json_text_at(option, "text");
    kanal_str shown = shorten(full, b->limits->option_chars, scratch);
    if (!kanal_str_equal(shown, full))
        builder_choice_loss(b, ADAPT_SHORTENED, "options are longer than the channel shows");
    kanal_json_object(&b->json);
    kanal_json_member_str(&b->json, "text", shown);
    write_payload(b, option, is_converted);
    yyjson_obj_foreach (option, index, max, key, value) {
        kanal_str name = kanal_json_text(key);
        if (kanal_str_is(name, "text") || kanal_str_is(name, "payload"))
            continue;
        kanal_json_key_str(&b->json, name);
        kanal_json_value(&b->json, value);
    }
    kanal_json_object_end(&b->json);
    /* Some channels tell only what stood on the button. */
    if (option_answers(option) && (is_converted || !kanal_str_equal(shown, full)))
        offer(b, 0, shown, option);
}

void options_write(struct builder *b, const struct choice *choice, const char *style)
{
    struct kanal_buffer scratch = { 0 };
    size_t index, max, offered = b->out->offer.len;
    yyjson_val *option;
    int is_converted = !kanal_str_is(choice->asked, style);
    kanal_json_array(&b->json);
    if (yyjson_is_arr(choice->options))
        yyjson_arr_foreach (choice->options, index, max, option)
            write_option(b, option, is_converted, &scratch);
    kanal_json_array_end(&b->json);
    if (b->out->offer.len > offered && b->out->offer_part == 0)
        b->out->offer_part = b->out->part_count;
    b->out->failed |= scratch.failed;
    kanal_buffer_release(&scratch);
}

/* ---- The style ---- */

/* Pages and calls are for buttons, requests for quick replies: these two do not change places. */
static int all_answer(yyjson_val *options)
{
    size_t index, max;
    yyjson_val *option;
    if (yyjson_is_arr(options))
        yyjson_arr_foreach (options, index, max, option)
            if (!option_answers(option))
                return 0;
    return 1;
}

const char *choice_style(const struct builder *b, const struct choice *choice)
{
    static const char *const styles[] = { "buttons", "quick_replies", "list" };
    static const char *const instead[] = { "quick_replies", "buttons", "buttons" }, *const last[] = {
        "list", "list", "quick_replies"
    };
    size_t asked = kanal_str_is(choice->asked, "quick_replies") ? 1
                   : kanal_str_is(choice->asked, "list")        ? 2
                                                                : 0;
    if (!options_can_fit(choice->options, b->limits))
        return NULL;
    if (has_cap(b, cap_of_style(kanal_str_c(styles[asked]))))
        return styles[asked];
    if (!all_answer(choice->options))
        return NULL;
    if (has_cap(b, cap_of_style(kanal_str_c(instead[asked]))))
        return instead[asked];
    return has_cap(b, cap_of_style(kanal_str_c(last[asked]))) ? last[asked] : NULL;
}

int choice_is_void(const struct builder *b, const struct choice *choice)
{
    return kanal_json_bool_at(choice->source, "remove") && !has_cap(b, KANAL_CAP_QUICK_REPLIES);
}

void choice_write(struct builder *b, const struct choice *choice, const char *style)
{
    size_t index, max;
    yyjson_val *key, *value;
    if (b->out->error)
        return;
    if (!kanal_str_is(choice->asked, style))
        builder_choice_loss(b, ADAPT_CONVERTED,
                            strcmp(style, "buttons") == 0         ? "shown as buttons"
                            : strcmp(style, "quick_replies") == 0 ? "shown as quick replies"
                                                                  : "shown as a list");
    kanal_json_object(&b->json);
    kanal_json_member_text(&b->json, "type", "choice");
    kanal_json_member_text(&b->json, "style", style);
    kanal_json_key(&b->json, "options");
    options_write(b, choice, style);
    if (choice->source)
        yyjson_obj_foreach (choice->source, index, max, key, value) {
            kanal_str name = kanal_json_text(key);
            if (kanal_str_is(name, "type") || kanal_str_is(name, "style") || kanal_str_is(name, "options"))
                continue;
            kanal_json_key_str(&b->json, name);
            kanal_json_value(&b->json, value);
        }
    kanal_json_object_end(&b->json);
    b->out->offer_stays |= kanal_json_bool_at(choice->source, "persistent");
}

/* ---- In words ---- */

static void list_option(struct builder *b, yyjson_val *option, struct rich *words)
{
    kanal_str text = kanal_json_text_at(option, "text"), more = kanal_json_text_at(option, "description");
    kanal_str target = kanal_json_text_at(option, "url");
    char number[16];
    if (target.len == 0)
        target = kanal_json_text_at(option, "phone");
    words_new_line(words);
    if (option_answers(option)) {
        snprintf(number, sizeof number, "%u. ", ++b->number);
        rich_text(words, kanal_str_c(number));
        offer(b, b->number, text, option);
    }
    rich_text(words, text);
    if (target.len > 0) {
        rich_text(words, KANAL_LIT(": "));
        rich_text(words, target);
    }
    if (more.len > 0) {
        rich_text(words, KANAL_LIT(" \xE2\x80\x93 "));
        rich_text(words, more);
    }
    if (kanal_json_at(option, "request"))
        builder_choice_loss(b, ADAPT_DROPPED, "what a button asks for the customer has to write");
}

void choice_list(struct builder *b, const struct choice *choice, struct rich *words)
{
    size_t index, max;
    yyjson_val *option;
    kanal_str section = { 0 };
    if (choice->text.len > 0) {
        words_new_paragraph(words);
        rich_text(words, choice->text);
    }
    if (!yyjson_is_arr(choice->options) || yyjson_arr_size(choice->options) == 0)
        return;
    builder_choice_loss(b, ADAPT_CONVERTED, "the options become numbered lines; the answer is mapped back");
    if (words->text.len > 0)
        rich_text(words, KANAL_LIT("\n"));
    yyjson_arr_foreach (choice->options, index, max, option) {
        kanal_str heading = kanal_json_text_at(option, "section");
        if (heading.len > 0 && !kanal_str_equal(heading, section)) {
            words_new_line(words);
            rich_text(words, heading);
        }
        section = heading;
        list_option(b, option, words);
    }
    if (b->out->offer.len > 0 && b->out->offer_part == 0)
        b->out->offer_part = b->out->part_count + 1;
    b->out->offer_stays |= kanal_json_bool_at(choice->source, "persistent");
}
