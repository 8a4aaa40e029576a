/* Texts and captions. */
#include "outbound/adapt/grapheme.h"
#include "outbound/adapt/inside.h"

void words_new_line(struct rich *words)
{
    if (words->text.len > 0)
        rich_text(words, KANAL_LIT("\n"));
}

void words_new_paragraph(struct rich *words)
{
    if (words->text.len > 0)
        rich_text(words, KANAL_LIT("\n\n"));
}

enum markup words_dialect(const struct builder *b, const struct rich *words, enum markup from)
{
    if (words->count == 0)
        return MARKUP_PLAIN;
    return from != MARKUP_PLAIN && markup_fits(b->target->caps, from) ? from
           : has_cap(b, KANAL_CAP_MARKUP_HTML)                        ? MARKUP_HTML
           : has_cap(b, KANAL_CAP_MARKUP_MARKDOWN)                    ? MARKUP_MARKDOWN
                                                                      : MARKUP_PLAIN;
}

/* What does the dialect not have a word for? */
static void note_markup(struct builder *b, const struct rich *words, enum markup from, enum markup to)
{
    if (words->count > 0 && to == MARKUP_PLAIN)
        builder_loss(b, ADAPT_CONVERTED, "without formatting; links show their address");
    for (uint32_t i = 0; from == MARKUP_HTML && to == MARKUP_MARKDOWN && i < words->count; i++)
        if (words->spans[i].kind == RICH_UNDERLINE || words->spans[i].kind == RICH_SPOILER ||
            words->spans[i].kind == RICH_QUOTE)
            builder_loss(b, ADAPT_CONVERTED, "without underlines, spoilers and quotes: markdown has none");
}

static void write_markup(struct builder *b, const char *key, enum markup markup)
{
    if (markup != MARKUP_PLAIN)
        kanal_json_member_text(&b->json, key, markup == MARKUP_HTML ? "html" : "markdown");
}

/* ---- Texts ---- */

struct showing {
    struct builder *b;
    yyjson_val *source;
    enum markup to;
    uint32_t pieces;
};

static int show_piece(void *user, kanal_str piece)
{
    static const char *const carried[] = { "preview", "provider", NULL };
    struct showing *showing = user;
    struct builder *b = showing->b;
    builder_begin(b);
    if (b->out->error)
        return 1;
    kanal_json_object(&b->json);
    kanal_json_member_text(&b->json, "type", "text");
    kanal_json_member_str(&b->json, "text", piece);
    write_markup(b, "markup", showing->to);
    for (const char *const *name = carried; *name; name++) {
        if (!kanal_json_at(showing->source, *name))
            continue;
        kanal_json_key(&b->json, *name);
        kanal_json_value(&b->json, kanal_json_at(showing->source, *name));
    }
    kanal_json_object_end(&b->json);
    showing->pieces++;
    return 0;
}

/* Takes back what a try has written that led nowhere. */
static void undo(struct builder *b, uint32_t part_count)
{
    builder_end(b);
    if (b->out->part_count > part_count)
        b->out->json.len = b->out->parts[part_count].first;
    b->out->part_count = part_count;
}

static void show_flat(struct builder *b, const struct rich *words, struct showing *showing)
{
    struct split_limits limits = text_limits(b->limits);
    struct rich flat = { 0 };
    rich_flatten(words, &flat);
    showing->to = MARKUP_PLAIN;
    b->out->failed |= rich_failed(&flat);
    if (split_rich(&flat, MARKUP_PLAIN, &limits, show_piece, showing) == SPLIT_TOO_NARROW)
        builder_fail(b, "payload_too_large");
    rich_release(&flat);
}

void words_show(struct builder *b, const struct rich *words, enum markup from, yyjson_val *source)
{
    struct split_limits limits = text_limits(b->limits);
    struct showing showing = { .b = b, .source = source, .to = words_dialect(b, words, from) };
    uint32_t before = b->out->part_count;
    b->out->failed |= rich_failed(words);
    if (b->out->failed)
        return;
    if (!has_cap(b, KANAL_CAP_TEXT)) {
        builder_fail(b, "unsupported_content");
        return;
    }
    if (showing.to != MARKUP_PLAIN &&
        split_rich(words, showing.to, &limits, show_piece, &showing) == SPLIT_TOO_NARROW) {
        undo(b, before); /* the markup leaves no room for words */
        showing.to = MARKUP_PLAIN;
        showing.pieces = 0;
    }
    if (showing.to == MARKUP_PLAIN)
        show_flat(b, words, &showing);
    note_markup(b, words, from, showing.to);
    if (showing.pieces > 1)
        builder_loss(b, ADAPT_SPLIT, "longer than a message of the channel may be: it becomes several");
}

/* ---- Captions ---- */

struct catching {
    struct kanal_buffer text;
    uint32_t pieces;
};

static int catch_piece(void *user, kanal_str piece)
{
    struct catching *catching = user;
    if (catching->pieces++ == 0)
        kanal_buffer_str(&catching->text, piece);
    return catching->pieces > 1;
}

int words_as_caption(struct builder *b, const struct rich *words, enum markup from)
{
    struct split_limits limits = caption_limits(b->limits);
    enum markup to = words_dialect(b, words, from);
    struct catching catching = { 0 };
    struct rich flat = { 0 };
    if (to == MARKUP_PLAIN)
        rich_flatten(words, &flat);
    int result = split_rich(to == MARKUP_PLAIN ? &flat : words, to, &limits, catch_piece, &catching);
    int fits = result == 0 && catching.pieces == 1 && !catching.text.failed;
    if (fits) {
        kanal_json_member_str(&b->json, "caption", kanal_buffer_view(&catching.text));
        write_markup(b, "caption_markup", to);
        note_markup(b, words, from, to);
    }
    rich_release(&flat);
    kanal_buffer_release(&catching.text);
    return fits;
}
