/* kanal.transfer/1: mail by libcurl. */
#include <stdio.h>

#include "host/exchange.h"
#include "host/host.h"
#include "host/services/mail_body.h"
#include "host/services/place.h"
#include "host/services/services.h"
#include "host/services/stream.h"
#include "kanal/sdk/str.h"
#include "mail/mail.h"

#define MAILS_MAX 16u
#define RECIPIENTS_MAX 100u
#define ADDRESS_MAX 320u
#define CONNECT_DEFAULT_MS 30000u
#define CONNECT_MAX_MS 60000u
#define MAIL_DEFAULT_MS 120000u
#define MAIL_MAX_MS 600000u

static struct mail *mail_of(struct host *host)
{
    if (!host->mail)
        mail_new(&host->mail, host->loop, host->ca_file);
    return host->mail;
}

/* A checked log-in; release wipes nothing, for what it holds is borrowed. */
struct draft {
    struct mail_login login;
    char url[400];
};

static int text_plain(kanal_str text, size_t most)
{
    if (!text_valid(text) || text.len > most)
        return 0;
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] < ' ' || text.ptr[i] == 0x7f)
            return 0;
    return 1;
}

static kanal_status credentials(const struct channel *channel, const kanal_login *login,
                                struct mail_login *out, char reason[NET_REASON_MAX])
{
    out->user = login->user;
    out->is_bearer = (login->flags & KANAL_LOGIN_BEARER) != 0;
    if (login->user.len == 0)
        return KANAL_OK;
    out->password = login->token;
    if (login->secret.len > 0)
        out->password = channel_secret(channel, login->secret);
    if (out->password.len == 0) {
        snprintf(reason, NET_REASON_MAX, "the secret '%.*s' is not configured",
                 (int)(login->secret.len < 64 ? login->secret.len : 64),
                 login->secret.ptr ? login->secret.ptr : "");
        return KANAL_E_NOT_FOUND;
    }
    if (memchr(out->password.ptr, 0, out->password.len)) {
        snprintf(reason, NET_REASON_MAX, "the secret has a NUL byte");
        return KANAL_E_REJECTED;
    }
    return KANAL_OK;
}

static kanal_status plain_check(const struct channel *channel, const kanal_login *login, int is_smtp,
                                char reason[NET_REASON_MAX])
{
    if (!is_smtp || login->user.len > 0) {
        snprintf(reason, NET_REASON_MAX, "without TLS there is only smtp:// without a log-in");
        return KANAL_E_INVALID;
    }
    if (!channel->egress_by_operator) {
        snprintf(reason, NET_REASON_MAX, "mail without TLS needs the operator's own egress list");
        return KANAL_E_DENIED;
    }
    return KANAL_OK;
}

/* scheme: "imap" or "smtp". */
static kanal_status login_check(struct channel *channel, const kanal_login *login, const char *scheme,
                                struct draft *draft, char reason[NET_REASON_MAX])
{
    struct place place;
    const uint32_t known = KANAL_LOGIN_BEARER | KANAL_LOGIN_PLAIN;
    int is_smtp = scheme[0] == 's';
    if (!text_valid(login->url) || !text_plain(login->user, ADDRESS_MAX) || !text_valid(login->secret) ||
        !text_plain(login->token, 8192) || (login->flags & ~known) ||
        (login->secret.len > 0 && login->token.len > 0) || (!is_smtp && login->user.len == 0) ||
        place_parse(login->url, &place) != 0 || strncmp(place.scheme, scheme, 4) != 0) {
        snprintf(reason, NET_REASON_MAX, "the log-in's URL, user or flags are wrong");
        return KANAL_E_INVALID;
    }
    void *gate = place_gate(channel, place.host, place.port, reason);
    if (!gate)
        return KANAL_E_DENIED;
    kanal_status status =
        login->flags & KANAL_LOGIN_PLAIN ? plain_check(channel, login, is_smtp, reason) : KANAL_OK;
    if (status == KANAL_OK)
        status = credentials(channel, login, &draft->login, reason);
    int is_v6 = strchr(place.host, ':') != NULL;
    snprintf(draft->url, sizeof draft->url, "%s://%s%s%s:%u/", place.scheme, is_v6 ? "[" : "", place.host,
             is_v6 ? "]" : "", (unsigned)place.port);
    uint32_t connect = login->connect_timeout_ms ? login->connect_timeout_ms : CONNECT_DEFAULT_MS;
    draft->login.connect_timeout_ms = connect < CONNECT_MAX_MS ? connect : CONNECT_MAX_MS;
    draft->login.url = draft->url;
    draft->login.plain = (login->flags & KANAL_LOGIN_PLAIN) != 0;
    draft->login.allow = egress_allow;
    draft->login.allow_user = gate;
    return status;
}

