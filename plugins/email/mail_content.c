/* The content of a received mail: new text, older text, files. */
#include "html.h"
#include "kanal/sdk/member.h"
#include "mail.h"
#include "quote.h"

/* Together with everything else below 512 KiB, also where each byte is escaped as two. */
#define TEXT_BYTES_MAX (100u * 1024u)
#define QUOTED_BYTES_MAX (60u * 1024u)
#define READ_BYTES_MAX (512u * 1024u) /* of all texts of a mail; a callback is short */

static kanal_str cut_bytes(kanal_str text, size_t max)
{
    if (text.len <= max)
        return text;
    while (max > 0 && ((unsigned char)text.ptr[max] & 0xc0) == 0x80)
        max--;
    return kanal_str_of(text.ptr, max);
}

static int is_blank(const struct kanal_buffer *text)
{
    for (size_t i = 0; i < text->len; i++)
        if (text->data[i] != ' ' && text->data[i] != '\n' && text->data[i] != '\t')
            return 0;
    return 1;
}

/* All that is to be read, in the order of the mail; of alternatives the plain one. */
static void join_texts(struct mail *m, struct kanal_buffer *out)
{
    size_t left = READ_BYTES_MAX;
    for (uint32_t i = 0; i < m->text_count; i++) {
        const struct mail_text *text = &m->texts[i];
        if (is_blank(&text->plain) && text->html.len == 0)
            continue;
        size_t len = text->plain.len + text->html.len;
        if (len > left && left < READ_BYTES_MAX) { /* never the first */
            m->is_cut = 1;
            continue;
        }
        left -= len < left ? len : left;
        if (out->len > 0)
            kanal_buffer_text(out, "\n\n");
        if (!is_blank(&text->plain))
            kanal_buffer_str(out, kanal_buffer_view(&text->plain));
        else
            html_to_text(out, kanal_buffer_view(&text->html));
    }
}

static const char *kind_of(const struct mail_file *file)
{
    if (file->is_inline || !file->mime)
        return "file";
    return strncmp(file->mime, "image/", 6) == 0   ? "image"
           : strncmp(file->mime, "audio/", 6) == 0 ? "audio"
           : strncmp(file->mime, "video/", 6) == 0 ? "video"
                                                   : "file";
}

static void write_file(struct kanal_json *json, const struct mail_file *file)
{
    kanal_json_object(json);
    kanal_json_member_text(json, "type", kind_of(file));
    if (file->reference)
        kanal_json_member_text(json, "ref", file->reference);
    kanal_member_mime(json, kanal_str_c(file->mime), "application/octet-stream");
    kanal_json_member_int(json, "size", (int64_t)file->size);
    kanal_member_text(json, "name", kanal_str_c(file->name), 255);
    if (file->is_inline) {
        kanal_json_member_bool(json, "inline", 1);
        kanal_member_text(json, "content_id", kanal_str_c(file->content_id), 200);
    }
    if (!file->reference)
        kanal_json_member_text(json, "unavailable", file->unavailable ? file->unavailable : "failed");
    kanal_json_object_end(json);
}

static void write_unsupported(struct kanal_json *json, const char *kind, uint32_t count)
{
    struct kanal_buffer words = { 0 };
    kanal_buffer_uint(&words, count);
    kanal_buffer_text(&words, " more attachments");
    kanal_json_object(json);
    kanal_json_member_text(json, "type", "unsupported");
    kanal_json_member_text(json, "kind", kind);
    if (count > 0)
        kanal_json_member_str(json, "text", kanal_buffer_view(&words));
    kanal_json_object_end(json);
    kanal_buffer_release(&words);
}

/* The new text: what stands before the quotation, and behind it. */
static void write_text(struct kanal_json *json, const struct quote_split *split)
{
    struct kanal_buffer text = { 0 };
    kanal_buffer_str(&text, split->before);
    if (split->before.len > 0 && split->after.len > 0)
        kanal_buffer_text(&text, "\n\n");
    kanal_buffer_str(&text, split->after);
    kanal_json_object(json);
    kanal_json_member_text(json, "type", "text");
    kanal_json_member_str(json, "text", cut_bytes(kanal_buffer_view(&text), TEXT_BYTES_MAX));
    kanal_json_object_end(json);
    kanal_buffer_release(&text);
}

void mail_write_content(struct mail *m, struct kanal_json *json)
{
    struct kanal_buffer whole = { 0 };
    join_texts(m, &whole);
    struct quote_split split = quote_split(kanal_buffer_view(&whole));
    int has_text = split.before.len > 0 || split.after.len > 0;
    if (split.before.len + split.after.len > TEXT_BYTES_MAX || split.quoted.len > QUOTED_BYTES_MAX)
        m->is_cut = 1;
    kanal_json_key(json, "content");
    kanal_json_array(json);
    if (has_text)
        write_text(json, &split);
    for (uint32_t i = 0; i < m->file_count; i++)
        write_file(json, &m->files[i]);
    if (m->left_out > 0)
        write_unsupported(json, "attachments", m->left_out);
    else if (!has_text && m->file_count == 0)
        write_unsupported(json, "empty", 0);
    kanal_json_array_end(json);
    kanal_member_text(json, "quoted", cut_bytes(split.quoted, QUOTED_BYTES_MAX), QUOTED_BYTES_MAX);
    kanal_buffer_release(&whole);
}
