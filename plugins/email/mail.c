#include "mail.h"

#include "charset.h"
#include "kanal/sdk/member.h"
#include "kanal/sdk/time.h"

#define SUBJECT_CHARS_MAX 500u
#define REFERENCES_MAX 32

void mail_init(struct mail *m, const struct settings *settings, kanal_str folder)
{
    memset(m, 0, sizeof *m);
    m->settings = settings;
    m->folder = folder;
}

void mail_release(struct mail *m)
{
    if (m->message)
        g_object_unref(m->message);
    for (uint32_t i = 0; i < m->text_count; i++) {
        kanal_buffer_release(&m->texts[i].plain);
        kanal_buffer_release(&m->texts[i].html);
    }
    for (uint32_t i = 0; i < m->file_count; i++) {
        free(m->files[i].name);
        free(m->files[i].mime);
        free(m->files[i].content_id);
        free(m->files[i].reference);
    }
    kanal_buffer_release(&m->status);
    kanal_buffer_release(&m->original);
    kanal_buffer_release(&m->raw);
    memset(m, 0, sizeof *m);
}

void mail_thread_release(struct mail_thread *thread)
{
    free(thread->subject);
    free(thread->reply_address);
    free(thread->sender);
    memset(thread, 0, sizeof *thread);
}

/* ---- The header ---- */

void mail_hash(char out[MAIL_KEY_BYTES], const char *const *texts, size_t count)
{
    GChecksum *sum = g_checksum_new(G_CHECKSUM_SHA256);
    for (size_t i = 0; i < count; i++)
        g_checksum_update(sum, (const guchar *)(texts[i] ? texts[i] : ""),
                          texts[i] ? (gssize)strlen(texts[i]) + 1 : 1);
    memcpy(out, g_checksum_get_string(sum), MAIL_KEY_BYTES - 1);
    out[MAIL_KEY_BYTES - 1] = 0;
    g_checksum_free(sum);
}

const char *mail_header(const struct mail *m, const char *name)
{
    return m->message ? g_mime_object_get_header(GMIME_OBJECT(m->message), name) : NULL;
}

void mail_head(struct mail *m, kanal_str head)
{
    m->message = reader_message(head, m->settings->charset);
    const char *id = m->message ? g_mime_message_get_message_id(m->message) : NULL;
    const char *texts[] = { id, mail_header(m, "Date"), mail_header(m, "From"), mail_header(m, "Subject") };
    if (id && id[0]) {
        mail_hash(m->key, texts, sizeof texts / sizeof *texts);
        return;
    }
    GChecksum *sum = g_checksum_new(G_CHECKSUM_SHA256);
    g_checksum_update(sum, (const guchar *)(head.ptr ? head.ptr : ""), (gssize)head.len);
    memcpy(m->key, g_checksum_get_string(sum), MAIL_KEY_BYTES - 1);
    g_checksum_free(sum);
}

void mail_id(char *out, size_t size, const char *id)
{
    if (id && !kanal_batch_text(out, size, kanal_str_c(id)) && id[0]) {
        memcpy(out, "sha256-", 7);
        mail_hash(out + 7, &id, 1);
    } else if (!id) {
        out[0] = 0;
    }
}

/* ---- Parts ---- */

static int is(const struct reader_part *part, const char *type, const char *subtype)
{
    return strcmp(part->type, type) == 0 && (!subtype || strcmp(part->subtype, subtype) == 0);
}

static char *dup_clean(const char *text, size_t max_chars)
{
    struct kanal_buffer clean = { 0 };
    charset_to_utf8(&clean, kanal_str_c(text), "utf-8", "windows-1252");
    char *copy = clean.len > 0 ? kanal_str_dup(kanal_str_cut(kanal_buffer_view(&clean), max_chars)) : NULL;
    kanal_buffer_release(&clean);
    return copy;
}

/* Without a path, whichever system it is of. */
static char *file_name(GMimeObject *object)
{
    const char *name = g_mime_object_get_content_disposition_parameter(object, "filename");
    if (!name)
        name = g_mime_object_get_content_type_parameter(object, "name");
    for (const char *at = name; at && *at; at++)
        if ((*at == '/' || *at == '\\') && at[1])
            name = at + 1;
    return name ? dup_clean(name, 255) : NULL;
}

