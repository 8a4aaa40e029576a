/* config/yaml.c - libyaml's events to a tree. The stack is ours: nothing recurses. */
#include <stdlib.h>
#include <string.h>
#include <yaml.h>
#include "json/quote.h"
#include "kanal/sdk/str.h"
#include "yaml.h" /* NOLINT(readability-duplicate-include): ours, not libyaml's */

#define SLOTS_AT_FIRST 256u

/* An object or array that is open. */
struct frame {
    yyjson_mut_val *container;
    yyjson_mut_val *key; /* read, its value follows; NULL in an array or when a key follows */
    uint32_t index;
    int discard; /* the key was there already: its value is read and dropped */
};

/* Keys that were seen, by object, to find duplicates in one step. */
struct seen {
    const yyjson_mut_val *object;
    yyjson_mut_val *key;
    uint32_t line;
};

struct reader {
    yaml_parser_t parser;
    kanal_str text;
    yyjson_mut_doc *doc;
    struct config_positions *positions;
    struct config_errors *errors;
    struct frame frames[CONFIG_YAML_DEPTH + 1];
    uint32_t depth;
    struct seen *seen;
    size_t seen_count, seen_size;
    yyjson_mut_val *root;
    int stopped; /* the tree ends here */
    int flawed;  /* it goes on, but a value is missing */
    int out_of_memory;
};

static struct kanal_buffer *error_at(struct reader *r, const yaml_mark_t *mark)
{
    return config_error_at(r->errors, (uint32_t)mark->line + 1, (uint32_t)mark->column + 1);
}

static void complain(struct reader *r, const yaml_mark_t *mark, const char *words)
{
    kanal_buffer_text(error_at(r, mark), words);
}

/* ---- Duplicate keys ---- */

static size_t hash(const yyjson_mut_val *object, kanal_str key)
{
    uint64_t h = 14695981039346656037u ^ (uint64_t)(uintptr_t)object;

    for (size_t i = 0; i < key.len; i++)
        h = (h ^ (unsigned char)key.ptr[i]) * 1099511628211u;
    return (size_t)(h ^ h >> 29);
}

static kanal_str text_of(const yyjson_mut_val *string)
{
    return kanal_str_of(yyjson_mut_get_str((yyjson_mut_val *)string),
                        yyjson_mut_get_len((yyjson_mut_val *)string));
}

static struct seen *slot_of(const struct reader *r, const yyjson_mut_val *object, kanal_str key)
{
    size_t at = hash(object, key) & (r->seen_size - 1);

    while (r->seen[at].key &&
           (r->seen[at].object != object || !kanal_str_equal(text_of(r->seen[at].key), key)))
        at = (at + 1) & (r->seen_size - 1);
    return &r->seen[at];
}

static int grow_seen(struct reader *r)
{
    struct seen *old = r->seen;
    size_t old_size = r->seen_size;

    if (r->seen_count * 2 < r->seen_size)
        return 0;
    r->seen_size = old_size ? old_size * 2 : SLOTS_AT_FIRST;
    r->seen = calloc(r->seen_size, sizeof *r->seen);
    for (size_t i = 0; r->seen && i < old_size; i++)
        if (old[i].key)
            *slot_of(r, old[i].object, text_of(old[i].key)) = old[i];
    free(old);
    return r->seen ? 0 : -1;
}

/* 1: it is new. */
static int note_key(struct reader *r, const yyjson_mut_val *object, yyjson_mut_val *key,
                    const yaml_mark_t *mark)
{
    struct seen *slot;
    struct kanal_buffer *error;

    if (grow_seen(r) != 0) {
        r->out_of_memory = 1;
        return 0;
    }
    slot = slot_of(r, object, text_of(key));
    if (slot->key) {
        error = error_at(r, mark);
        kanal_buffer_text(error, "the key ");
        json_quote(error, text_of(key));
        kanal_buffer_text(error, " is there already, on line ");
        kanal_buffer_uint(error, slot->line);
        return 0;
    }
    slot->object = object;
    slot->key = key;
    slot->line = (uint32_t)mark->line + 1;
    r->seen_count++;
    return 1;
}

/* ---- Values ---- */

static void note_position(struct reader *r, const yyjson_mut_val *value, const yaml_mark_t *mark, int is_key)
{
    struct frame *top = r->depth > 0 ? &r->frames[r->depth - 1] : NULL;
    struct config_position position = { .value = value,
                                        .line = (uint32_t)mark->line + 1,
                                        .column = (uint32_t)mark->column + 1,
                                        .parent = top ? top->container : NULL,
                                        .key = top ? top->key : NULL,
                                        .index = top ? top->index : 0,
                                        .is_key = is_key };

    if (config_positions_add(r->positions, &position) != 0)
        r->out_of_memory = 1;
}