static void tell_refused(const struct channel *channel, const char *reason)
{
    log_write(channel->host->log, KANAL_LOG_WARN, "mail", channel->id.ptr, "mail was refused: %s", reason);
}

/* ---- login() ---- */

static void on_opened(void *user, kanal_status status, struct mail_session *session, int fd,
                      const char *reason)
{
    struct connection *c = user;
    stream_made_by(c, NULL, NULL);
    if (status == KANAL_OK)
        stream_ready(c, fd, &mail_session_transport, session, 0);
    else
        stream_end(c, status, reason);
}

static void abort_session(void *maker)
{
    mail_session_cancel(maker);
}

static kanal_op transfer_login(const kanal_host *host, const kanal_login *login, uint32_t idle_ms,
                               uint32_t credit)
{
    struct channel *channel = host->impl;
    struct draft draft = { .login = { 0 } };
    char reason[NET_REASON_MAX] = "no log-in was given";
    kanal_op id = 0;
    struct connection *c = stream_begin(channel, idle_ms, credit, &id);
    if (!c)
        return 0;
    stream_restrict(c);
    kanal_status status = login ? login_check(channel, login, "imap", &draft, reason) : KANAL_E_INVALID;
    struct mail *mail = status == KANAL_OK ? mail_of(channel->host) : NULL;
    struct mail_session *session = NULL;
    draft.login.timeout_ms = draft.login.connect_timeout_ms;
    if (status != KANAL_OK) {
        tell_refused(channel, reason);
        stream_end(c, status, reason);
    } else if (stream_is_over(c)) {
        return id; /* one too many */
    } else if (!mail || mail_session_open(mail, &draft.login, on_opened, c, &session) != 0) {
        stream_end(c, KANAL_E_INTERNAL, "out of memory");
    } else {
        stream_made_by(c, session, abort_session);
    }
    return id;
}

/* ---- mail() ---- */

struct submission {
    struct op *op; /* not NULL: cancel() clears the whole */
    struct mail_submit *submit;
    struct mail_body *body;
};

static void submission_free(struct submission *s)
{
    s->op->channel->mail_count--;
    mail_body_free(s->body);
    free(s);
}

static void stop(struct op *op)
{
    struct submission *s = op->work;
    mail_submit_cancel(s->submit);
    submission_free(s);
}

static kanal_str place_text(char **at, kanal_str text)
{
    kanal_str there = kanal_str_of(*at, text.len);
    if (text.len > 0)
        memcpy(*at, text.ptr, text.len);
    *at += text.len;
    return there;
}

/* A copy in one block. */
static kanal_mail_result *result_copy(const kanal_mail_result *result)
{
    size_t bytes =
        sizeof *result + result->recipient_count * sizeof *result->recipients + result->reply.text.len;
    for (size_t i = 0; i < result->recipient_count; i++)
        bytes += result->recipients[i].text.len;
    kanal_mail_result *copy = malloc(bytes);
    if (!copy)
        return NULL;
    kanal_mail_reply *replies = (kanal_mail_reply *)(copy + 1);
    char *at = (char *)(replies + result->recipient_count);
    *copy = *result;
    copy->reply.text = place_text(&at, result->reply.text);
    copy->recipients = replies;
    for (size_t i = 0; i < result->recipient_count; i++) {
        replies[i] = result->recipients[i];
        replies[i].text = place_text(&at, result->recipients[i].text);
    }
    return copy;
}

