/* One message by SMTP. libcurl speaks it; the dialogue is listened to for the replies that libcurl does not keep. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kanal/sdk/str.h"
#include "mail/private.h"

struct mail_submit {
    struct mail_easy base; /* first */
    struct curl_slist *recipients;
    struct mail_dialogue dialogue;
    ssize_t (*read)(void *user, char *into, size_t len);
    void *read_user;
    int waiting;  /* libcurl was told to pause */
    int all_read; /* the end was handed over: the server may take the message */
    int source_broken;
    mail_submitted_fn *submitted; /* NULL: told, or cancelled */
    void *user;
};

/* ---- What libcurl calls ---- */

static size_t on_read(char *into, size_t one, size_t count, void *user)
{
    struct mail_submit *s = user;
    ssize_t n = s->submitted ? s->read(s->read_user, into, one * count) : MAIL_BROKEN;
    if (n == MAIL_WAIT) {
        s->waiting = 1;
        return CURL_READFUNC_PAUSE;
    }
    if (n < 0) {
        s->source_broken = 1;
        return CURL_READFUNC_ABORT;
    }
    s->all_read |= n == 0;
    return (size_t)n;
}

static size_t on_line(char *bytes, size_t one, size_t count, void *user)
{
    struct mail_submit *s = user;
    mail_dialogue_heard(&s->dialogue, kanal_str_of(bytes, one * count));
    return one * count;
}

static size_t on_body(char *bytes, size_t one, size_t count, void *user)
{
    (void)bytes, (void)user;
    return one * count;
}

static int on_debug(CURL *easy, curl_infotype type, char *bytes, size_t len, void *user)
{
    struct mail_submit *s = user;
    (void)easy;
    if (type == CURLINFO_HEADER_OUT)
        mail_dialogue_sent(&s->dialogue, kanal_str_of(bytes, len));
    return 0;
}

/* ---- The end ---- */

static int nobody_taken(const struct mail_dialogue *d)
{
    for (size_t i = 0; i < d->recipient_count; i++)
        if (d->recipients[i].code < 400)
            return 0;
    return 1;
}

static kanal_status verdict(struct mail_submit *s, CURLcode result, const struct mail_reply **ret_reply)
{
    const struct mail_dialogue *d = &s->dialogue;
    kanal_status status = mail_easy_verdict(&s->base, result);
    *ret_reply = d->refusal.code ? &d->refusal : &d->last;
    if (status == KANAL_OK || status == KANAL_E_DENIED)
        return status;
    if (s->source_broken)
        return KANAL_E_CANCELLED;
    if (d->refusal.code)
        return KANAL_E_REJECTED;
    if (nobody_taken(d)) {
        *ret_reply = &d->recipients[d->recipient_count - 1];
        return KANAL_E_REJECTED;
    }
    return s->all_read && status != KANAL_E_REJECTED ? KANAL_E_MAYBE : status;
}

static kanal_mail_reply reply_of(const struct mail_reply *reply)
{
    return (kanal_mail_reply){ .code = reply->code, .text = kanal_str_of(reply->text, reply->len) };
}

static void on_done(struct mail_easy *e, CURLcode result)
{
    struct mail_submit *s = (struct mail_submit *)e;
    const struct mail_dialogue *d = &s->dialogue;
    const struct mail_reply *decisive = NULL;
    mail_submitted_fn *submitted = s->submitted;
    if (!submitted)
        return;
    kanal_status status = verdict(s, result, &decisive);
    kanal_mail_reply *replies = calloc(d->recipient_count, sizeof *replies);
    kanal_mail_result told = { .struct_size = sizeof told, .recipients = replies };
    for (size_t i = 0; replies && i < d->recipient_count; i++) {
        replies[i] = reply_of(&d->recipients[i]);
        told.accepted += status == KANAL_OK && replies[i].code >= 200 && replies[i].code < 300;
    }
    told.recipient_count = replies ? d->recipient_count : 0;
    if (decisive->code && (status == KANAL_OK || status == KANAL_E_REJECTED))
        told.reply = reply_of(decisive);
    else if (status != KANAL_OK)
        told.reply.text = kanal_str_c(e->reason);
    s->submitted = NULL;
    submitted(s->user, status, &told);
    free(replies);
    mail_easy_close(e);
}

static void gone(struct mail_easy *e)
{
    struct mail_submit *s = (struct mail_submit *)e;
    curl_slist_free_all(s->recipients);
    free(s->dialogue.recipients);
    free(s);
}

/* ---- The start ---- */

static int address_add(struct curl_slist **list, kanal_str address)
{
    char *text = kanal_str_dup(address);
    struct curl_slist *longer = text ? curl_slist_append(*list, text) : NULL;
    free(text);
    if (!longer)
        return -1;
    *list = longer;
    return 0;
}

static int set_message(struct mail_submit *s, const struct mail_message *message)
{
    CURL *easy = s->base.easy;
    struct kanal_buffer from = { 0 };
    int failed = 0;
    kanal_buffer_byte(&from, '<'); /* libcurl leaves a null sender out if it is not in brackets */
    kanal_buffer_str(&from, message->from);
    kanal_buffer_append(&from, ">", 2);
    failed |= from.failed;
    for (size_t i = 0; i < message->recipient_count; i++)
        failed |= address_add(&s->recipients, message->recipients[i]) != 0;
#define SET(option, value) failed |= curl_easy_setopt(easy, option, value) != CURLE_OK
    if (!failed)
        SET(CURLOPT_MAIL_FROM, from.data);
    SET(CURLOPT_MAIL_RCPT, s->recipients);
    SET(CURLOPT_MAIL_RCPT_ALLLOWFAILS, 1L);
    SET(CURLOPT_UPLOAD, 1L);
    SET(CURLOPT_READFUNCTION, on_read);
    SET(CURLOPT_READDATA, s);
    SET(CURLOPT_HEADERFUNCTION, on_line);
    SET(CURLOPT_HEADERDATA, s);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_VERBOSE, 1L); /* for the commands that are sent; nothing is printed */
    SET(CURLOPT_DEBUGFUNCTION, on_debug);
    SET(CURLOPT_DEBUGDATA, s);
#undef SET
    kanal_buffer_release(&from);
    return failed;
}

int mail_submit_start(struct mail *mail, const struct mail_login *login, const struct mail_message *message,
                      mail_submitted_fn *submitted, void *user, struct mail_submit **ret_submit)
{
    struct mail_submit *s = calloc(1, sizeof *s);
    struct mail_reply *replies = calloc(message->recipient_count, sizeof *replies);
    if (!s || !replies || mail_easy_init(&s->base, mail, login) != 0) {
        free(s);
        free(replies);
        return KANAL_E_INTERNAL;
    }
    s->base.done = on_done;
    s->base.gone = gone;
    s->dialogue.recipients = replies;
    s->dialogue.recipient_count = message->recipient_count;
    s->read = message->read;
    s->read_user = message->read_user;
    s->user = user;
    if (set_message(s, message) != 0) {
        mail_easy_close(&s->base);
        return KANAL_E_INTERNAL;
    }
    s->submitted = submitted;
    *ret_submit = s;
    return 0;
}

void mail_submit_resume(struct mail_submit *s)
{
    if (!s->waiting)
        return;
    s->waiting = 0;
    curl_easy_pause(s->base.easy, CURLPAUSE_CONT);
}

void mail_submit_cancel(struct mail_submit *s)
{
    if (!s)
        return;
    s->submitted = NULL;
    mail_easy_close(&s->base);
}
