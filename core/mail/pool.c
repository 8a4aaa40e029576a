/* libcurl's multi handle in the event loop. Mail has one of its own: its connections are few and live long, and none is shared between
 * channels. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mail/private.h"

struct mail_watch {
    uv_poll_t poll;
    struct mail_watch *next;
    struct mail *mail;
    curl_socket_t fd;
};

static void drain(struct mail *mail)
{
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(mail->multi, &left))) {
        struct mail_easy *e = NULL;
        CURLcode result = message->data.result;
        if (message->msg == CURLMSG_DONE &&
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&e) == CURLE_OK && e)
            e->done(e, result);
    }
}

static void act(struct mail *mail, curl_socket_t fd, int mask)
{
    int running;
    curl_multi_socket_action(mail->multi, fd, mask, &running);
    drain(mail);
}

/* ---- Sockets ---- */

static void on_watch_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static struct mail_watch *watch_find(const struct mail *mail, curl_socket_t fd)
{
    struct mail_watch *w = mail->watches;
    while (w && w->fd != fd)
        w = w->next;
    return w;
}

static void watch_drop(struct mail *mail, curl_socket_t fd)
{
    for (struct mail_watch **link = &mail->watches; *link; link = &(*link)->next)
        if ((*link)->fd == fd) {
            struct mail_watch *w = *link;
            *link = w->next;
            uv_close((uv_handle_t *)&w->poll, on_watch_closed);
            return;
        }
}

static struct mail_watch *watch_new(struct mail *mail, curl_socket_t fd)
{
    struct mail_watch *w = calloc(1, sizeof *w);
    if (!w || uv_poll_init(mail->loop, &w->poll, fd) != 0) {
        free(w);
        return NULL;
    }
    w->poll.data = w;
    w->mail = mail;
    w->fd = fd;
    w->next = mail->watches;
    mail->watches = w;
    return w;
}

static void on_event(uv_poll_t *poll, int status, int events)
{
    struct mail_watch *w = poll->data;
    int mask = status < 0 ? CURL_CSELECT_ERR : 0;
    mask |= events & UV_READABLE ? CURL_CSELECT_IN : 0;
    mask |= events & UV_WRITABLE ? CURL_CSELECT_OUT : 0;
    act(w->mail, w->fd, mask);
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *user, void *unused)
{
    struct mail *mail = user;
    struct mail_watch *w = watch_find(mail, fd);
    (void)easy, (void)unused;
    if (what == CURL_POLL_REMOVE) {
        watch_drop(mail, fd);
        return 0;
    }
    if (!w)
        w = watch_new(mail, fd);
    if (w)
        uv_poll_start(&w->poll,
                      (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0),
                      on_event);
    return 0; /* without memory: the deadline ends it */
}

static void on_timer(uv_timer_t *timer)
{
    act(timer->data, CURL_SOCKET_TIMEOUT, 0);
}

static int on_set_timer(CURLM *multi, long timeout_ms, void *user)
{
    struct mail *mail = user;
    (void)multi;
    if (mail->closing || timeout_ms < 0)
        uv_timer_stop(&mail->timer);
    else
        uv_timer_start(&mail->timer, on_timer, (uint64_t)timeout_ms, 0);
    return 0;
}

static curl_socket_t on_open_socket(void *user, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct mail_easy *e = user;
    char text[INET6_ADDRSTRLEN] = "?";
    if (purpose != CURLSOCKTYPE_IPCXN || (address->family != AF_INET && address->family != AF_INET6))
        return CURL_SOCKET_BAD;
    if (e->allow && !e->allow(e->allow_user, &address->addr)) {
        const struct sockaddr *a = &address->addr;
        inet_ntop(address->family,
                  address->family == AF_INET6
                      ? (const void *)&((const struct sockaddr_in6 *)(const void *)a)->sin6_addr
                      : (const void *)&((const struct sockaddr_in *)(const void *)a)->sin_addr,
                  text, sizeof text);
        snprintf(e->reason, sizeof e->reason, "the address %s is not granted", text);
        e->denied++;
        return CURL_SOCKET_BAD;
    }
    int fd = socket(address->family, address->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, address->protocol);
    if (fd >= 0)
        watch_drop(e->mail, fd); /* libcurl 7.88 closes what did not connect without a word */
    return fd;
}

static int on_close_socket(void *user, curl_socket_t fd)
{
    struct mail *mail = user;
    watch_drop(mail, fd);
    return close(fd);
}

/* ---- One transfer ---- */

static void on_start(uv_timer_t *timer)
{
    struct mail_easy *e = timer->data;
    if (curl_multi_add_handle(e->mail->multi, e->easy) != CURLM_OK) {
        e->done(e, CURLE_OUT_OF_MEMORY);
        return;
    }
    e->in_multi = 1;
}

static int set_login(struct mail_easy *e, const struct mail_login *login)
{
    struct kanal_buffer user = { 0 }, password = { 0 };
    int failed = 0;
    kanal_buffer_str(&user, login->user);
    kanal_buffer_byte(&user, 0);
    kanal_buffer_str(&password, login->password);
    kanal_buffer_byte(&password, 0);
    failed |= user.failed || password.failed;
    if (!failed && login->user.len > 0) {
        failed |= curl_easy_setopt(e->easy, CURLOPT_USERNAME, user.data) != CURLE_OK;
        failed |= curl_easy_setopt(e->easy, login->is_bearer ? CURLOPT_XOAUTH2_BEARER : CURLOPT_PASSWORD,
                                   password.data) != CURLE_OK;
    }
    if (password.data)
        explicit_bzero(password.data, password.capacity);
    kanal_buffer_release(&user);
    kanal_buffer_release(&password);
    return failed;
}

