/* mail/mail.h - libcurl for mail: submission (SMTP) and logged-in IMAP connections. [loop]
 *
 * libcurl connects, does TLS and logs in. Of IMAP it does no more than that (CURLOPT_CONNECT_ONLY): its own IMAP requests lose
 * literals and cut answers. Callbacks never run inside the call that starts something. */
#ifndef KANAL_MAIL_MAIL_H
#define KANAL_MAIL_MAIL_H
#include <sys/socket.h>
#include <uv.h>
#include "kanal/ext/transfer.h"
#include "net/stream.h"

struct mail; /* libcurl's multi handle in the loop */

/* ca_file: authorities beside the system's, or NULL. 0 or KANAL_E_INTERNAL. */
int mail_new(struct mail **ret_mail, uv_loop_t *, const char *ca_file);
/* Nothing may be under way. The loop must run once more. NULL is fine. */
void mail_free(struct mail *);

/* Everything is copied; secrets are wiped. */
struct mail_login {
    const char *url; /* "imaps://host:port", complete and checked */
    kanal_str user, password;
    int is_bearer;                           /* password is an access token */
    int plain;                               /* no TLS (and then no user) */
    uint32_t timeout_ms, connect_timeout_ms; /* of the whole, and of connecting with TLS and log-in */
    /* May this address be connected to? 1 or 0. Runs inside of libcurl: it calls nothing of mail. */
    int (*allow)(void *user, const struct sockaddr *);
    void *allow_user;
};

/* ---- session.c: IMAP, logged in ---- */

struct mail_session;
extern const struct net_transport mail_session_transport; /* impl: the session */

/* KANAL_OK: fd and session are for net_stream_new(), whose transport then owns the session. Else the session is gone: KANAL_E_DENIED (the
 * address), KANAL_E_REJECTED (certificate, no TLS, log-in: reason has the server's words), KANAL_E_NETWORK, KANAL_E_TIMEOUT. */
typedef void mail_opened_fn(void *user, kanal_status, struct mail_session *, int fd, const char *reason);
int mail_session_open(struct mail *, const struct mail_login *, mail_opened_fn *, void *user,
                      struct mail_session **ret_session);
/* Before it is opened; the callback does not run. NULL is fine. */
void mail_session_cancel(struct mail_session *);

/* ---- submit.c: one message ---- */

struct mail_submit;

struct mail_message {
    kanal_str from; /* checked: no controls, no angle brackets */
    const kanal_str *recipients;
    size_t recipient_count;
    /* Bytes of the message, 0 at its end, MAIL_WAIT (then mail_submit_resume() follows) or MAIL_BROKEN (the whole is given up). */
    ssize_t (*read)(void *user, char *into, size_t len);
    void *read_user;
};
enum { MAIL_WAIT = -1, MAIL_BROKEN = -2 };

/* status: as kanal_mail_fn; KANAL_E_CANCELLED for MAIL_BROKEN. Borrowed until it returns; the submission is gone then. */
typedef void mail_submitted_fn(void *user, kanal_status, const kanal_mail_result *);
int mail_submit_start(struct mail *, const struct mail_login *, const struct mail_message *,
                      mail_submitted_fn *, void *user, struct mail_submit **ret_submit);
void mail_submit_resume(struct mail_submit *);
/* The callback does not run. NULL is fine. */
void mail_submit_cancel(struct mail_submit *);

/* ---- replies.c: what an SMTP server says ---- */

#define MAIL_REPLY_MAX 2048u

enum mail_phase { MAIL_GREETING, MAIL_AUTH, MAIL_FROM, MAIL_RCPT, MAIL_DATA, MAIL_QUIT };

struct mail_reply { /* zeroed: none */
    int code;
    int more; /* its last line is still to come */
    size_t len;
    char text[MAIL_REPLY_MAX];
};

/* The dialogue, line by line: which reply belongs to what. */
struct mail_dialogue {
    enum mail_phase phase;
    size_t asked; /* RCPT commands so far */
    struct mail_reply *recipients;
    size_t recipient_count;
    struct mail_reply last, /* of the last command but RCPT and QUIT */
        refusal;            /* the first of 4xx or 5xx to EHLO, AUTH, MAIL or DATA */
};
void mail_dialogue_sent(struct mail_dialogue *, kanal_str command);
/* One line of the server's, with or without its end. Hostile. */
void mail_dialogue_heard(struct mail_dialogue *, kanal_str line);

#endif
