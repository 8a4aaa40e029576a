#include "net/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct net_tls {
    SSL_CTX *context;
};

struct net_socket {
    int fd;
    char *host;
    struct net_tls *tls;
    SSL *ssl; /* NULL: plain */
    int secured;
};

int net_tls_new(struct net_tls **ret_tls, const char *ca_file)
{
    struct net_tls *tls = calloc(1, sizeof *tls);
    int status = KANAL_E_INTERNAL;
    if (!tls || !(tls->context = SSL_CTX_new(TLS_client_method())) ||
        SSL_CTX_set_min_proto_version(tls->context, TLS1_2_VERSION) != 1)
        goto fail;
    SSL_CTX_set_verify(tls->context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_mode(tls->context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_default_verify_paths(
        tls->context); /* a system without authorities: what ca_file has counts */
    if (ca_file && SSL_CTX_load_verify_locations(tls->context, ca_file, NULL) != 1) {
        status = KANAL_E_INVALID;
        goto fail;
    }
    *ret_tls = tls;
    return 0;
fail:
    ERR_clear_error();
    net_tls_free(tls);
    return status;
}

void net_tls_free(struct net_tls *tls)
{
    if (tls)
        SSL_CTX_free(tls->context);
    free(tls);
}

struct net_socket *net_socket_new(int fd, const char *host, struct net_tls *tls)
{
    struct net_socket *s = calloc(1, sizeof *s);
    if (!s || !(s->host = strdup(host))) {
        free(s);
        return NULL;
    }
    s->fd = fd;
    s->tls = tls;
    return s;
}

static void release(void *impl)
{
    struct net_socket *s = impl;
    if (s->ssl && s->secured) {
        /* The farewell, if the socket takes it at once. */
        ERR_clear_error();
        SSL_shutdown(s->ssl);
        ERR_clear_error();
    }
    SSL_free(s->ssl);
    close(s->fd);
    free(s->host);
    free(s);
}

/* ---- Plain ---- */

static ssize_t plain_result(ssize_t n, int wait, char *reason)
{
    if (n >= 0)
        return n;
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
        return wait;
    snprintf(reason, NET_REASON_MAX, "%s", uv_strerror(-errno));
    return NET_BROKEN;
}

/* ---- TLS ---- */

static int tls_result(struct net_socket *s, int result, char *reason)
{
    int why = SSL_get_error(s->ssl, result), saved = errno;
    unsigned long code = ERR_peek_error();
    long verdict = SSL_get_verify_result(s->ssl);
    ERR_clear_error();
    if (why == SSL_ERROR_WANT_READ)
        return NET_WAIT_READ;
    if (why == SSL_ERROR_WANT_WRITE)
        return NET_WAIT_WRITE;
    if (why == SSL_ERROR_ZERO_RETURN)
        return 0;
    if (!s->secured && verdict != X509_V_OK) {
        snprintf(reason, NET_REASON_MAX, "the certificate of %.100s: %s", s->host,
                 X509_verify_cert_error_string(verdict));
        return NET_REFUSED;
    }
    if (why == SSL_ERROR_SYSCALL && saved != 0)
        snprintf(reason, NET_REASON_MAX, "%s", uv_strerror(-saved));
    else if (code == 0 || ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
        snprintf(reason, NET_REASON_MAX, "the peer closed the connection without TLS's farewell");
    else
        snprintf(reason, NET_REASON_MAX, "TLS: %s", ERR_reason_error_string(code));
    return NET_BROKEN;
}

static int name_expected(SSL *ssl, const char *host)
{
    unsigned char address[16];
    if (inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1)
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host);
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(ssl, host) == 1 && SSL_set_tlsext_host_name(ssl, host) == 1;
}

/* What already came unencrypted could have been put there by anybody (CVE-2011-0411 and its kin). */
static int nothing_came(int fd, char *reason)
{
    char byte;
    if (recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0)
        return 1;
    snprintf(reason, NET_REASON_MAX, "the peer sent more in plain text before TLS began");
    return 0;
}

static int handshake(void *impl, char *reason)
{
    struct net_socket *s = impl;
    if (s->secured || !s->tls) {
        snprintf(reason, NET_REASON_MAX, s->tls ? "TLS stands already" : "TLS is not available");
        return NET_BROKEN;
    }
    if (!s->ssl) {
        if (!nothing_came(s->fd, reason))
            return NET_REFUSED;
        s->ssl = SSL_new(s->tls->context);
        if (!s->ssl || name_expected(s->ssl, s->host) != 1 || SSL_set_fd(s->ssl, s->fd) != 1) {
            ERR_clear_error();
            snprintf(reason, NET_REASON_MAX, "TLS could not be set up");
            return NET_BROKEN;
        }
    }
    ERR_clear_error();
    errno = 0;
    int result = SSL_connect(s->ssl);
    if (result == 1) {
        s->secured = 1;
        return 0;
    }
    result = tls_result(s, result, reason);
    if (result != 0)
        return result;
    snprintf(reason, NET_REASON_MAX, "the peer closed the connection in the TLS handshake");
    return NET_BROKEN;
}

/* ---- Both ---- */

static ssize_t receive(void *impl, void *buffer, size_t len, char *reason)
{
    struct net_socket *s = impl;
    if (!s->ssl)
        return plain_result(recv(s->fd, buffer, len, 0), NET_WAIT_READ, reason);
    ERR_clear_error();
    errno = 0;
    int n = SSL_read(s->ssl, buffer, (int)len);
    return n > 0 ? n : tls_result(s, n, reason);
}

static ssize_t send_bytes(void *impl, const void *bytes, size_t len, char *reason)
{
    struct net_socket *s = impl;
    if (!s->ssl)
        return plain_result(send(s->fd, bytes, len, MSG_NOSIGNAL), NET_WAIT_WRITE, reason);
    ERR_clear_error();
    errno = 0;
    int n = SSL_write(s->ssl, bytes, len < INT32_MAX ? (int)len : INT32_MAX);
    if (n > 0)
        return n;
    n = tls_result(s, n, reason);
    if (n != 0)
        return n;
    snprintf(reason, NET_REASON_MAX, "the peer has closed the connection");
    return NET_BROKEN;
}

static int finish(void *impl, char *reason)
{
    struct net_socket *s = impl;
    if (s->ssl) {
        ERR_clear_error();
        errno = 0;
        int result = SSL_shutdown(s->ssl);
        if (result < 0 && (result = tls_result(s, result, reason)) < 0)
            return result;
        return 0; /* the farewell is sent; the socket stays open for the peer's */
    }
    shutdown(s->fd, SHUT_WR);
    return 0;
}

static int pending(void *impl)
{
    const struct net_socket *s = impl;
    return s->ssl && SSL_has_pending(s->ssl);
}

/* A TLS record may have left in part though SSL_write() still waits; of plain bytes the system says how many. */
static int opaque(void *impl)
{
    return ((const struct net_socket *)impl)->ssl != NULL;
}

const struct net_transport net_socket_transport = { .receive = receive,
                                                    .send = send_bytes,
                                                    .handshake = handshake,
                                                    .finish = finish,
                                                    .pending = pending,
                                                    .release = release,
                                                    .opaque = opaque };