/* A key waits in the frame until its value comes. */
static void add_key(struct reader *r, yyjson_mut_val *key, const yaml_mark_t *mark)
{
    struct frame *top = &r->frames[r->depth - 1];

    note_position(r, key, mark, 1);
    top->discard = !note_key(r, top->container, key, mark);
    top->key = key;
}

static void add_value(struct reader *r, yyjson_mut_val *value, const yaml_mark_t *mark)
{
    struct frame *top = r->depth > 0 ? &r->frames[r->depth - 1] : NULL;
    int added = 1;

    note_position(r, value, mark, 0);
    if (!top) {
        r->root = value;
    } else if (!top->key) {
        added = yyjson_mut_arr_append(top->container, value);
        top->index++;
    } else {
        if (!top->discard)
            added = yyjson_mut_obj_add(top->container, top->key, value);
        top->key = NULL;
    }
    if (!added)
        r->out_of_memory = 1;
}

static int key_follows(const struct reader *r)
{
    const struct frame *top = r->depth > 0 ? &r->frames[r->depth - 1] : NULL;

    return top && !top->key && yyjson_mut_is_obj(top->container);
}

static void refuse_properties(struct reader *r, const yaml_event_t *event, const yaml_char_t *anchor,
                              const yaml_char_t *tag)
{
    if (anchor)
        complain(r, &event->start_mark, "anchors (&name) are not supported: write the value out");
    if (tag)
        complain(r, &event->start_mark, "tags (!name) are not supported: quote a value to make it a string");
}

static void read_scalar(struct reader *r, const yaml_event_t *event)
{
    kanal_str text = kanal_str_of((const char *)event->data.scalar.value, event->data.scalar.length);
    int is_key = key_follows(r), is_plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    yyjson_mut_val *value = yyjson_mut_strncpy(r->doc, text.ptr, text.len);

    refuse_properties(r, event, event->data.scalar.anchor, event->data.scalar.tag);
    if (!value) {
        r->out_of_memory = 1;
        return;
    }
    if (memchr(text.ptr, 0, text.len))
        complain(r, &event->start_mark, "the character NUL (\\0) is not allowed");
    if (is_key && is_plain && kanal_str_is(text, "<<"))
        complain(r, &event->start_mark, "merge keys (<<) are not supported: write the members out");
    if (!is_key && is_plain && !event->data.scalar.tag && config_yaml_plain(value, text) < 0) {
        complain(r, &event->start_mark,
                 "this number is not finite or needs more than 64 bits; quote it if it is meant as text");
        r->flawed = 1;
    }
    if (is_key)
        add_key(r, value, &event->start_mark);
    else
        add_value(r, value, &event->start_mark);
}

static void open_container(struct reader *r, const yaml_event_t *event, int is_object)
{
    yyjson_mut_val *value;

    if (is_object)
        refuse_properties(r, event, event->data.mapping_start.anchor, event->data.mapping_start.tag);
    else
        refuse_properties(r, event, event->data.sequence_start.anchor, event->data.sequence_start.tag);
    if (key_follows(r) || r->depth == CONFIG_YAML_DEPTH) {
        complain(r, &event->start_mark,
                 key_follows(r) ? "expected a plain key, found a list or map"
                                : "nested too deeply: at most 32 levels");
        r->stopped = 1;
        return;
    }
    value = is_object ? yyjson_mut_obj(r->doc) : yyjson_mut_arr(r->doc);
    if (!value) {
        r->out_of_memory = 1;
        return;
    }
    add_value(r, value, &event->start_mark);
    memset(&r->frames[r->depth], 0, sizeof r->frames[0]);
    r->frames[r->depth++].container = value;
}

static void read_alias(struct reader *r, const yaml_event_t *event)
{
    yyjson_mut_val *value = key_follows(r) ? NULL : yyjson_mut_null(r->doc);

    complain(r, &event->start_mark, "aliases (*name) are not supported: write the value out");
    r->flawed = 1;
    if (value)
        add_value(r, value, &event->start_mark);
    else
        r->stopped = 1;
}

static void start_document(struct reader *r, const yaml_event_t *event)
{
    if (event->data.document_start.tag_directives.start != event->data.document_start.tag_directives.end)
        complain(r, &event->start_mark, "tags (%TAG) are not supported");
    if (r->root) {
        complain(r, &event->start_mark, "only one document is allowed; this is the second");
        r->stopped = 1;
    }
}