static char *file_mime(const struct reader_part *part)
{
    struct kanal_buffer mime = { 0 };
    kanal_buffer_text(&mime, part->type[0] && part->subtype[0] ? part->type : "application");
    kanal_buffer_byte(&mime, '/');
    kanal_buffer_text(&mime, part->type[0] && part->subtype[0] ? part->subtype : "octet-stream");
    char *copy = kanal_str_dup(kanal_buffer_view(&mime));
    kanal_buffer_release(&mime);
    return copy;
}

static struct mail_file *add_file(struct mail *m, const struct reader_part *part)
{
    if (m->file_count == MAIL_FILES_MAX) {
        m->left_out++;
        return NULL;
    }
    struct mail_file *file = &m->files[m->file_count++];
    GMimeContentDisposition *disposition =
        part->object ? g_mime_object_get_content_disposition(part->object) : NULL;
    const char *id = part->object ? g_mime_object_get_content_id(part->object) : NULL;
    memset(file, 0, sizeof *file);
    file->name = part->object ? file_name(part->object) : NULL;
    file->mime = file_mime(part);
    file->content_id = id ? dup_clean(id, 200) : NULL;
    file->is_inline =
        file->content_id && !(disposition && g_mime_content_disposition_is_attachment(disposition));
    return file;
}

/* Text that is shown, and no file. */
static int is_body(const struct reader_part *part)
{
    if (!is(part, "text", NULL) ||
        !(is(part, "text", "plain") || is(part, "text", "html") || is(part, "text", "enriched")))
        return 0;
    GMimeContentDisposition *disposition =
        part->object ? g_mime_object_get_content_disposition(part->object) : NULL;
    return !disposition || !(g_mime_content_disposition_is_attachment(disposition) ||
                             g_mime_content_disposition_get_parameter(disposition, "filename"));
}

static struct mail_text *text_of(struct mail *m, uint32_t alternative)
{
    for (uint32_t i = 0; i < m->text_count; i++)
        if (alternative != 0 && m->texts[i].alternative == alternative)
            return &m->texts[i];
    if (m->text_count == MAIL_TEXTS_MAX)
        return NULL;
    struct mail_text *text = &m->texts[m->text_count++];
    memset(text, 0, sizeof *text);
    text->alternative = alternative;
    return text;
}

static enum mail_role begin_text(struct mail *m, const struct reader_part *part)
{
    const char *charset =
        part->object ? g_mime_object_get_content_type_parameter(part->object, "charset") : NULL;
    struct mail_text *text = text_of(m, part->alternative);
    if (!text)
        return MAIL_FILE;
    kanal_batch_text(m->charset, sizeof m->charset, kanal_str_c(charset));
    m->is_html = is(part, "text", "html");
    struct kanal_buffer *out = m->is_html ? &text->html : &text->plain;
    if (part->alternative != 0 && out->len > 0)
        return MAIL_FILE; /* a second one of the same kind is no alternative of itself */
    m->collecting = out;
    return MAIL_COLLECT;
}

enum mail_role mail_part(struct mail *m, const struct reader_part *part, struct mail_file **ret_file)
{
    enum mail_role role = MAIL_FILE;
    kanal_buffer_clear(&m->raw);
    m->collecting = NULL;
    m->is_html = 0;
    if (part->in_report && is(part, "message", NULL) &&
        (is(part, "message", "delivery-status") || is(part, "message", "global-delivery-status") ||
         is(part, "message", "disposition-notification"))) {
        m->is_disposition = is(part, "message", "disposition-notification");
        m->collecting = &m->status;
        return MAIL_COLLECT;
    }
    if (part->in_report && m->original.len == 0 &&
        (is(part, "message", NULL) || is(part, "text", "rfc822-headers"))) {
        m->collecting = &m->original;
        return MAIL_COLLECT;
    }
    if (is_body(part))
        role = begin_text(m, part);
    if (role == MAIL_FILE && !(*ret_file = add_file(m, part)))
        return MAIL_SKIP;
    return role;
}

int mail_data(struct mail *m, kanal_str data)
{
    int is_report = m->collecting == &m->status || m->collecting == &m->original;
    size_t max = is_report ? MAIL_REPORT_MAX : MAIL_TEXT_MAX;
    size_t room = max - m->raw.len;
    m->taken = data.len < room ? data.len : room;
    kanal_buffer_append(&m->raw, data.ptr, m->taken);
    if (data.len <= room)
        return 1;
    return is_report; /* the beginning of a report says it all */
}

