/* Who wrote it, to whom, whether that is proved, and whether it was a program. */
#include "charset.h"
#include "kanal/sdk/member.h"
#include "kanal/sdk/phone.h"
#include "kanal/sdk/url.h"
#include "mail.h"

#define RECIPIENTS_MAX 60u

kanal_status mail_address_uri(struct kanal_buffer *out, const char *address)
{
    kanal_str text = kanal_str_c(address);
    size_t before = out->len;
    if (text.len == 0 || text.len > 254 || !kanal_str_utf8(text))
        return KANAL_E_INVALID;
    if (kanal_mail_address(text, out) == 1)
        return KANAL_OK;
    /* Quoted local parts and international names: everything is escaped. */
    const char *at = memrchr(text.ptr, '@', text.len);
    if (!at || at == text.ptr || at + 1 == text.ptr + text.len)
        return KANAL_E_INVALID;
    kanal_buffer_text(out, "mailto:");
    kanal_url_encode(out, kanal_str_of(text.ptr, (size_t)(at - text.ptr)));
    kanal_buffer_byte(out, '@');
    kanal_url_encode(out, kanal_str_from(text, (size_t)(at - text.ptr) + 1));
    if (out->len - before < MAIL_ID_BYTES)
        return KANAL_OK;
    out->len = before;
    return KANAL_E_INVALID;
}

/* ---- Lists of addresses ---- */

typedef void address_fn(void *user, const char *address, const char *name);

/* Groups are looked into, once. */
static void each_address(InternetAddressList *list, address_fn *found, void *user, int depth)
{
    int count = list ? internet_address_list_length(list) : 0;
    for (int i = 0; i < count; i++) {
        InternetAddress *one = internet_address_list_get_address(list, i);
        if (INTERNET_ADDRESS_IS_GROUP(one) && depth == 0)
            each_address(internet_address_group_get_members(INTERNET_ADDRESS_GROUP(one)), found, user, 1);
        else if (INTERNET_ADDRESS_IS_MAILBOX(one))
            found(user, internet_address_mailbox_get_addr(INTERNET_ADDRESS_MAILBOX(one)),
                  internet_address_get_name(one));
    }
}

struct first {
    const char *address, *name;
};

static void take_first(void *user, const char *address, const char *name)
{
    struct first *first = user;
    if (!first->address && address && strchr(address, '@'))
        *first = (struct first){ address, name };
}

const char *mail_first_address(InternetAddressList *list, const char **ret_name)
{
    struct first first = { NULL, NULL };
    each_address(list, take_first, &first, 0);
    if (ret_name)
        *ret_name = first.name;
    return first.address;
}

struct recipients {
    struct kanal_json *json;
    const char *role;
    uint32_t count;
};

static void write_recipient(void *user, const char *address, const char *name)
{
    struct recipients *r = user;
    struct kanal_buffer uri = { 0 }, clean = { 0 };
    if (r->count < RECIPIENTS_MAX && address && mail_address_uri(&uri, address) == KANAL_OK) {
        if (r->count++ == 0) {
            kanal_json_key(r->json, "recipients");
            kanal_json_array(r->json);
        }
        charset_to_utf8(&clean, kanal_str_c(name), "utf-8", "windows-1252");
        kanal_json_object(r->json);
        kanal_json_member_str(r->json, "address", kanal_buffer_view(&uri));
        kanal_member_text(r->json, "name", kanal_buffer_view(&clean), 128);
        kanal_json_member_text(r->json, "role", r->role);
        kanal_json_object_end(r->json);
    }
    kanal_buffer_release(&uri);
    kanal_buffer_release(&clean);
}

void mail_write_recipients(const struct mail *m, struct kanal_json *json)
{
    struct recipients r = { .json = json };
    if (!m->message)
        return;
    r.role = "to";
    each_address(g_mime_message_get_to(m->message), write_recipient, &r, 0);
    r.role = "cc";
    each_address(g_mime_message_get_cc(m->message), write_recipient, &r, 0);
    r.role = "reply_to";
    each_address(g_mime_message_get_reply_to(m->message), write_recipient, &r, 0);
    if (r.count > 0)
        kanal_json_array_end(json);
}

/* ---- Proof ---- */