static void read_event(struct reader *r, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        start_document(r, event);
        break;
    case YAML_ALIAS_EVENT:
        read_alias(r, event);
        break;
    case YAML_SCALAR_EVENT:
        read_scalar(r, event);
        break;
    case YAML_MAPPING_START_EVENT:
    case YAML_SEQUENCE_START_EVENT:
        open_container(r, event, event->type == YAML_MAPPING_START_EVENT);
        break;
    case YAML_MAPPING_END_EVENT:
    case YAML_SEQUENCE_END_EVENT:
        r->depth--;
        break;
    default:
        break;
    }
}

/* ---- Errors of libyaml ---- */

/* The reader tells an offset in bytes. */
static yaml_mark_t mark_of_offset(const struct reader *r, size_t offset)
{
    yaml_mark_t mark = { 0 };

    for (size_t i = 0; i < offset && i < r->text.len; i++) {
        unsigned char c = (unsigned char)r->text.ptr[i];
        if (c == '\n') {
            mark.line++;
            mark.column = 0;
        } else if ((c & 0xC0) != 0x80) {
            mark.column++;
        }
    }
    return mark;
}

static int is_indented_with_tab(kanal_str text, size_t line)
{
    size_t at = 0;

    for (; line > 0 && at < text.len; at++)
        line -= text.ptr[at] == '\n';
    while (at < text.len && text.ptr[at] == ' ')
        at++;
    return at < text.len && text.ptr[at] == '\t';
}

static void tell_parser_error(struct reader *r)
{
    const yaml_parser_t *parser = &r->parser;
    yaml_mark_t mark = parser->problem_mark;
    struct kanal_buffer *error;

    r->stopped = 1;
    if (parser->error == YAML_MEMORY_ERROR) {
        r->out_of_memory = 1;
        return;
    }
    if (parser->error == YAML_READER_ERROR)
        mark = mark_of_offset(r, parser->problem_offset);
    error = error_at(r, &mark);
    kanal_buffer_text(error,
                      parser->error == YAML_READER_ERROR ? "the text is not clean UTF-8: " : "no YAML: ");
    kanal_buffer_text(error, parser->problem ? parser->problem : "unknown error");
    if (parser->error == YAML_READER_ERROR)
        return;
    if (parser->context) {
        kanal_buffer_text(error, ", ");
        kanal_buffer_text(error, parser->context);
        kanal_buffer_text(error, " that starts on line ");
        kanal_buffer_uint(error, parser->context_mark.line + 1);
    }
    if (is_indented_with_tab(r->text, mark.line))
        kanal_buffer_text(error, "; indent with spaces, not with tabs");
}

static void read_all(struct reader *r)
{
    int done = 0;

    while (!done && !r->stopped && !r->out_of_memory) {
        yaml_event_t event;
        if (!yaml_parser_parse(&r->parser, &event)) {
            tell_parser_error(r);
            break;
        }
        done = event.type == YAML_STREAM_END_EVENT;
        read_event(r, &event);
        if (event.type == YAML_SCALAR_EVENT)
            explicit_bzero(event.data.scalar.value, event.data.scalar.length);
        yaml_event_delete(&event);
    }
}

int config_yaml_read(yyjson_mut_doc *doc, kanal_str text, struct config_positions *positions,
                     struct config_errors *errors, int *ret_whole)
{
    static const yaml_mark_t start = { 0, 0, 0 };
    struct reader r = { .text = text, .doc = doc, .positions = positions, .errors = errors };

    if (!yaml_parser_initialize(&r.parser))
        return KANAL_E_INTERNAL;
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)text.ptr, text.len);
    read_all(&r);
    /* The file may hold secrets, and libyaml frees its buffers as they are. */
    explicit_bzero(r.parser.raw_buffer.start, (size_t)(r.parser.raw_buffer.end - r.parser.raw_buffer.start));
    explicit_bzero(r.parser.buffer.start, (size_t)(r.parser.buffer.end - r.parser.buffer.start));
    yaml_parser_delete(&r.parser);
    free(r.seen);
    if (!r.root && !r.stopped && !r.out_of_memory) { /* an empty file */
        r.root = yyjson_mut_null(doc);
        note_position(&r, r.root, &start, 0);
    }
    yyjson_mut_doc_set_root(doc, r.root);
    config_positions_sort(positions);
    *ret_whole = !r.stopped && !r.flawed;
    return r.out_of_memory ? KANAL_E_INTERNAL : 0;
}
