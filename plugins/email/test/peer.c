#include "test/peer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

const char *const peer_settings =
    "{\"address\":\"shop@example.com\",\"name\":\"Магазин\",\"imap_url\":\"imaps://imap.example.com\","
    "\"smtp_url\":\"smtp://smtp.example.com:587\",\"start\":\"all\",\"authserv_id\":\"mx.example.com\","
    "\"charset\":\"windows-1251\"}";
static const char *const secrets[][2] = { { "password", "correct horse" },
                                          { "smtp_password", "battery staple" } };

struct fake_host *peer_host(const char *settings)
{
    struct fake_host *host = fake_new(kanal_plugin_v1(), settings ? settings : peer_settings, secrets, 2);
    cr_assert_not_null(host);
    cr_assert_eq(fake_start_answer(host)->status, KANAL_OK, "%s", fake_start_answer(host)->reason.ptr);
    return host;
}

void peer_add(struct peer *p, uint64_t uid, const char *text, size_t len)
{
    cr_assert_lt(p->mail_count, PEER_MAILS_MAX);
    p->mails[p->mail_count++] = (struct peer_mail){ .uid = uid, .text = text, .len = len };
}

void peer_add_text(struct peer *p, uint64_t uid, const char *text)
{
    peer_add(p, uid, text, strlen(text));
}

void peer_release(struct peer *p)
{
    kanal_buffer_release(&p->heard);
}

static void say(struct peer *p, const char *bytes, size_t len)
{
    for (size_t at = 0; at < len;) {
        size_t n = p->chunk && p->chunk < len - at ? p->chunk : len - at;
        const struct fake_stream *s = fake_stream_at(p->host, fake_stream_count(p->host) - 1);
        if (s->op != p->stream || !s->open)
            return; /* the plugin has closed it */
        fake_stream_receive(p->host, p->stream, bytes + at, n);
        at += n;
    }
}

__attribute__((format(printf, 2, 3))) static void line(struct peer *p, const char *format, ...)
{
    char text[600];
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(text, sizeof text - 2, format, arguments);
    va_end(arguments);
    cr_assert(n >= 0 && n < (int)sizeof text - 2);
    memcpy(text + n, "\r\n", 2);
    say(p, text, (size_t)n + 2);
}

static size_t there(const struct peer *p)
{
    size_t count = 0;
    for (size_t i = 0; i < p->mail_count; i++)
        count += !p->mails[i].gone;
    return count;
}

static uint64_t last_uid(const struct peer *p)
{
    return p->mail_count > 0 ? p->mails[p->mail_count - 1].uid : 0;
}

static void on_select(struct peer *p, const char *tag, const char *name)
{
    if (p->refused_folder && strcmp(name, p->refused_folder) == 0) {
        line(p, "%s NO [NONEXISTENT] no such folder", tag);
        return;
    }
    snprintf(p->selected, sizeof p->selected, "%s", name);
    line(p, "* FLAGS (\\Seen)");
    line(p, "* %zu EXISTS", there(p));
    line(p, "* OK [UIDVALIDITY %llu] numbers", (unsigned long long)p->validity);
    line(p, "* OK [UIDNEXT %llu] next", (unsigned long long)last_uid(p) + 1);
    line(p, "%s OK [READ-ONLY] done", tag);
}

static void on_search(struct peer *p, const char *tag, const char *words)
{
    struct kanal_buffer out = { 0 };
    unsigned long long from = strtoull(words, NULL, 10);
    kanal_buffer_text(&out, "* SEARCH");
    for (size_t i = p->mail_count; i-- > 0;) { /* no order is promised */
        if (p->mails[i].gone || (p->mails[i].uid < from && i + 1 < p->mail_count))
            continue;
        kanal_buffer_byte(&out, ' ');
        kanal_buffer_uint(&out, p->mails[i].uid);
    }
    kanal_buffer_text(&out, "\r\n");
    say(p, out.data, out.len);
    kanal_buffer_release(&out);
    line(p, "%s OK searched", tag);
}

static int is_in_set(const char *set, uint64_t uid)
{
    while (*set >= '0' && *set <= '9') {
        char *end;
        unsigned long long from = strtoull(set, &end, 10), to = from;
        if (*end == ':')
            to = strtoull(end + 1, &end, 10);
        if (uid >= from && uid <= to)
            return 1;
        set = *end == ',' ? end + 1 : end;
    }
    return 0;
}

