#include "reader.h"

#include "head.h"
#include "kanal/sdk/str.h"

void reader_release(struct reader *r)
{
    if (r->part.object)
        g_object_unref(r->part.object);
    kanal_buffer_release(&r->head);
    kanal_buffer_release(&r->out);
    memset(r, 0, sizeof *r);
}

void reader_feed(struct reader *r, kanal_str bytes)
{
    r->rest = bytes;
}

void reader_finish(struct reader *r)
{
    r->is_finished = 1;
}

/* ---- Header blocks ---- */

static GMimeParserOptions *options_new(const char *charset)
{
    GMimeParserOptions *options = g_mime_parser_options_new();
    const char *fallbacks[] = { "utf-8", charset ? charset : "windows-1252", NULL };
    g_mime_parser_options_set_fallback_charsets(options, fallbacks);
    return options;
}

static GMimeParser *parser_of(kanal_str head, int32_t *ret_is_cut)
{
    GMimeStream *stream = g_mime_stream_mem_new();
    struct kanal_buffer block = { 0 };
    *ret_is_cut |= head_trim(&block, head);
    kanal_buffer_text(&block, "\r\n"); /* a block that breaks off ends too */
    if (!block.failed)
        g_mime_stream_write(stream, block.data, block.len);
    g_mime_stream_reset(stream);
    kanal_buffer_release(&block);
    GMimeParser *parser = g_mime_parser_new_with_stream(stream);
    g_object_unref(stream);
    return parser;
}

GMimeMessage *reader_message(kanal_str head, const char *charset)
{
    GMimeParserOptions *options = options_new(charset);
    int32_t is_cut = 0;
    GMimeParser *parser = parser_of(head, &is_cut);
    GMimeMessage *message = g_mime_parser_construct_message(parser, options);
    g_object_unref(parser);
    g_mime_parser_options_free(options);
    return message;
}

static void lower_copy(char *out, size_t size, const char *text)
{
    size_t n = text ? strlen(text) : 0;
    if (n >= size)
        n = 0; /* longer than any that is registered: of no known type */
    for (size_t i = 0; i < n; i++)
        out[i] = g_ascii_tolower(text[i]);
    out[n] = 0;
}

static void read_type(struct reader *r, const struct reader_level *around)
{
    GMimeContentType *type = r->part.object ? g_mime_object_get_content_type(r->part.object) : NULL;
    lower_copy(r->part.type, sizeof r->part.type, type ? g_mime_content_type_get_media_type(type) : "text");
    lower_copy(r->part.subtype, sizeof r->part.subtype,
               type ? g_mime_content_type_get_media_subtype(type) : "plain");
    if (around && around->is_digest && r->part.object &&
        g_mime_object_get_header(r->part.object, "Content-Type") == NULL) {
        lower_copy(r->part.type, sizeof r->part.type, "message"); /* RFC 2046, 5.1.5 */
        lower_copy(r->part.subtype, sizeof r->part.subtype, "rfc822");
    }
}

/* The parts of this one follow: 1, if it is a multipart that can be told apart. */
static int open_level(struct reader *r, const struct reader_level *around)
{
    const char *boundary = r->part.object && strcmp(r->part.type, "multipart") == 0
                               ? g_mime_object_get_content_type_parameter(r->part.object, "boundary")
                               : NULL;
    size_t n = boundary ? strlen(boundary) : 0;
    if (n == 0 &&
        strcmp(r->part.type, "multipart") == 0) { /* nobody can tell its parts: it is shown as it is */
        memcpy(r->part.type, "text", 5);
        memcpy(r->part.subtype, "plain", 6);
    }
    if (n == 0 || n > READER_BOUNDARY_MAX || r->depth == READER_DEPTH_MAX)
        return 0;
    struct reader_level *level = &r->levels[r->depth++];
    memset(level, 0, sizeof *level);
    memcpy(level->boundary, boundary, n + 1);
    level->length = (uint32_t)n;
    level->alternative = strcmp(r->part.subtype, "alternative") == 0 ? ++r->alternatives
                         : around                                    ? around->alternative
                                                                     : 0;
    level->in_report = strcmp(r->part.subtype, "report") == 0 || (around && around->in_report);
    level->is_digest = strcmp(r->part.subtype, "digest") == 0;
    return 1;
}

static GMimeContentEncoding encoding_of(GMimeObject *object)
{
    const char *text = object ? g_mime_object_get_header(object, "Content-Transfer-Encoding") : NULL;
    return text ? g_mime_content_encoding_from_string(text) : GMIME_CONTENT_ENCODING_DEFAULT;
}

