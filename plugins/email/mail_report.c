/* Reports about what was sent: delivery status notifications (RFC 3464) and read receipts (RFC 8098). */
#include "kanal/sdk/member.h"
#include "mail.h"

#define RECIPIENTS_MAX 20u

/* What an enhanced status code (RFC 3463) means to whoever sent it. The first that fits. */
static const struct {
    const char *status, *code, *scope;
} meanings[] = {
    { "5.1.8", "provider_rejected", "message" }, /* the sender's address */
    { "5.1.7", "provider_rejected", "message" },
    { "5.1.", "recipient_unknown", "recipient" },
    { "5.2.2", "provider_rejected", "recipient" }, /* over quota */
    { "5.2.3", "payload_too_large", "message" },
    { "5.2.", "recipient_blocked", "recipient" },
    { "5.3.4", "payload_too_large", "message" },
    { "5.4.4", "recipient_unknown", "recipient" }, /* no such domain, or it takes no mail */
    { "5.4.1", "recipient_unknown", "recipient" },
    { "5.6.", "invalid_content", "message" },
    { "5.7.", "provider_rejected", "message" },
    { "4.", "expired", "message" }, /* tried for days */
    { "", "provider_error", "message" },
};

/* Fields like a header's, up to a blank line. To be unreferenced. */
static GMimeMessage *next_block(kanal_str *rest)
{
    while (rest->len > 0 && (rest->ptr[0] == '\r' || rest->ptr[0] == '\n'))
        *rest = kanal_str_from(*rest, 1);
    if (rest->len == 0)
        return NULL;
    size_t n = 0;
    for (; n < rest->len; n++) {
        if (rest->ptr[n] != '\n')
            continue;
        char next = n + 1 < rest->len ? rest->ptr[n + 1] : '\n';
        if (next == '\n' || (next == '\r' && n + 2 < rest->len && rest->ptr[n + 2] == '\n')) {
            n++;
            break;
        }
    }
    GMimeMessage *block = reader_message(kanal_str_of(rest->ptr, n), NULL);
    *rest = kanal_str_from(*rest, n);
    return block;
}

static const char *field(GMimeMessage *block, const char *name)
{
    return block ? g_mime_object_get_header(GMIME_OBJECT(block), name) : NULL;
}

/* "rfc822; anna@example.com" */
static const char *behind_type(const char *value)
{
    const char *at = value ? strchr(value, ';') : NULL;
    at = at ? at + 1 : value;
    while (at && (*at == ' ' || *at == '\t'))
        at++;
    return at;
}

static void put_address(struct kanal_batch_item *item, const char *typed)
{
    struct kanal_buffer uri = { 0 };
    char address[256];
    kanal_str text = kanal_str_c(behind_type(typed));
    while (text.len > 0 && (text.ptr[0] == '<' || text.ptr[0] == ' '))
        text = kanal_str_from(text, 1);
    while (text.len > 0 && (text.ptr[text.len - 1] == '>' || text.ptr[text.len - 1] == ' '))
        text.len--;
    if (kanal_batch_text(address, sizeof address, text) && mail_address_uri(&uri, address) == KANAL_OK)
        kanal_batch_text(item->address, sizeof item->address, kanal_buffer_view(&uri));
    kanal_buffer_release(&uri);
}

/* The mail that the report is about. 1: it says so. */
static int original_id(const struct mail *m, GMimeMessage *fields, char out[MAIL_ID_BYTES])
{
    const char *said = field(fields, "Original-Message-ID");
    GMimeMessage *original =
        m->original.len > 0 ? reader_message(kanal_buffer_view(&m->original), NULL) : NULL;
    char *decoded = said ? g_mime_utils_decode_message_id(said) : NULL;
    const char *id = decoded ? decoded : original ? g_mime_message_get_message_id(original) : NULL;
    out[0] = 0;
    mail_id(out, MAIL_ID_BYTES, id);
    if (!out[0]) { /* some servers only refer to it */
        const char *answered = mail_header(m, "In-Reply-To");
        GMimeReferences *references = answered ? g_mime_references_parse(NULL, answered) : NULL;
        if (references && g_mime_references_length(references) > 0)
            mail_id(out, MAIL_ID_BYTES, g_mime_references_get_message_id(references, 0));
        if (references)
            g_mime_references_free(references);
    }
    if (original)
        g_object_unref(original);
    g_free(decoded);
    return out[0] != 0;
}

