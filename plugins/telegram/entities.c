#include "markup.h"

#define SPANS_MAX 128

enum form { FORM_SIMPLE, FORM_LINK, FORM_USER };

static const struct kind {
    const char *type, *open, *close;
    enum form form;
} kinds[] = {
    { "bold", "<b>", "</b>", FORM_SIMPLE },
    { "italic", "<i>", "</i>", FORM_SIMPLE },
    { "underline", "<u>", "</u>", FORM_SIMPLE },
    { "strikethrough", "<s>", "</s>", FORM_SIMPLE },
    { "spoiler", "<span class=\"spoiler\">", "</span>", FORM_SIMPLE },
    { "code", "<code>", "</code>", FORM_SIMPLE },
    { "pre", "<pre>", "</pre>", FORM_SIMPLE },
    { "blockquote", "<blockquote>", "</blockquote>", FORM_SIMPLE },
    { "expandable_blockquote", "<blockquote>", "</blockquote>", FORM_SIMPLE },
    { "text_link", NULL, "</a>", FORM_LINK },
    { "text_mention", NULL, "</a>", FORM_USER },
};

struct span {
    int64_t start, end; /* UTF-16 code units */
    const struct kind *kind;
    yyjson_val *entity;
};

struct walk {
    struct kanal_buffer *out;
    struct span spans[SPANS_MAX]; /* by start, the longer first */
    size_t span_count, next;
    const struct span *open[SPANS_MAX];
    size_t open_count;
};

static const struct kind *kind_of(yyjson_val *entity)
{
    kanal_str type = kanal_json_text_at(entity, "type");
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kanal_str_is(type, kinds[i].type))
            return &kinds[i];
    return NULL;
}

int tg_entities_matter(yyjson_val *entities)
{
    size_t index, max;
    yyjson_val *entity;
    yyjson_arr_foreach (entities, index, max, entity)
        if (kind_of(entity) && kanal_json_int_at(entity, "length", 0) > 0)
            return 1;
    return 0;
}

static void collect(struct walk *walk, yyjson_val *entities)
{
    size_t index, max;
    yyjson_val *entity;
    yyjson_arr_foreach (entities, index, max, entity) {
        struct span span = { kanal_json_int_at(entity, "offset", -1), kanal_json_int_at(entity, "length", 0),
                             kind_of(entity), entity };
        if (!span.kind || span.start < 0 || span.start > INT32_MAX || span.end <= 0 || span.end > INT32_MAX)
            continue;
        if (walk->span_count == SPANS_MAX)
            return;
        span.end += span.start;
        size_t at = walk->span_count++;
        for (; at > 0; at--) {
            const struct span *before = &walk->spans[at - 1];
            if (before->start < span.start || (before->start == span.start && before->end >= span.end))
                break;
            walk->spans[at] = *before;
        }
        walk->spans[at] = span;
    }
}

static void write_open(struct walk *walk, const struct span *span)
{
    struct kanal_buffer *out = walk->out;
    char scratch[24];
    switch (span->kind->form) {
    case FORM_LINK:
        kanal_buffer_text(out, "<a href=\"");
        tg_escape(out, kanal_json_text_at(span->entity, "url"));
        kanal_buffer_text(out, "\">");
        break;
    case FORM_USER:
        kanal_buffer_text(out, "<a href=\"tg://user?id=");
        tg_escape(out, kanal_json_id_at(kanal_json_at(span->entity, "user"), "id", scratch));
        kanal_buffer_text(out, "\">");
        break;
    case FORM_SIMPLE:
        kanal_buffer_text(out, span->kind->open);
        break;
    }
}

/* Closes what ends at or before `at`; what lies inside of it and goes on is closed and opened again. */
static void close_ended(struct walk *walk, int64_t at)
{
    size_t lowest = 0, kept = 0;
    while (lowest < walk->open_count && walk->open[lowest]->end > at)
        lowest++;
    if (lowest == walk->open_count)
        return;
    for (size_t i = walk->open_count; i > lowest; i--)
        kanal_buffer_text(walk->out, walk->open[i - 1]->kind->close);
    for (size_t i = lowest; i < walk->open_count; i++)
        if (walk->open[i]->end > at)
            walk->open[lowest + kept++] = walk->open[i];
    walk->open_count = lowest + kept;
    for (size_t i = lowest; i < walk->open_count; i++)
        write_open(walk, walk->open[i]);
}

static void open_started(struct walk *walk, int64_t at)
{
    for (; walk->next < walk->span_count && walk->spans[walk->next].start <= at; walk->next++) {
        const struct span *span = &walk->spans[walk->next];
        if (span->end <= at)
            continue;
        write_open(walk, span);
        walk->open[walk->open_count++] = span;
    }
}

/* Bytes of the UTF-8 sequence that starts with this byte; the text is valid UTF-8, as the JSON reader saw to
 * it. */
static size_t sequence_len(unsigned char first)
{
    return first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

void tg_entities_html(struct kanal_buffer *out, kanal_str text, yyjson_val *entities)
{
    struct walk walk = { .out = out };
    int64_t at = 0;
    collect(&walk, entities);
    for (size_t i = 0; i < text.len;) {
        size_t n = sequence_len((unsigned char)text.ptr[i]);
        if (n > text.len - i)
            n = text.len - i;
        close_ended(&walk, at);
        open_started(&walk, at);
        tg_escape(out, kanal_str_of(text.ptr + i, n));
        at += n == 4 ? 2 : 1;
        i += n;
    }
    close_ended(&walk, INT64_MAX);
}