static void end_head(struct reader *r)
{
    const struct reader_level *around = r->depth > 0 ? &r->levels[r->depth - 1] : NULL;
    GMimeParserOptions *options = options_new(NULL);
    GMimeParser *parser = parser_of(kanal_buffer_view(&r->head), &r->is_cut);
    if (r->part.object)
        g_object_unref(r->part.object);
    r->part.object = g_mime_parser_construct_part(parser, options);
    g_object_unref(parser);
    g_mime_parser_options_free(options);
    read_type(r, around);
    r->emit_head = !r->has_head;
    r->has_head = 1;
    r->in_body = r->at_line_start = 1;
    r->held_len = r->line_len = 0;
    if (open_level(r, around))
        return;
    r->part.alternative = around ? around->alternative : 0;
    r->part.in_report = around ? around->in_report : 0;
    r->parts++;
    r->is_leaf = r->emit_part = 1;
    g_mime_encoding_init_decode(&r->decoder, encoding_of(r->part.object));
}

static void begin_head(struct reader *r)
{
    r->in_body = 0;
    r->head_line = 0;
    kanal_buffer_clear(&r->head);
}

/* ---- Bodies ---- */

static void decode(struct reader *r, const char *bytes, size_t len)
{
    if (!r->is_leaf || len == 0)
        return;
    size_t room = g_mime_encoding_outlen(&r->decoder, len);
    if (kanal_buffer_reserve(&r->out, room) != 0)
        return;
    r->out.len += g_mime_encoding_step(&r->decoder, bytes, len, r->out.data + r->out.len);
    r->emit_data = r->out.len > 0;
}

static void release_held(struct reader *r)
{
    decode(r, r->held, r->held_len);
    r->held_len = 0;
}

static void end_leaf(struct reader *r)
{
    if (!r->is_leaf)
        return;
    if (kanal_buffer_reserve(&r->out, g_mime_encoding_outlen(&r->decoder, 0) + 64) == 0)
        r->out.len += g_mime_encoding_flush(&r->decoder, "", 0, r->out.data + r->out.len);
    r->emit_data = r->out.len > 0;
    r->emit_end = 1;
    r->is_leaf = 0;
}

/* The level whose separator the line is, or -1. */
static int level_of(const struct reader *r, const char *line, size_t len, int *ret_is_last)
{
    while (len > 0 &&
           (line[len - 1] == '\n' || line[len - 1] == '\r' || line[len - 1] == ' ' || line[len - 1] == '\t'))
        len--;
    if (len < 3 || line[0] != '-' || line[1] != '-')
        return -1;
    for (int i = (int)r->depth - 1; i >= 0; i--) {
        const struct reader_level *level = &r->levels[i];
        if (len < level->length + 2 || memcmp(line + 2, level->boundary, level->length) != 0)
            continue;
        const char *after = line + 2 + level->length;
        size_t left = len - 2 - level->length;
        *ret_is_last = left == 2 && memcmp(after, "--", 2) == 0;
        if (left == 0 || *ret_is_last)
            return i;
    }
    return -1;
}

static int separate(struct reader *r, const char *line, size_t len)
{
    int is_last = 0, level = level_of(r, line, len, &is_last);
    if (level < 0)
        return 0;
    r->held_len = 0;
    end_leaf(r);
    r->depth = (uint32_t)level + (is_last ? 0 : 1);
    r->line_len = 0;
    r->in_body = r->at_line_start = 1;
    if (!is_last && r->parts < READER_PARTS_MAX) {
        begin_head(r);
    } else if (!is_last) {
        r->is_cut = 1;
        r->depth = 0; /* nothing separates any more: the rest passes by */
    }
    return 1;
}

/* What is in `line` is no separator. */
static void release_line(struct reader *r)
{
    release_held(r);
    size_t n = r->line_len;
    size_t end = n > 0 && r->line[n - 1] == '\n' ? (n > 1 && r->line[n - 2] == '\r' ? 2 : 1) : 0;
    decode(r, r->line, n - end);
    memcpy(r->held, r->line + n - end, end);
    r->held_len = (uint32_t)end;
    r->at_line_start = end > 0;
    r->line_len = 0;
}

static void take_line(struct reader *r)
{
    const char *end = memchr(r->rest.ptr, '\n', r->rest.len);
    size_t n = end ? (size_t)(end - r->rest.ptr) + 1 : r->rest.len, room = sizeof r->line - r->line_len;
    if (n > room) {
        n = room;
        end = NULL;
    }
    memcpy(r->line + r->line_len, r->rest.ptr, n);
    r->line_len += (uint32_t)n;
    r->rest = kanal_str_from(r->rest, n);
    int may_be = r->line[0] == '-' && (r->line_len < 2 || r->line[1] == '-');
    if (end && may_be && separate(r, r->line, r->line_len))
        return;
    if (end || !may_be || r->line_len == sizeof r->line)
        release_line(r);
}