static void give(struct peer *p, size_t index, const char *set)
{
    const struct peer_mail *mail = &p->mails[index];
    const char *limit = strstr(set, "<0.");
    size_t most = limit ? (size_t)strtoull(limit + 3, NULL, 10) : mail->len,
           len = mail->len < most ? mail->len : most;
    char head[200];
    struct kanal_buffer out = { 0 };
    snprintf(head, sizeof head,
             "* %zu FETCH (UID %llu RFC822.SIZE %zu INTERNALDATE \"21-Nov-2026 17:53:07 +0000\" BODY[]<0> ",
             index + 1, (unsigned long long)mail->uid, mail->len);
    kanal_buffer_text(&out, head);
    if (p->speaks_quoted) {
        kanal_buffer_byte(&out, '"');
        kanal_buffer_append(&out, mail->text, len);
        kanal_buffer_byte(&out, '"');
    } else {
        kanal_buffer_byte(&out, '{');
        kanal_buffer_uint(&out, len);
        kanal_buffer_text(&out, "}\r\n");
        kanal_buffer_append(&out, mail->text, len);
    }
    kanal_buffer_text(&out, ")\r\n");
    say(p, out.data, out.len);
    kanal_buffer_release(&out);
}

static void on_fetch(struct peer *p, const char *tag, const char *set)
{
    for (size_t i = 0; i < p->mail_count; i++) {
        if (p->mails[i].gone || !is_in_set(set, p->mails[i].uid))
            continue;
        if (p->refuses_uid && p->mails[i].uid == (uint64_t)p->refuses_uid) {
            line(p, "%s NO [SERVERBUG] cannot read it", tag);
            return;
        }
        if (p->breaks_at && p->mails[i].uid == p->breaks_at) {
            fake_stream_close(p->host, p->stream, KANAL_E_NETWORK);
            return;
        }
        give(p, i, set);
    }
    line(p, "%s OK fetched", tag);
}

static void on_store(struct peer *p, const char *tag, const char *set)
{
    for (size_t i = 0; i < p->mail_count; i++)
        p->mails[i].seen |= is_in_set(set, p->mails[i].uid);
    line(p, "%s OK stored", tag);
}

static void answer(struct peer *p, char *command)
{
    char *words = strchr(command, ' ');
    if (p->is_idling) {
        cr_assert_str_eq(command, "DONE");
        p->is_idling = 0;
        line(p, "%s OK idled", p->idle_tag);
        return;
    }
    cr_assert_not_null(words, "%s", command);
    *words++ = 0;
    if (strcmp(words, "CAPABILITY") == 0) {
        line(p, "* CAPABILITY IMAP4rev1 %sUIDPLUS", p->has_idle ? "IDLE " : "");
        line(p, "%s OK done", command);
    } else if (strncmp(words, "SELECT \"", 8) == 0 || strncmp(words, "EXAMINE \"", 9) == 0) {
        char *name = strchr(words, '"') + 1;
        name[strlen(name) - 1] = 0;
        on_select(p, command, name);
    } else if (strncmp(words, "UID SEARCH UID ", 15) == 0) {
        on_search(p, command, words + 15);
    } else if (strncmp(words, "UID FETCH ", 10) == 0) {
        on_fetch(p, command, words + 10);
    } else if (strncmp(words, "UID STORE ", 10) == 0) {
        on_store(p, command, words + 10);
    } else if (strcmp(words, "IDLE") == 0 && p->has_idle) {
        p->is_idling = 1;
        snprintf(p->idle_tag, sizeof p->idle_tag, "%.15s", command);
        line(p, "+ idling");
    } else {
        line(p, "%s BAD what", command);
    }
}

void peer_serve(struct peer *p)
{
    for (;;) {
        kanal_str said = fake_stream_take(p->host, p->stream);
        if (said.len == 0)
            return;
        kanal_buffer_str(&p->heard, said);
        while (said.len > 0) {
            char command[20000];
            const char *end = memmem(said.ptr, said.len, "\r\n", 2);
            cr_assert_not_null(end);
            size_t n = (size_t)(end - said.ptr);
            cr_assert_lt(n, sizeof command);
            memcpy(command, said.ptr, n);
            command[n] = 0;
            said = kanal_str_from(said, n + 2);
            answer(p, command);
        }
    }
}

void peer_open(struct peer *p)
{
    cr_assert_gt(fake_stream_count(p->host), 0, "the plugin has not logged in");
    const struct fake_stream *s = fake_stream_at(p->host, fake_stream_count(p->host) - 1);
    cr_assert_not(s->open || s->closed, "there is no new connection");
    p->stream = s->op;
    p->is_idling = 0;
    if (p->validity == 0)
        p->validity = 7;
    fake_stream_open(p->host, p->stream);
    peer_serve(p);
}

void peer_tell(struct peer *p)
{
    line(p, "* %zu EXISTS", there(p));
    peer_serve(p);
}