/* The text that is collected, as a file in the charset that it came in. */
static struct mail_file *body_file(struct mail *m)
{
    struct reader_part part = { .type = "text", .subtype = "plain" };
    struct mail_file *file = add_file(m, &part);
    struct kanal_buffer mime = { 0 };
    if (!file)
        return NULL;
    kanal_buffer_text(&mime, m->is_html ? "text/html" : "text/plain");
    if (m->charset[0] && kanal_str_ascii(kanal_str_c(m->charset)) && !strpbrk(m->charset, "\"\\; ")) {
        kanal_buffer_text(&mime, "; charset=");
        kanal_buffer_text(&mime, m->charset);
    }
    free(file->mime);
    file->mime = kanal_str_dup(kanal_buffer_view(&mime));
    file->name = kanal_str_dup(m->is_html ? KANAL_LIT("message.html") : KANAL_LIT("message.txt"));
    kanal_buffer_release(&mime);
    return file;
}

struct mail_file *mail_overflow(struct mail *m, kanal_str *ret_begun)
{
    *ret_begun = kanal_buffer_view(&m->raw);
    mail_part_end(m);
    m->is_cut = 1;
    return body_file(m);
}

struct mail_file *mail_kept(struct mail *m, kanal_str *ret_whole)
{
    *ret_whole = kanal_buffer_view(&m->raw);
    return m->settings->keeps_html && m->is_html && ret_whole->len > 0 ? body_file(m) : NULL;
}

void mail_part_end(struct mail *m)
{
    struct kanal_buffer *out = m->collecting;
    m->collecting = NULL;
    if (!out)
        return;
    if (out == &m->status || out == &m->original) {
        kanal_buffer_str(out, kanal_buffer_view(&m->raw));
        return;
    }
    charset_to_utf8(out, kanal_buffer_view(&m->raw), m->charset[0] ? m->charset : NULL, m->settings->charset);
}

/* ---- Events ---- */

/* The mails that it answers, the oldest first. To be freed; NULL: none. */
static GMimeReferences *references_of(const struct mail *m, const char *name)
{
    const char *text = mail_header(m, name);
    GMimeReferences *references = text ? g_mime_references_parse(NULL, text) : NULL;
    if (references && g_mime_references_length(references) == 0) {
        g_mime_references_free(references);
        return NULL;
    }
    return references;
}

static void write_provider(struct mail *m, struct kanal_json *json, GMimeReferences *references)
{
    const char *submitted = mail_header(m, "Auto-Submitted"), *list = mail_header(m, "List-Id");
    struct kanal_provider provider = kanal_provider_begin(json);
    kanal_member_text(json, "folder", m->folder, 200);
    kanal_member_digits(json, "uid", (int64_t)m->uid);
    kanal_json_member_int(json, "size", (int64_t)m->size);
    GDateTime *date = m->message ? g_mime_message_get_date(m->message) : NULL;
    if (date)
        kanal_member_seconds(json, "date", g_date_time_to_unix(date));
    kanal_member_text(json, "auto_submitted", kanal_str_c(submitted), 128);
    kanal_member_text(json, "list_id", kanal_str_c(list), 256);
    if (references) {
        int count = g_mime_references_length(references);
        kanal_json_key(json, "references");
        kanal_json_array(json);
        for (int i = count > REFERENCES_MAX ? count - REFERENCES_MAX : 0; i < count; i++)
            kanal_json_str(json,
                           kanal_str_cut(kanal_str_c(g_mime_references_get_message_id(references, i)), 256));
        kanal_json_array_end(json);
    }
    if (m->is_cut)
        kanal_json_member_bool(json, "truncated", 1);
    mail_write_authentication(m, json);
    kanal_provider_end(json, &provider);
}

