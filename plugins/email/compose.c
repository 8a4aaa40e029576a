#include "compose.h"

#include <gmime/gmime.h>

#include "html.h"
#include "kanal/sdk/member.h"
#include "kanal/sdk/time.h"

#define FILE_BYTES_MAX (48u * 1024u * 1024u)

struct content { /* what is to be shown */
    struct kanal_buffer plain, html;
    yyjson_val *files[COMPOSE_FILES_MAX];
    size_t file_count;
};

static kanal_status refuse(struct composed *c, const char *code, const char *reason)
{
    c->code = code;
    c->reason = reason;
    return KANAL_E_REJECTED;
}

void composed_release(struct composed *c)
{
    kanal_buffer_release(&c->text);
    kanal_buffer_release(&c->id);
    memset(c, 0, sizeof *c);
}

/* ---- Content ---- */

static void add_paragraph(struct kanal_buffer *out, kanal_str text)
{
    if (text.len == 0)
        return;
    if (out->len > 0)
        kanal_buffer_text(out, "\n\n");
    kanal_buffer_str(out, text);
}

static void escape(struct kanal_buffer *out, kanal_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        switch (text.ptr[i]) {
        case '&':
            kanal_buffer_text(out, "&amp;");
            break;
        case '<':
            kanal_buffer_text(out, "&lt;");
            break;
        case '>':
            kanal_buffer_text(out, "&gt;");
            break;
        case '\n':
            kanal_buffer_text(out, "<br>\n");
            break;
        default:
            kanal_buffer_byte(out, text.ptr[i]);
        }
    }
}

static void add_text(struct content *content, yyjson_val *part, const char *member, const char *markup_member)
{
    kanal_str text = kanal_json_text_at(part, member), plain = kanal_json_text_at(part, "plain");
    struct kanal_buffer made = { 0 };
    int is_html = kanal_str_is(kanal_json_text_at(part, markup_member), "html");
    if (text.len == 0)
        return;
    if (is_html && plain.len == 0)
        html_to_text(&made, text);
    if (content->html.len > 0)
        kanal_buffer_text(&content->html, "<br>\n<br>\n");
    if (is_html)
        kanal_buffer_str(&content->html, text);
    else
        escape(&content->html, text);
    add_paragraph(&content->plain, plain.len > 0 ? plain : is_html ? kanal_buffer_view(&made) : text);
    kanal_buffer_release(&made);
}

static int is_media(kanal_str type)
{
    static const char *const types[] = { "image", "video", "audio", "voice", "file", "sticker" };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (kanal_str_is(type, types[i]))
            return 1;
    return 0;
}

static kanal_status add_file(struct composed *c, struct content *content, yyjson_val *part)
{
    if (kanal_json_text_at(part, "url").len == 0)
        return refuse(c, "media_unavailable", "a file without a url");
    if (content->file_count == COMPOSE_FILES_MAX)
        return refuse(c, "unsupported_content", "a mail holds 16 files");
    content->files[content->file_count++] = part;
    return KANAL_OK;
}

/* 1: there is HTML, and not only because of plain text. */
static int has_markup(yyjson_val *parts)
{
    size_t index, max;
    yyjson_val *part;
    yyjson_arr_foreach (parts, index, max, part)
        if (kanal_str_is(kanal_json_text_at(part, "markup"), "html") ||
            kanal_str_is(kanal_json_text_at(part, "caption_markup"), "html"))
            return 1;
    return 0;
}

static kanal_status read_content(struct composed *c, struct content *content, yyjson_val *data)
{
    size_t index, max;
    yyjson_val *part, *parts = kanal_json_at(data, "content");
    yyjson_arr_foreach (parts, index, max, part) {
        kanal_str type = kanal_json_text_at(part, "type");
        kanal_status status = KANAL_OK;
        if (kanal_str_is(type, "text")) {
            if (kanal_json_text_at(part, "text").len == 0)
                status = refuse(c, "invalid_content", "a text without text");
            add_text(content, part, "text", "markup");
        } else if (is_media(type)) {
            add_text(content, part, "caption", "caption_markup");
            status = add_file(c, content, part);
        } else {
            status = refuse(c, "unsupported_content", "a mail shows texts and files");
        }
        if (status != KANAL_OK)
            return status;
    }
    if (content->plain.len == 0 && content->file_count == 0)
        return refuse(c, "unsupported_content", "there is nothing to send");
    if (!has_markup(parts))
        kanal_buffer_clear(&content->html);
    return content->plain.failed || content->html.failed ? KANAL_E_INTERNAL : KANAL_OK;
}

