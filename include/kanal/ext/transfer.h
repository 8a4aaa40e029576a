/* kanal/ext/transfer.h - extension "kanal.transfer/1": mail by libcurl: submission (SMTP) and sessions of a mailbox (IMAP).
 *
 * libcurl connects, does TLS (implicit or STARTTLS, which is then required; chain and name are verified) and logs in: the
 * password or token goes from the host's configuration to the server, and the plugin never sees it. What comes after is
 *   of SMTP  one message by mail(): libcurl speaks the protocol, the host streams the body and reports every reply;
 *   of IMAP  the plugin's: login() opens a stream of stream.h that is already logged in. libcurl's own IMAP requests lose
 *            literals and cut long answers (docs/decisions.md), so the plugin speaks RFC 3501 itself, with the parser of
 *            kanal/sdk/imap.h, under the same credit as any stream. One session a mailbox, and its commands are the plugin's
 *            to order.
 * Grant as for streams: the channel's `egress` names host and port. */
#ifndef KANAL_EXT_TRANSFER_H
#define KANAL_EXT_TRANSFER_H
#include "stream.h"
#ifdef __cplusplus
extern "C" {
#endif

#define KANAL_EXT_TRANSFER "kanal.transfer/1"

#define KANAL_LOGIN_BEARER 1u /* the secret or token is an OAuth 2.0 access token (XOAUTH2, OAUTHBEARER) */
#define KANAL_LOGIN_PLAIN                                                                                    \
    2u /* of mail() without log-in only: no TLS, for a relay that the operator's `egress` names */

/* A server and how to log in there. Frozen. */
typedef struct kanal_login {
    uint32_t flags;              /* KANAL_LOGIN_… */
    uint32_t connect_timeout_ms; /* connecting, TLS and log-in together; 0: 30 s; at most 60 s */
    kanal_str
        url; /* "imaps://mail.example.com", "imap://…", "smtps://…", "smtp://…:587"; at most host and port */
    kanal_str user;   /* absent: no log-in (mail() only) */
    kanal_str secret; /* the name of the password's or token's secret, or … */
    kanal_str token;  /* … an access token that the plugin was given by the provider */
} kanal_login;

/* A piece of a message's body; they follow each other without a gap. Frozen. */
#define KANAL_PIECE_BASE64 1u /* base64 in lines of 76 characters, CRLF after each: a MIME part's body */
typedef struct kanal_piece {
    kanal_str data; /* the bytes, or … */
    kanal_str
        source; /* … where the host streams them from: a reference of blob.h, or a URL as kanal_part.source_url */
    uint32_t encoding;  /* 0: as they are; or KANAL_PIECE_… */
    uint32_t max_bytes; /* of source: more make the whole fail with KANAL_E_TOO_LARGE, unsent; 0: 64 MiB */
} kanal_piece;

typedef struct kanal_mail {
    uint32_t struct_size;
    uint32_t timeout_ms; /* of the whole; 0: 120 s; at most 600 s */
    kanal_login login;
    kanal_str
        from; /* the envelope's sender: "a@example.com"; empty: the null sender, of bounces and auto-replies */
    const kanal_str *recipients; /* the envelope's, 1 to 100 */
    size_t recipient_count;
    const kanal_piece *
        pieces; /* header, blank line, body (RFC 5322), lines end with CRLF; 1 to 64; dot-stuffing is the host's */
    size_t piece_count;
} kanal_mail;

typedef struct kanal_mail_reply { /* frozen; code 0: there was none */
    int32_t code;                 /* RFC 5321, 4.2: 250, 421, 550 … */
    uint32_t reserved;
    kanal_str
        text; /* its words, all lines, with an enhanced code where the server gave one ("5.1.1 no such user") */
} kanal_mail_reply;

typedef struct kanal_mail_result { /* borrowed */
    uint32_t struct_size;
    uint32_t accepted;                  /* how many recipients the server took */
    kanal_mail_reply reply;             /* the one that decided: to the body, or else to what failed */
    const kanal_mail_reply *recipients; /* in the order of kanal_mail.recipients */
    size_t recipient_count;
} kanal_mail_result;

/* KANAL_OK: the server took the message for the recipients with a code of 2xx; for the others it did not.
 * KANAL_E_REJECTED: it took it for nobody; reply says why: 4xx may be tried again, 5xx not; a refused log-in is 535 or 534.
 * KANAL_E_NETWORK, KANAL_E_TIMEOUT, KANAL_E_CANCELLED: it cannot have taken it. KANAL_E_MAYBE: the body was sent, but no reply came.
 * KANAL_E_NOT_FOUND: no such secret, or a source that is gone. KANAL_E_TOO_LARGE: a source, or the server's SIZE limit.
 * KANAL_E_DENIED, KANAL_E_INVALID, KANAL_E_BUSY (over 16 under way in a channel). result: never NULL; without a reply its codes are 0. */
typedef void kanal_mail_fn(void *user, kanal_status, const kanal_mail_result *result);

/* The host's table: kanal_host.extension(). Frozen. */
typedef struct kanal_transfer_host {
    uint64_t struct_size;
    /* [lane] Submits one message. cause: 0, or the deliver() op that it is done for: a URL in its data may be a source. */
    kanal_op (*mail)(const kanal_host *, kanal_op cause, const kanal_mail *, kanal_mail_fn *, void *user);
    /* [lane] Opens a logged-in IMAP session as a stream: events, write(), credit(), close() are those of stream.h, and the plugin
     * needs its kanal_stream_plugin. on_open() when logged in: the server expects a command. on_close() alone: as of
     * connect(), and KANAL_E_REJECTED with the server's words, KANAL_E_NOT_FOUND (the secret). idle_timeout_ms and credit as
     * in kanal_stream_target; a session cannot be half-closed or upgraded, and no secrets enter its writes. */
    kanal_op (*login)(const kanal_host *, const kanal_login *, uint32_t idle_timeout_ms, uint32_t credit);
} kanal_transfer_host;

#ifdef __cplusplus
}
#endif
#endif