static struct kanal_batch_item *begin(const struct mail *m, struct kanal_batch *batch, const char *type,
                                      const char *id, uint32_t number)
{
    struct kanal_batch_item *item = kanal_batch_begin(batch, type);
    struct kanal_buffer key = { 0 };
    if (!item)
        return NULL;
    kanal_buffer_text(&key, m->key);
    kanal_buffer_byte(&key, '/');
    kanal_buffer_uint(&key, number);
    kanal_batch_text(item->dedupe, sizeof item->dedupe, kanal_buffer_view(&key));
    kanal_buffer_release(&key);
    kanal_batch_text(item->external_id, sizeof item->external_id, kanal_str_c(id));
    item->event.time_ms = m->received_ms;
    return item;
}

static void write_error(struct kanal_json *json, const char *status, const char *words)
{
    size_t i = 0;
    while (strncmp(status ? status : "", meanings[i].status, strlen(meanings[i].status)) != 0)
        i++;
    kanal_json_key(json, "error");
    kanal_json_object(json);
    kanal_json_member_text(json, "code", meanings[i].code);
    kanal_json_member_text(json, "scope", meanings[i].scope);
    kanal_member_text(json, "provider_code", kanal_str_c(status), 128);
    kanal_member_text(json, "provider_message", kanal_str_c(behind_type(words)), 1000);
    kanal_json_object_end(json);
}

/* One recipient's fate. 1: an event was added. */
static int write_recipient(const struct mail *m, struct kanal_batch *batch, GMimeMessage *block,
                           const char *id, uint32_t number)
{
    const char *action = field(block, "Action"), *typed = field(block, "Original-Recipient");
    int has_failed = action && g_ascii_strncasecmp(action, "failed", 6) == 0;
    int was_delivered = action && g_ascii_strncasecmp(action, "delivered", 9) == 0;
    if (!has_failed && !was_delivered)
        return 0;
    struct kanal_batch_item *item =
        begin(m, batch, has_failed ? "message.failed" : "message.delivered", id, number);
    if (!item)
        return 0;
    put_address(item, typed && strchr(typed, '@') ? typed : field(block, "Final-Recipient"));
    kanal_json_key(&item->json, "message");
    kanal_json_object(&item->json);
    kanal_json_object_end(&item->json);
    if (has_failed)
        write_error(&item->json, field(block, "Status"), field(block, "Diagnostic-Code"));
    kanal_batch_end(batch, item);
    return 1;
}

static uint32_t write_delivery(const struct mail *m, struct kanal_batch *batch)
{
    kanal_str rest = kanal_buffer_view(&m->status);
    char id[MAIL_ID_BYTES];
    uint32_t count = 0;
    if (!original_id(m, NULL, id))
        return 0;
    for (uint32_t i = 0; i <= RECIPIENTS_MAX; i++) { /* the first block is of the whole mail */
        GMimeMessage *block = next_block(&rest);
        if (!block)
            break;
        count += (uint32_t)write_recipient(m, batch, block, id, i);
        g_object_unref(block);
    }
    return count;
}

static uint32_t write_read(const struct mail *m, struct kanal_batch *batch)
{
    kanal_str rest = kanal_buffer_view(&m->status);
    GMimeMessage *block = next_block(&rest);
    const char *disposition = behind_type(field(block, "Disposition"));
    char id[MAIL_ID_BYTES];
    uint32_t count = 0;
    if (disposition && g_ascii_strncasecmp(disposition, "displayed", 9) == 0 && original_id(m, block, id)) {
        struct kanal_batch_item *item = begin(m, batch, "message.read", id, 0);
        if (item) {
            put_address(item, field(block, "Final-Recipient"));
            kanal_json_key(&item->json, "message");
            kanal_json_object(&item->json);
            kanal_json_object_end(&item->json);
            kanal_batch_end(batch, item);
            count = 1;
        }
    }
    if (block)
        g_object_unref(block);
    return count;
}

uint32_t mail_write_report(struct mail *m, struct kanal_batch *batch)
{
    return m->is_disposition ? write_read(m, batch) : write_delivery(m, batch);
}