/* ---- The header ---- */

static void line(struct kanal_buffer *out, const char *name, kanal_str value)
{
    if (value.len == 0)
        return;
    kanal_buffer_text(out, name);
    kanal_buffer_text(out, ": ");
    kanal_buffer_str(out, value);
    kanal_buffer_text(out, "\r\n");
}

/* Whatever ends lines ends with CRLF, and nothing else does. */
static void append_lines(struct kanal_buffer *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '\r')
            continue;
        if (*text == '\n')
            kanal_buffer_byte(out, '\r');
        kanal_buffer_byte(out, *text);
    }
}

/* Encoded words where they are needed, folded; a line end in the value cannot begin another header. */
static void line_of_words(struct kanal_buffer *out, const char *name, kanal_str value)
{
    struct kanal_buffer clean = { 0 };
    for (size_t i = 0; i < value.len; i++)
        kanal_buffer_byte(&clean, (unsigned char)value.ptr[i] < 0x20 ? ' ' : value.ptr[i]);
    kanal_buffer_byte(&clean, 0);
    if (value.len > 0 && !clean.failed) {
        char *encoded = g_mime_utils_header_encode_text(NULL, clean.data, "UTF-8");
        char *whole = g_strconcat(name, ": ", encoded, NULL);
        char *folded = g_mime_utils_unstructured_header_fold(NULL, NULL, whole);
        append_lines(out, folded);
        if (out->len < 2 || out->failed || memcmp(out->data + out->len - 2, "\r\n", 2) != 0)
            kanal_buffer_text(out, "\r\n");
        g_free(folded);
        g_free(whole);
        g_free(encoded);
    }
    kanal_buffer_release(&clean);
}

static void line_of_address(struct kanal_buffer *out, const char *name, kanal_str shown, const char *address)
{
    char *copy = shown.len > 0 ? g_strndup(shown.ptr, shown.len) : NULL;
    InternetAddress *one = internet_address_mailbox_new(copy, address);
    internet_address_set_charset(one, "UTF-8");
    char *text = internet_address_to_string(one, NULL, TRUE);
    kanal_buffer_text(out, name);
    kanal_buffer_text(out, ": ");
    append_lines(out, text);
    kanal_buffer_text(out, "\r\n");
    g_free(text);
    g_object_unref(one);
    g_free(copy);
}

static void append_id(struct kanal_buffer *out, kanal_str id)
{
    kanal_buffer_byte(out, '<');
    kanal_buffer_str(out, id);
    kanal_buffer_byte(out, '>');
}

/* An id that may stand in a header; ours for what is too long are none. */
static int is_id(kanal_str id)
{
    return id.len > 0 && id.len < 500 && kanal_str_ascii(id) && !memchr(id.ptr, '<', id.len) &&
           !memchr(id.ptr, '>', id.len) && !kanal_str_starts(id, "sha256-");
}

static void write_references(struct kanal_buffer *out, const struct compose_thread *thread)
{
    kanal_str root = is_id(thread->root) ? thread->root : kanal_str_of(NULL, 0);
    kanal_str target = is_id(thread->target) ? thread->target : root;
    if (target.len == 0)
        return;
    kanal_buffer_text(out, "In-Reply-To: ");
    append_id(out, target);
    kanal_buffer_text(out, "\r\nReferences: ");
    if (root.len > 0 && !kanal_str_equal(root, target)) {
        append_id(out, root);
        kanal_buffer_text(out, "\r\n ");
    }
    append_id(out, target);
    kanal_buffer_text(out, "\r\n");
}

static int is_reply(kanal_str subject)
{
    return subject.len >= 3 && (subject.ptr[0] | 0x20) == 'r' && (subject.ptr[1] | 0x20) == 'e' &&
           subject.ptr[2] == ':';
}

static void write_subject(struct kanal_buffer *out, const struct settings *settings, yyjson_val *data,
                          const struct compose_thread *thread)
{
    kanal_str subject = kanal_json_text_at(data, "subject");
    struct kanal_buffer answer = { 0 };
    if (subject.len == 0 && thread->subject.len > 0) {
        if (!is_reply(thread->subject))
            kanal_buffer_text(&answer, "Re: ");
        kanal_buffer_str(&answer, thread->subject);
        subject = kanal_buffer_view(&answer);
    }
    line_of_words(out, "Subject", kanal_str_cut(subject.len > 0 ? subject : settings->subject, 900));
    kanal_buffer_release(&answer);
}

