/* Which reply of an SMTP server belongs to which command (RFC 5321, 4.2). */
#include "mail/mail.h"

#include <string.h>

#include "kanal/sdk/str.h"

static int begins(kanal_str text, const char *word)
{
    size_t len = strlen(word);
    return text.len >= len && kanal_str_equal_nocase(kanal_str_of(text.ptr, len), kanal_str_c(word));
}

void mail_dialogue_sent(struct mail_dialogue *d, kanal_str command)
{
    if (begins(command, "MAIL FROM")) {
        d->phase = MAIL_FROM;
    } else if (begins(command, "RCPT TO")) {
        d->phase = MAIL_RCPT;
        d->asked++;
    } else if (begins(command, "DATA")) {
        d->phase = MAIL_DATA;
    } else if (begins(command, "QUIT")) {
        d->phase = MAIL_QUIT;
    } else if (begins(command, "AUTH")) {
        d->phase = MAIL_AUTH;
    }
}

/* "250-…" and "250 …"; 0: no reply at all. */
static int reply_code(kanal_str line)
{
    int code = 0;
    if (line.len < 3)
        return 0;
    for (size_t i = 0; i < 3; i++) {
        if (line.ptr[i] < '0' || line.ptr[i] > '9')
            return 0;
        code = code * 10 + (line.ptr[i] - '0');
    }
    return code >= 200 && code <= 599 ? code : 0;
}

static void reply_add(struct mail_reply *reply, int code, int more, kanal_str words)
{
    if (!reply->more) /* the line before was the last of its reply */
        *reply = (struct mail_reply){ 0 };
    if (reply->len > 0 && reply->len < MAIL_REPLY_MAX)
        reply->text[reply->len++] = ' ';
    for (size_t i = 0; i < words.len && reply->len < MAIL_REPLY_MAX; i++) {
        unsigned char c = (unsigned char)words.ptr[i];
        reply->text[reply->len++] = (char)(c >= ' ' && c < 0x7f ? c : '?');
    }
    reply->code = code;
    reply->more = more;
}

void mail_dialogue_heard(struct mail_dialogue *d, kanal_str line)
{
    while (line.len > 0 && (line.ptr[line.len - 1] == '\n' || line.ptr[line.len - 1] == '\r'))
        line.len--;
    int code = reply_code(line), more = line.len > 3 && line.ptr[3] == '-';
    if (code == 0 || d->phase == MAIL_QUIT)
        return;
    struct mail_reply *reply = &d->last;
    if (d->phase == MAIL_RCPT) {
        if (d->asked == 0 || d->asked > d->recipient_count)
            return;
        reply = &d->recipients[d->asked - 1];
    }
    reply_add(reply, code, more, kanal_str_from(line, 4));
    /* An offered extension that is refused (AUTH by one method, then by another) is no refusal of the message. */
    if (!more && code >= 400 && d->phase != MAIL_RCPT)
        d->refusal = d->last;
    else if (!more && code < 300 && d->phase != MAIL_RCPT)
        d->refusal = (struct mail_reply){ 0 };
}