/* The value that "method=" has in a header of results (RFC 8601); empty: it is not there. */
static kanal_str result_of(kanal_str text, const char *method)
{
    size_t n = strlen(method);
    for (size_t i = 0; i + n < text.len; i++) {
        int begins = i == 0 || text.ptr[i - 1] == ' ' || text.ptr[i - 1] == ';' || text.ptr[i - 1] == '\t' ||
                     text.ptr[i - 1] == '\n';
        if (!begins || text.ptr[i + n] != '=' ||
            !kanal_str_equal_nocase(kanal_str_of(text.ptr + i, n), kanal_str_of(method, n)))
            continue;
        kanal_str value = kanal_str_from(text, i + n + 1);
        size_t end = 0;
        while (end < value.len && ((value.ptr[end] >= 'a' && value.ptr[end] <= 'z') ||
                                   (value.ptr[end] >= 'A' && value.ptr[end] <= 'Z')))
            end++;
        return kanal_str_of(value.ptr, end);
    }
    return kanal_str_of(NULL, 0);
}

/* The topmost header of that name is the own server's, which removes forged ones of its own name (RFC 8601, 5); any other name counts for
 * nothing. */
static kanal_str results(const struct mail *m)
{
    kanal_str text = kanal_str_c(mail_header(m, "Authentication-Results")), own = m->settings->authserv_id;
    while (text.len > 0 && (text.ptr[0] == ' ' || text.ptr[0] == '\t'))
        text = kanal_str_from(text, 1);
    if (own.len == 0 || text.len <= own.len || !kanal_str_equal_nocase(kanal_str_of(text.ptr, own.len), own))
        return kanal_str_of(NULL, 0);
    char after = text.ptr[own.len];
    return after == ';' || after == ' ' ? kanal_str_from(text, own.len) : kanal_str_of(NULL, 0);
}

static int is_proved(const struct mail *m)
{
    return kanal_str_equal_nocase(result_of(results(m), "dmarc"), KANAL_LIT("pass"));
}

void mail_write_authentication(const struct mail *m, struct kanal_json *json)
{
    static const char *const methods[] = { "dmarc", "dkim", "spf", "arc" };
    kanal_str text = results(m);
    if (text.len == 0)
        return;
    kanal_json_key(json, "authentication");
    kanal_json_object(json);
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        kanal_member_text(json, methods[i], result_of(text, methods[i]), 16);
    kanal_json_object_end(json);
}

void mail_write_customer(const struct mail *m, struct kanal_json *json, const char *name, kanal_str uri)
{
    struct kanal_buffer clean = { 0 };
    charset_to_utf8(&clean, kanal_str_c(name), "utf-8", m->settings->charset);
    kanal_json_key(json, "customer");
    kanal_json_object(json);
    kanal_member_text(json, "name", kanal_buffer_view(&clean), 256);
    if (is_proved(m)) {
        kanal_json_key(json, "identifiers");
        kanal_json_array(json);
        kanal_json_object(json);
        kanal_json_member_str(json, "address", uri);
        kanal_json_member_bool(json, "verified", 1);
        kanal_json_member_text(json, "source", "dmarc");
        kanal_json_object_end(json);
        kanal_json_array_end(json);
    }
    kanal_json_object_end(json);
    kanal_buffer_release(&clean);
}

/* ---- Programs ---- */

static int begins_with(const char *text, const char *const *words)
{
    for (; text && *words; words++)
        if (g_ascii_strncasecmp(text, *words, strlen(*words)) == 0)
            return 1;
    return 0;
}

int mail_is_auto(const struct mail *m)
{
    static const char *const precedences[] = { "bulk", "junk", "list", "auto_reply", NULL };
    static const char *const headers[] = { "X-Autoreply", "X-Autorespond", "X-Auto-Response-Suppress",
                                           "List-Id",     "Feedback-ID",   NULL };
    static const char *const senders[] = { "mailer-daemon@", "no-reply@",     "noreply@",
                                           "donotreply@",    "do-not-reply@", NULL };
    const char *submitted = mail_header(m, "Auto-Submitted"), *path = mail_header(m, "Return-Path"),
               *loop = mail_header(m, "X-Loop");
    static const char *const person[] = { "no", NULL };
    if (submitted && !begins_with(submitted, person))
        return 1;
    if (begins_with(mail_header(m, "Precedence"), precedences) || (path && strncmp(path, "<>", 2) == 0))
        return 1;
    if (loop && settings_is_own(m->settings, kanal_str_c(loop)))
        return 1; /* ours, sent back by a program */
    for (size_t i = 0; headers[i]; i++)
        if (mail_header(m, headers[i]))
            return 1;
    return m->message && begins_with(mail_first_address(g_mime_message_get_from(m->message), NULL), senders);
}