static int is_by_program(const struct settings *settings, yyjson_val *data)
{
    kanal_str kind = kanal_json_text_at(kanal_json_at(data, "agent"), "kind");
    if (settings->auto_submitted == AUTO_SUBMITTED_BOTS)
        return kanal_str_is(kind, "bot") || kanal_str_is(kind, "system");
    return settings->auto_submitted == AUTO_SUBMITTED_ALWAYS;
}

static void write_id(struct composed *c, const struct settings *settings, kanal_str key)
{
    const char *at = memchr(settings->address.ptr, '@', settings->address.len);
    kanal_buffer_str(&c->id, key);
    kanal_buffer_text(&c->id, ".kanal");
    if (at)
        kanal_buffer_str(&c->id, kanal_str_from(settings->address, (size_t)(at - settings->address.ptr)));
}

static void write_date(struct kanal_buffer *out, int64_t now_ms)
{
    size_t before;
    kanal_buffer_text(out, "Date: ");
    before = out->len;
    kanal_time_http(out, now_ms);
    if (!out->failed && out->len - before > 3)
        out->len -= 3; /* "GMT", which RFC 5322 calls obsolete */
    kanal_buffer_text(out, "+0000\r\n");
}

static void write_header(struct composed *c, const struct settings *settings, yyjson_val *data,
                         const struct compose_thread *thread, const char *recipient, int64_t now_ms)
{
    struct kanal_buffer *out = &c->text;
    write_date(out, now_ms);
    line_of_address(out, "From", settings->name, settings->address.ptr);
    line_of_address(out, "To", kanal_str_of(NULL, 0), recipient);
    write_subject(out, settings, data, thread);
    kanal_buffer_text(out, "Message-ID: ");
    append_id(out, kanal_buffer_view(&c->id));
    kanal_buffer_text(out, "\r\n");
    write_references(out, thread);
    if (c->is_auto) { /* RFC 3834, 5; and what older servers know */
        line(out, "Auto-Submitted",
             is_id(thread->target) ? KANAL_LIT("auto-replied") : KANAL_LIT("auto-generated"));
        line(out, "X-Auto-Response-Suppress", KANAL_LIT("All"));
    }
    line(out, "X-Loop", settings->address);
    kanal_buffer_text(out, "MIME-Version: 1.0\r\n");
}

/* ---- Bodies ---- */

static void write_text_part(struct kanal_buffer *out, const char *type, kanal_str text)
{
    GMimeEncoding encoder;
    g_mime_encoding_init_encode(&encoder, GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE);
    size_t room = g_mime_encoding_outlen(&encoder, text.len) + 64;
    char *encoded = malloc(room);
    kanal_buffer_text(out, "Content-Type: ");
    kanal_buffer_text(out, type);
    kanal_buffer_text(out, "; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n");
    if (!encoded) {
        out->failed = 1;
        return;
    }
    size_t n = g_mime_encoding_flush(&encoder, text.ptr ? text.ptr : "", text.len, encoded);
    for (size_t i = 0; i < n; i++) {
        if (encoded[i] == '\n')
            kanal_buffer_byte(out, '\r');
        if (encoded[i] != '\r')
            kanal_buffer_byte(out, encoded[i]);
    }
    if (n == 0 || encoded[n - 1] != '\n')
        kanal_buffer_text(out, "\r\n");
    free(encoded);
}

static void separator(struct kanal_buffer *out, kanal_str key, char level, int is_last)
{
    kanal_buffer_text(out, "--=_");
    kanal_buffer_byte(out, level);
    kanal_buffer_byte(out, '_');
    kanal_buffer_str(out, key);
    kanal_buffer_text(out, is_last ? "--\r\n" : "\r\n");
}

static void begin_multipart(struct kanal_buffer *out, const char *subtype, kanal_str key, char level)
{
    kanal_buffer_text(out, "Content-Type: multipart/");
    kanal_buffer_text(out, subtype);
    kanal_buffer_text(out, "; boundary=\"=_");
    kanal_buffer_byte(out, level);
    kanal_buffer_byte(out, '_');
    kanal_buffer_str(out, key);
    kanal_buffer_text(out, "\"\r\n\r\n");
}

