/* IMAP, as far as the log-in: CURLOPT_CONNECT_ONLY leaves a connection whose bytes are read and written as they are. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mail/private.h"

struct mail_session {
    struct mail_easy base;  /* first */
    mail_opened_fn *opened; /* NULL: told, or cancelled */
    void *user;
    char said[NET_REASON_MAX]; /* the server's last line that was no "OK" */
};

/* Every line of the server's while libcurl talks to it. */
static size_t on_line(char *bytes, size_t one, size_t count, void *user)
{
    struct mail_session *s = user;
    size_t len = one * count, word = 0;
    while (word < len && bytes[word] != ' ') /* the tag */
        word++;
    if (word + 4 < len && (memcmp(bytes + word, " NO ", 4) == 0 || memcmp(bytes + word, " BAD", 4) == 0)) {
        while (len > 0 && (unsigned char)bytes[len - 1] < ' ')
            len--;
        snprintf(s->said, sizeof s->said, "%.*s", (int)(len - word - 1 < 200 ? len - word - 1 : 200),
                 bytes + word + 1);
    }
    return one * count;
}

static size_t on_body(char *bytes, size_t one, size_t count, void *user)
{
    (void)bytes, (void)user;
    return one * count;
}

static void on_done(struct mail_easy *e, CURLcode result)
{
    struct mail_session *s = (struct mail_session *)e;
    mail_opened_fn *opened = s->opened;
    curl_socket_t fd = CURL_SOCKET_BAD;
    kanal_status status = mail_easy_verdict(e, result);
    if (!opened)
        return;
    s->opened = NULL;
    if (status == KANAL_OK &&
        (curl_easy_getinfo(e->easy, CURLINFO_ACTIVESOCKET, &fd) != CURLE_OK || fd == CURL_SOCKET_BAD)) {
        status = KANAL_E_NETWORK;
        snprintf(e->reason, sizeof e->reason, "the connection ended after the log-in");
    }
    if (status == KANAL_OK) {
        opened(s->user, KANAL_OK, s, (int)fd, "");
        return;
    }
    opened(s->user, status, NULL, -1, result == CURLE_LOGIN_DENIED && s->said[0] ? s->said : e->reason);
    mail_easy_close(e);
}

static void gone(struct mail_easy *e)
{
    free(e);
}

int mail_session_open(struct mail *mail, const struct mail_login *login, mail_opened_fn *opened, void *user,
                      struct mail_session **ret_session)
{
    struct mail_session *s = calloc(1, sizeof *s);
    if (!s || mail_easy_init(&s->base, mail, login) != 0) {
        free(s);
        return KANAL_E_INTERNAL;
    }
    CURL *easy = s->base.easy;
    s->opened = opened;
    s->user = user;
    s->base.done = on_done;
    s->base.gone = gone;
    curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L);
    curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 0L); /* or it is closed when the log-in is done */
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_line);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, s);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    *ret_session = s;
    return 0;
}

void mail_session_cancel(struct mail_session *s)
{
    if (!s)
        return;
    s->opened = NULL;
    mail_easy_close(&s->base);
}

/* ---- The transport ---- */

static ssize_t said(struct mail_session *s, CURLcode result, ssize_t wait, char *reason)
{
    if (result == CURLE_AGAIN)
        return wait;
    snprintf(reason, NET_REASON_MAX, "%s", s->base.error[0] ? s->base.error : curl_easy_strerror(result));
    return NET_BROKEN;
}

static ssize_t receive(void *impl, void *buffer, size_t len, char *reason)
{
    struct mail_session *s = impl;
    size_t n = 0;
    CURLcode result = curl_easy_recv(s->base.easy, buffer, len, &n);
    return result == CURLE_OK ? (ssize_t)n : said(s, result, NET_WAIT_READ, reason);
}

static ssize_t send_bytes(void *impl, const void *bytes, size_t len, char *reason)
{
    struct mail_session *s = impl;
    size_t n = 0;
    CURLcode result = curl_easy_send(s->base.easy, bytes, len, &n);
    return result == CURLE_OK ? (ssize_t)n : said(s, result, NET_WAIT_WRITE, reason);
}

/* libcurl does not say whether TLS holds bytes back: it is asked again. */
static int always(void *impl)
{
    (void)impl;
    return 1;
}

static void release(void *impl)
{
    struct mail_session *s = impl;
    mail_easy_close(&s->base);
}

const struct net_transport mail_session_transport = {
    .receive = receive, .send = send_bytes, .pending = always, .opaque = always, .release = release
};