static void on_submitted(void *user, kanal_status status, const kanal_mail_result *result)
{
    struct submission *s = user;
    struct op *op = s->op;
    if (status == KANAL_E_CANCELLED) /* the body broke off */
        status = mail_body_status(s->body) != KANAL_OK ? mail_body_status(s->body) : KANAL_E_INTERNAL;
    op->mail = result_copy(result);
    exchange_answered(op->channel, op->cause, op->id, status, result->reply.code, result->reply.text);
    submission_free(s);
    op_complete(op, status);
}

static void on_body_ready(void *user)
{
    struct submission *s = user;
    if (s->submit)
        mail_submit_resume(s->submit);
}

static int address_valid(kanal_str address, int may_be_empty)
{
    if (!text_plain(address, ADDRESS_MAX) || (address.len == 0 && !may_be_empty))
        return 0;
    for (size_t i = 0; i < address.len; i++)
        if (strchr("<> ", address.ptr[i]))
            return 0;
    return 1;
}

static int envelope_valid(const kanal_mail *mail)
{
    if (!mail || !KANAL_HAS(mail, piece_count) || !address_valid(mail->from, 1) || !mail->recipients ||
        mail->recipient_count == 0 || mail->recipient_count > RECIPIENTS_MAX)
        return 0;
    for (size_t i = 0; i < mail->recipient_count; i++)
        if (!address_valid(mail->recipients[i], 0))
            return 0;
    return 1;
}

static kanal_status submit(struct submission *s, kanal_op cause, const kanal_mail *mail,
                           char reason[NET_REASON_MAX])
{
    struct channel *channel = s->op->channel;
    struct draft draft = { .login = { 0 } };
    if (!envelope_valid(mail)) {
        snprintf(reason, NET_REASON_MAX, "the envelope's addresses are wrong, none, or over 100");
        return KANAL_E_INVALID;
    }
    kanal_status status = login_check(channel, &mail->login, "smtp", &draft, reason);
    if (status != KANAL_OK)
        return status;
    status = mail_body_new(&s->body, channel, cause, mail->pieces, mail->piece_count, on_body_ready, s);
    if (status != KANAL_OK) {
        snprintf(reason, NET_REASON_MAX, "the pieces of the message are wrong, too large, or not granted");
        return status;
    }
    uint32_t timeout = mail->timeout_ms ? mail->timeout_ms : MAIL_DEFAULT_MS;
    draft.login.timeout_ms = timeout < MAIL_MAX_MS ? timeout : MAIL_MAX_MS;
    struct mail_message message = { .from = mail->from,
                                    .recipients = mail->recipients,
                                    .recipient_count = mail->recipient_count,
                                    .read = mail_body_read,
                                    .read_user = s->body };
    if (!mail_of(channel->host) ||
        mail_submit_start(channel->host->mail, &draft.login, &message, on_submitted, s, &s->submit) != 0)
        return KANAL_E_BUSY;
    return KANAL_OK;
}

static kanal_op transfer_mail(const kanal_host *host, kanal_op cause, const kanal_mail *mail,
                              kanal_mail_fn *done, void *user)
{
    struct channel *channel = host->impl;
    struct op *op = channel->closed ? NULL : channel_op(channel, OP_MAIL);
    if (!op)
        return 0;
    op->callback.mail = done;
    op->user = user;
    kanal_op id = op->id;
    char reason[NET_REASON_MAX] = "";
    struct submission *s =
        channel->ops <= CHANNEL_OPS_MAX && channel->mail_count < MAILS_MAX ? calloc(1, sizeof *s) : NULL;
    if (!s) {
        op_complete(op, KANAL_E_BUSY);
        return id;
    }
    channel->mail_count++;
    s->op = op;
    op->cause = cause;
    kanal_status status = submit(s, cause, mail, reason);
    if (status == KANAL_OK) {
        exchange_asked_mail(channel, cause, id, mail);
        op->work = s;
        op->cancel = stop;
        return id;
    }
    if (reason[0])
        tell_refused(channel, reason);
    submission_free(s);
    op_complete(op, status);
    return id;
}

const void *extension_transfer(void)
{
    static const kanal_transfer_host table = { .struct_size = sizeof table,
                                               .mail = transfer_mail,
                                               .login = transfer_login };
    return &table;
}