static void write_words(struct kanal_buffer *out, const struct content *content, kanal_str key)
{
    if (content->html.len == 0) {
        write_text_part(out, "text/plain", kanal_buffer_view(&content->plain));
        return;
    }
    begin_multipart(out, "alternative", key, 'a');
    separator(out, key, 'a', 0);
    write_text_part(out, "text/plain", kanal_buffer_view(&content->plain));
    separator(out, key, 'a', 0);
    write_text_part(out, "text/html", kanal_buffer_view(&content->html));
    separator(out, key, 'a', 1);
}

static void write_file_head(struct kanal_buffer *out, yyjson_val *file)
{
    kanal_str name = kanal_json_text_at(file, "name"), mime = kanal_json_text_at(file, "mime");
    GMimeContentDisposition *disposition = g_mime_content_disposition_new();
    struct kanal_buffer type = { 0 };
    struct kanal_json json;
    kanal_json_init(&json, &type);
    kanal_json_object(&json);
    kanal_member_mime(&json, mime, "application/octet-stream"); /* it knows what a type may look like */
    kanal_json_object_end(&json);
    yyjson_doc *doc = kanal_json_parse(kanal_buffer_view(&type));
    kanal_str checked = kanal_json_text_at(yyjson_doc_get_root(doc), "mime");
    int is_plain = kanal_str_ascii(checked); /* parameters with spaces or the like are left out */
    line(out, "Content-Type", is_plain && checked.len > 0 ? checked : KANAL_LIT("application/octet-stream"));
    g_mime_content_disposition_set_disposition(disposition, "attachment");
    if (name.len > 0) {
        char *copy = g_strndup(name.ptr, name.len);
        for (char *at = copy; *at; at++)
            if ((unsigned char)*at < 0x20)
                *at = ' ';
        g_mime_content_disposition_set_parameter(disposition, "filename", copy);
        g_free(copy);
    }
    char *text = g_mime_content_disposition_encode(disposition, NULL);
    kanal_buffer_text(out, "Content-Disposition: ");
    while (*text == ' ')
        memmove(text, text + 1, strlen(text));
    append_lines(out, text);
    if (out->failed || memcmp(out->data + out->len - 2, "\r\n", 2) != 0)
        kanal_buffer_text(out, "\r\n");
    kanal_buffer_text(out, "Content-Transfer-Encoding: base64\r\n\r\n");
    g_free(text);
    g_object_unref(disposition);
    yyjson_doc_free(doc);
    kanal_buffer_release(&type);
}

/* The text so far is a piece; a file follows it. */
static void cut_piece(struct composed *c, yyjson_val *file)
{
    c->ends[c->piece_count++] = c->text.len;
    if (file)
        c->pieces[c->piece_count++] = (kanal_piece){ .source = kanal_json_text_at(file, "url"),
                                                     .encoding = KANAL_PIECE_BASE64,
                                                     .max_bytes = FILE_BYTES_MAX };
}

static void set_pieces(struct composed *c)
{
    size_t from = 0;
    for (size_t i = 0; i < c->piece_count; i++) {
        if (c->pieces[i].source.ptr)
            continue;
        c->pieces[i].data = kanal_str_of(c->text.data + from, c->ends[i] - from);
        from = c->ends[i];
    }
}

kanal_status compose(struct composed *c, const struct settings *settings, yyjson_val *data,
                     const struct compose_thread *thread, const char *recipient, kanal_str key,
                     int64_t now_ms)
{
    struct content content = { 0 };
    kanal_status status = read_content(c, &content, data);
    if (status == KANAL_OK) {
        c->is_auto = is_by_program(settings, data);
        write_id(c, settings, key);
        write_header(c, settings, data, thread, recipient, now_ms);
        if (content.file_count > 0) {
            begin_multipart(&c->text, "mixed", key, 'm');
            if (content.plain.len > 0)
                separator(&c->text, key, 'm', 0);
        }
        if (content.plain.len > 0)
            write_words(&c->text, &content, key);
        for (size_t i = 0; i < content.file_count; i++) {
            separator(&c->text, key, 'm', 0);
            write_file_head(&c->text, content.files[i]);
            cut_piece(c, content.files[i]);
        }
        if (content.file_count > 0)
            separator(&c->text, key, 'm', 1);
        cut_piece(c, NULL);
        status = c->text.failed || c->id.failed ? KANAL_E_INTERNAL : KANAL_OK;
        if (status == KANAL_OK)
            set_pieces(c);
    }
    kanal_buffer_release(&content.plain);
    kanal_buffer_release(&content.html);
    return status;
}