static int set_options(struct mail_easy *e, const struct mail_login *login)
{
    CURL *easy = e->easy;
    int failed = 0;
#define SET(option, value) failed |= curl_easy_setopt(easy, option, value) != CURLE_OK
    SET(CURLOPT_PRIVATE, e);
    SET(CURLOPT_URL, login->url);
    SET(CURLOPT_PROTOCOLS_STR, "imap,imaps,smtp,smtps");
    SET(CURLOPT_PROXY, "");
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_USE_SSL, login->plain ? (long)CURLUSESSL_NONE : (long)CURLUSESSL_ALL);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    SET(CURLOPT_TCP_KEEPALIVE, 1L);
    SET(CURLOPT_FRESH_CONNECT, 1L);
    SET(CURLOPT_FORBID_REUSE, 1L);
    SET(CURLOPT_ERRORBUFFER, e->error);
    SET(CURLOPT_TIMEOUT_MS, (long)login->timeout_ms);
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)login->connect_timeout_ms);
    SET(CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
    SET(CURLOPT_OPENSOCKETDATA, e);
    SET(CURLOPT_CLOSESOCKETFUNCTION, on_close_socket);
    SET(CURLOPT_CLOSESOCKETDATA, e->mail);
    if (e->mail->ca_file) /* beside the system's folder of authorities, which CAPATH is by default */
        SET(CURLOPT_CAINFO, e->mail->ca_file);
#undef SET
    return failed | set_login(e, login);
}

int mail_easy_init(struct mail_easy *e, struct mail *mail, const struct mail_login *login)
{
    e->mail = mail;
    e->allow = login->allow;
    e->allow_user = login->allow_user;
    e->easy = curl_easy_init();
    if (!e->easy || set_options(e, login) != 0) {
        curl_easy_cleanup(e->easy);
        return KANAL_E_INTERNAL;
    }
    uv_timer_init(mail->loop, &e->start);
    e->start.data = e;
    uv_timer_start(&e->start, on_start, 0, 0);
    return 0;
}

static void on_easy_closed(uv_handle_t *handle)
{
    struct mail_easy *e = handle->data;
    e->gone(e);
}

void mail_easy_close(struct mail_easy *e)
{
    if (e->closing)
        return;
    e->closing = 1;
    if (e->in_multi)
        curl_multi_remove_handle(e->mail->multi, e->easy);
    curl_easy_cleanup(e->easy);
    e->easy = NULL;
    uv_close((uv_handle_t *)&e->start, on_easy_closed);
}

kanal_status mail_easy_verdict(struct mail_easy *e, CURLcode result)
{
    if (result == CURLE_OK)
        return KANAL_OK;
    if (e->denied == 0 || e->reason[0] == 0)
        snprintf(e->reason, sizeof e->reason, "%s", e->error[0] ? e->error : curl_easy_strerror(result));
    switch (result) {
    case CURLE_OPERATION_TIMEDOUT:
        return KANAL_E_TIMEOUT;
    case CURLE_COULDNT_CONNECT:
        return e->denied ? KANAL_E_DENIED : KANAL_E_NETWORK;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_USE_SSL_FAILED:
    case CURLE_LOGIN_DENIED:
    case CURLE_AUTH_ERROR:
        return KANAL_E_REJECTED;
    case CURLE_OUT_OF_MEMORY:
        return KANAL_E_BUSY;
    default:
        return KANAL_E_NETWORK;
    }
}

/* ---- Life ---- */

int mail_new(struct mail **ret_mail, uv_loop_t *loop, const char *ca_file)
{
    struct mail *mail = calloc(1, sizeof *mail);
    if (!mail || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        free(mail);
        return KANAL_E_INTERNAL;
    }
    mail->multi = curl_multi_init();
    mail->ca_file = ca_file ? strdup(ca_file) : NULL;
    if (!mail->multi || (ca_file && !mail->ca_file)) {
        curl_multi_cleanup(mail->multi);
        curl_global_cleanup();
        free(mail->ca_file);
        free(mail);
        return KANAL_E_INTERNAL;
    }
    mail->loop = loop;
    uv_timer_init(loop, &mail->timer);
    uv_unref((uv_handle_t *)&mail->timer);
    mail->timer.data = mail;
    curl_multi_setopt(mail->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(mail->multi, CURLMOPT_SOCKETDATA, mail);
    curl_multi_setopt(mail->multi, CURLMOPT_TIMERFUNCTION, on_set_timer);
    curl_multi_setopt(mail->multi, CURLMOPT_TIMERDATA, mail);
    *ret_mail = mail;
    return 0;
}

static void on_mail_closed(uv_handle_t *handle)
{
    struct mail *mail = handle->data;
    free(mail->ca_file);
    free(mail);
    curl_global_cleanup();
}

void mail_free(struct mail *mail)
{
    if (!mail)
        return;
    mail->closing = 1;
    curl_multi_cleanup(mail->multi);
    uv_close((uv_handle_t *)&mail->timer, on_mail_closed);
}