/* Up to the next line that begins with "--". */
static void take_span(struct reader *r)
{
    const char *from = r->rest.ptr;
    if (r->held_len == 1 && r->held[0] == '\r' && from[0] == '\n') {
        r->held[1] = '\n';
        r->held_len = 2;
        r->at_line_start = 1;
        r->rest = kanal_str_from(r->rest, 1);
        return;
    }
    const char *next = memmem(from, r->rest.len, "\n--", 3);
    size_t n = next ? (size_t)(next - from) + 1 : r->rest.len;
    if (!next && n >= 2 && from[n - 1] == '-' && from[n - 2] == '\n')
        n--;
    size_t end = from[n - 1] == '\n' ? (n > 1 && from[n - 2] == '\r' ? 2 : 1) : from[n - 1] == '\r' ? 1 : 0;
    release_held(r);
    decode(r, from, n - end);
    memcpy(r->held, from + n - end, end);
    r->held_len = (uint32_t)end;
    r->at_line_start = from[n - 1] == '\n';
    r->rest = kanal_str_from(r->rest, n);
}

static void take_body(struct reader *r)
{
    if (r->depth == 0 && !r->is_leaf) {
        r->rest.len = 0; /* behind the last part */
        return;
    }
    if (r->at_line_start && (r->line_len > 0 || r->rest.ptr[0] == '-')) {
        take_line(r);
        return;
    }
    r->at_line_start = 0;
    take_span(r);
}

static void take_head(struct reader *r)
{
    const char *end = memchr(r->rest.ptr, '\n', r->rest.len);
    size_t n = end ? (size_t)(end - r->rest.ptr) + 1 : r->rest.len;
    size_t line = r->head_line + n;
    if (r->head.len + n <= READER_HEAD_MAX)
        kanal_buffer_append(&r->head, r->rest.ptr, n);
    else
        r->is_cut = 1;
    const char *bytes = r->rest.ptr;
    r->rest = kanal_str_from(r->rest, n);
    if (!end) {
        r->head_line = (uint32_t)(line < UINT32_MAX ? line : UINT32_MAX);
        return;
    }
    int is_blank = line == 1 || (line == 2 && (n == 2            ? bytes[0]
                                               : r->head.len > 1 ? r->head.data[r->head.len - 2]
                                                                 : 0) == '\r');
    int is_whole = r->head.len >= line && !r->head.failed;
    r->head_line = 0;
    if (is_blank) {
        end_head(r);
    } else if (is_whole && r->depth > 0) { /* a separator here: that part had no body, and hardly a header */
        separate(r, r->head.data + r->head.len - line, line);
    }
}

/* ---- Tokens ---- */

static int take_waiting(struct reader *r, struct reader_token *t)
{
    if (r->emit_head) {
        r->emit_head = 0;
        t->kind = READER_HEAD;
        t->data = kanal_buffer_view(&r->head);
    } else if (r->emit_part) {
        r->emit_part = 0;
        t->kind = READER_PART;
    } else if (r->emit_data) {
        r->emit_data = 0;
        t->kind = READER_DATA;
        t->data = kanal_buffer_view(&r->out);
    } else if (r->emit_end) {
        r->emit_end = 0;
        t->kind = READER_PART_END;
    } else {
        return 0;
    }
    return 1;
}

/* The end of the mail is the end of whatever is open. */
static void close_all(struct reader *r)
{
    if (!r->in_body)
        end_head(r);
    else if (r->line_len > 0 && !separate(r, r->line, r->line_len))
        release_line(r);
    if (!r->in_body) /* the last line began another part */
        r->in_body = 1;
    release_held(r);
    end_leaf(r);
    r->has_ended = 1;
}

enum reader_kind reader_next(struct reader *r, struct reader_token *ret_token)
{
    *ret_token = (struct reader_token){ .part = &r->part };
    for (;;) {
        if (take_waiting(r, ret_token))
            return ret_token->kind;
        kanal_buffer_clear(&r->out);
        if (r->rest.len == 0)
            break;
        if (r->in_body)
            take_body(r);
        else
            take_head(r);
    }
    if (!r->is_finished)
        return ret_token->kind = READER_MORE;
    if (!r->has_ended) {
        close_all(r);
        return reader_next(r, ret_token);
    }
    return ret_token->kind = READER_END;
}