static void write_message(struct mail *m, struct kanal_json *json, kanal_str subject, const char *answers,
                          GMimeReferences *references)
{
    char id[MAIL_ID_BYTES];
    kanal_json_key(json, "message");
    kanal_json_object(json);
    mail_write_content(m, json);
    kanal_member_text(json, "subject", subject, SUBJECT_CHARS_MAX);
    mail_id(id, sizeof id, answers);
    if (id[0]) {
        kanal_json_key(json, "reply_to");
        kanal_json_object(json);
        kanal_json_member_text(json, "external_id", id);
        kanal_json_object_end(json);
    }
    mail_write_recipients(m, json);
    if (mail_is_auto(m))
        kanal_json_member_bool(json, "auto", 1);
    write_provider(m, json, references);
    kanal_json_object_end(json);
}

static void fill_thread(struct mail *m, struct mail_thread *thread, const struct kanal_batch_item *item,
                        kanal_str subject, const char *sender)
{
    const char *reply = m->message ? mail_first_address(g_mime_message_get_reply_to(m->message), NULL) : NULL;
    memset(thread, 0, sizeof *thread);
    memcpy(thread->chat, item->chat, sizeof thread->chat);
    mail_id(thread->last, sizeof thread->last, m->message ? g_mime_message_get_message_id(m->message) : NULL);
    thread->subject = kanal_str_dup(kanal_str_cut(subject, SUBJECT_CHARS_MAX));
    thread->reply_address = reply ? kanal_str_dup(kanal_str_c(reply)) : NULL;
    thread->sender = sender ? kanal_str_dup(kanal_str_c(sender)) : NULL;
    thread->is_auto = mail_is_auto(m);
}

static void write_received(struct mail *m, struct kanal_batch *batch, const char *sender, const char *name,
                           struct mail_thread *ret_thread)
{
    struct kanal_batch_item *item = kanal_batch_begin(batch, "message.received");
    struct kanal_buffer uri = { 0 }, subject = { 0 };
    if (!item)
        return;
    GMimeReferences *references = references_of(m, "References"), *answered = references_of(m, "In-Reply-To");
    const char *id = m->message ? g_mime_message_get_message_id(m->message) : NULL;
    const char *root = references ? g_mime_references_get_message_id(references, 0)
                       : answered ? g_mime_references_get_message_id(answered, 0)
                                  : id;
    const char *answers =
        answered     ? g_mime_references_get_message_id(answered, 0)
        : references ? g_mime_references_get_message_id(references, g_mime_references_length(references) - 1)
                     : NULL;
    memcpy(item->dedupe, m->key, sizeof m->key);
    if (mail_address_uri(&uri, sender) != 0)
        kanal_buffer_text(&uri, "mailto:unknown@invalid"); /* nobody can be answered, but somebody wrote */
    kanal_batch_text(item->address, sizeof item->address, kanal_buffer_view(&uri));
    mail_id(item->external_id, sizeof item->external_id, id && id[0] ? id : m->key);
    mail_id(item->chat, sizeof item->chat, root && root[0] ? root : m->key);
    item->event.time_ms = m->received_ms;
    charset_to_utf8(&subject, kanal_str_c(m->message ? g_mime_message_get_subject(m->message) : NULL),
                    "utf-8", m->settings->charset);
    mail_write_customer(m, &item->json, name, kanal_buffer_view(&uri));
    kanal_json_key(&item->json, "chat");
    kanal_json_object(&item->json);
    kanal_json_member_text(&item->json, "kind", "private");
    kanal_member_text(&item->json, "title", kanal_buffer_view(&subject), SUBJECT_CHARS_MAX);
    kanal_json_object_end(&item->json);
    write_message(m, &item->json, kanal_buffer_view(&subject), answers, references);
    kanal_batch_end(batch, item);
    if (ret_thread)
        fill_thread(m, ret_thread, item, kanal_buffer_view(&subject), sender);
    if (references)
        g_mime_references_free(references);
    if (answered)
        g_mime_references_free(answered);
    kanal_buffer_release(&uri);
    kanal_buffer_release(&subject);
}

int mail_write(struct mail *m, struct kanal_batch *batch, struct mail_thread *ret_thread)
{
    const char *name = NULL;
    const char *sender = m->message ? mail_first_address(g_mime_message_get_from(m->message), &name) : NULL;
    if (ret_thread)
        memset(ret_thread, 0, sizeof *ret_thread);
    if (m->status.len > 0 && mail_write_report(m, batch) > 0)
        return 1;
    if (settings_is_own(m->settings, kanal_str_c(sender)))
        return 0;
    write_received(m, batch, sender, name, ret_thread);
    return 1;
}
