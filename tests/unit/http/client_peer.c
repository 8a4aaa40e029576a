#include "client_peer.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX 1024

struct peer_conn {
    struct peer *peer;
    pthread_t thread;
    int fd;
    SSL *ssl;
    char *bytes; /* read and not yet used */
    size_t len, capacity;
    struct peer_request request;
};

struct peer {
    int fd;
    uint16_t port;
    pthread_t thread;
    peer_fn *serve;
    void *user;
    SSL_CTX *tls;
    pthread_mutex_t lock;
    struct peer_conn *conns[CONNECTIONS_MAX];
    unsigned count;
    int stopping;
    atomic_uint requests, resumed;
};

static void must(int ok, const char *what)
{
    if (!ok) {
        perror(what);
        abort();
    }
}

/* ---- Bytes ---- */

static int fill(struct peer_conn *conn)
{
    ssize_t got;

    if (conn->len + 65536 > conn->capacity) {
        conn->capacity = conn->capacity * 2 + 131072;
        conn->bytes = realloc(conn->bytes, conn->capacity);
        must(conn->bytes != NULL, "realloc");
    }
    if (conn->ssl)
        got = SSL_read(conn->ssl, conn->bytes + conn->len, 65536);
    else
        got = recv(conn->fd, conn->bytes + conn->len, 65536, 0);
    if (got <= 0)
        return 0;
    conn->len += (size_t)got;
    return 1;
}

static void use(struct peer_conn *conn, size_t len)
{
    memmove(conn->bytes, conn->bytes + len, conn->len - len);
    conn->len -= len;
}

/* The length up to and with the mark, reading on until it is there; 0: the connection ended. */
static size_t until(struct peer_conn *conn, const char *mark)
{
    size_t mark_len = strlen(mark);

    for (;;) {
        char *at = conn->len >= mark_len ? memmem(conn->bytes, conn->len, mark, mark_len) : NULL;
        if (at)
            return (size_t)(at - conn->bytes) + mark_len;
        if (!fill(conn))
            return 0;
    }
}

int peer_write(struct peer_conn *conn, const void *bytes, size_t len)
{
    const char *at = bytes;

    while (len > 0) {
        ssize_t sent = conn->ssl ? SSL_write(conn->ssl, at, (int)len) : send(conn->fd, at, len, MSG_NOSIGNAL);
        if (sent <= 0)
            return -1;
        at += sent;
        len -= (size_t)sent;
    }
    return 0;
}

int peer_text(struct peer_conn *conn, const char *format, ...)
{
    char text[4096];
    va_list arguments;
    int len;

    va_start(arguments, format);
    len = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    must(len >= 0 && (size_t)len < sizeof text, "peer_text");
    return peer_write(conn, text, (size_t)len);
}

int peer_answer(struct peer_conn *conn, int code, const char *body)
{
    return peer_text(conn,
                     "HTTP/1.1 %d Whatever\r\nContent-Length: %zu\r\nContent-Type: text/plain\r\n\r\n%s",
                     code, strlen(body), body);
}

/* ---- Requests ---- */

static void request_clear(struct peer_request *request)
{
    free(request->head);
    free(request->body);
    memset(request, 0, sizeof *request);
}

int peer_read_head(struct peer_conn *conn, struct peer_request *ret_request)
{
    struct peer_request *request = &conn->request;
    size_t len;

    request_clear(request);
    len = until(conn, "\r\n\r\n");
    if (len == 0)
        return 0;
    request->head = strndup(conn->bytes, len);
    request->head_len = len;
    request->chunked = strcasestr(request->head, "\r\ntransfer-encoding: chunked") != NULL;
    use(conn, len);
    *ret_request = *request;
    return 1;
}

static int read_body(struct peer_conn *conn, size_t len)
{
    struct peer_request *request = &conn->request;

    while (conn->len < len) {
        if (!fill(conn))
            return 0;
    }
    request->body = realloc(request->body, request->body_len + len + 1);
    must(request->body != NULL, "realloc");
    memcpy(request->body + request->body_len, conn->bytes, len);
    request->body_len += len;
    request->body[request->body_len] = '\0';
    use(conn, len);
    return 1;
}

static int read_chunks(struct peer_conn *conn)
{
    for (;;) {
        size_t line = until(conn, "\r\n"), size;
        if (line == 0)
            return 0;
        size = strtoul(conn->bytes, NULL, 16);
        use(conn, line);
        if (!read_body(conn, size) || until(conn, "\r\n") == 0)
            return 0;
        use(conn, 2);
        if (size == 0)
            return 1;
    }
}

int peer_read(struct peer_conn *conn, struct peer_request *ret_request)
{
    struct peer_request *request = &conn->request;
    const char *length;
    int whole;

    if (!peer_read_head(conn, ret_request))
        return 0;
    length = strcasestr(request->head, "\r\ncontent-length:");
    whole =
        request->chunked ? read_chunks(conn) : read_body(conn, length ? strtoul(length + 17, NULL, 10) : 0);
    if (!whole)
        return 0;
    atomic_fetch_add(&conn->peer->requests, 1);
    *ret_request = *request;
    return 1;
}

void peer_reset(struct peer_conn *conn)
{
    struct linger linger = { .l_onoff = 1, .l_linger = 0 };

    setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
}

void peer_sleep_ms(unsigned ms)
{
    struct timespec time = { .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 };

    nanosleep(&time, NULL);
}

/* ---- Threads ---- */

static void *serve(void *user)
{
    struct peer_conn *conn = user;
    struct peer *peer = conn->peer;
    int one = 1;
    sigset_t pipe_signal;

    /* Only of this thread: that the client needs no such help is tested too. */
    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_signal, NULL);
    setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (peer->tls) {
        conn->ssl = SSL_new(peer->tls);
        SSL_set_fd(conn->ssl, conn->fd);
    }
    if (!conn->ssl || SSL_accept(conn->ssl) == 1) {
        if (conn->ssl && SSL_session_reused(conn->ssl))
            atomic_fetch_add(&peer->resumed, 1);
        peer->serve(conn, peer->user);
        if (conn->ssl)
            SSL_shutdown(conn->ssl);
    }
    pthread_mutex_lock(&peer->lock); /* peer_stop() must not cut a number that is used again */
    close(conn->fd);
    conn->fd = -1;
    pthread_mutex_unlock(&peer->lock);
    SSL_free(conn->ssl);
    free(conn->bytes);
    request_clear(&conn->request);
    return NULL;
}

static void *accept_all(void *user)
{
    struct peer *peer = user;

    for (;;) {
        int fd = accept4(peer->fd, NULL, NULL, SOCK_CLOEXEC);
        struct peer_conn *conn;
        if (fd < 0)
            return NULL;
        conn = calloc(1, sizeof *conn);
        must(conn != NULL, "calloc");
        conn->peer = peer;
        conn->fd = fd;
        pthread_mutex_lock(&peer->lock);
        must(peer->count < CONNECTIONS_MAX, "too many connections");
        peer->conns[peer->count++] = conn;
        if (peer->stopping)
            shutdown(fd, SHUT_RDWR);
        must(pthread_create(&conn->thread, NULL, serve, conn) == 0, "pthread_create");
        pthread_mutex_unlock(&peer->lock);
    }
}

static SSL_CTX *tls_context(const struct peer_tls *files)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());

    must(context && SSL_CTX_use_certificate_chain_file(context, files->cert_file) == 1 &&
             SSL_CTX_use_PrivateKey_file(context, files->key_file, SSL_FILETYPE_PEM) == 1,
         "TLS context");
    return context;
}

struct peer *peer_start(peer_fn *serve_one, void *user, const struct peer_tls *tls)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof address;
    struct peer *peer = calloc(1, sizeof *peer);

    must(peer != NULL, "calloc");
    peer->serve = serve_one;
    peer->user = user;
    peer->tls = tls ? tls_context(tls) : NULL;
    pthread_mutex_init(&peer->lock, NULL);
    peer->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(peer->fd >= 0 && bind(peer->fd, (struct sockaddr *)&address, len) == 0 &&
             listen(peer->fd, 512) == 0 && getsockname(peer->fd, (struct sockaddr *)&address, &len) == 0,
         "listen");
    peer->port = ntohs(address.sin_port);
    must(pthread_create(&peer->thread, NULL, accept_all, peer) == 0, "pthread_create");
    return peer;
}

void peer_stop(struct peer *peer)
{
    if (!peer)
        return;
    pthread_mutex_lock(&peer->lock);
    peer->stopping = 1;
    pthread_mutex_unlock(&peer->lock);
    shutdown(peer->fd, SHUT_RDWR); /* ends accept() */
    pthread_join(peer->thread, NULL);
    close(peer->fd);
    pthread_mutex_lock(&peer->lock);
    for (unsigned i = 0; i < peer->count; i++) {
        if (peer->conns[i]->fd >= 0)
            shutdown(peer->conns[i]->fd, SHUT_RDWR);
    }
    pthread_mutex_unlock(&peer->lock);
    for (unsigned i = 0; i < peer->count; i++) {
        pthread_join(peer->conns[i]->thread, NULL);
        free(peer->conns[i]);
    }
    pthread_mutex_destroy(&peer->lock);
    SSL_CTX_free(peer->tls);
    free(peer);
}

uint16_t peer_port(const struct peer *peer)
{
    return peer->port;
}

char *peer_url(const struct peer *peer, const char *path)
{
    char *url;

    must(asprintf(&url, "%s://127.0.0.1:%u%s", peer->tls ? "https" : "http", (unsigned)peer->port, path) > 0,
         "asprintf");
    return url;
}

unsigned peer_connections(struct peer *peer)
{
    unsigned count;

    pthread_mutex_lock(&peer->lock);
    count = peer->count;
    pthread_mutex_unlock(&peer->lock);
    return count;
}

unsigned peer_requests(struct peer *peer)
{
    return atomic_load(&peer->requests);
}

unsigned peer_resumed(struct peer *peer)
{
    return atomic_load(&peer->resumed);
}

/* ---- Certificates ---- */

static X509 *certificate(EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key, const char *name)
{
    X509 *cert = X509_new();
    X509V3_CTX context;
    X509_EXTENSION *extension;

    X509_set_version(cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), issuer ? 2 : 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
    X509_gmtime_adj(X509_getm_notAfter(cert), 86400);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC, (const unsigned char *)name,
                               -1, -1, 0);
    X509_set_issuer_name(cert, X509_get_subject_name(issuer ? issuer : cert));
    X509_set_pubkey(cert, key);
    X509V3_set_ctx(&context, issuer ? issuer : cert, cert, NULL, NULL, 0);
    extension = issuer
                    ? X509V3_EXT_conf_nid(NULL, &context, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1")
                    : X509V3_EXT_conf_nid(NULL, &context, NID_basic_constraints, "critical,CA:TRUE");
    must(extension != NULL, "X509V3_EXT_conf_nid");
    X509_add_ext(cert, extension, -1);
    X509_EXTENSION_free(extension);
    must(X509_sign(cert, issuer_key, EVP_sha256()) > 0, "X509_sign");
    return cert;
}

static FILE *new_file(char *ret_path, size_t size, const char *directory, const char *name)
{
    FILE *file;

    snprintf(ret_path, size, "%s/%s", directory, name);
    file = fopen(ret_path, "w");
    must(file != NULL, "fopen");
    return file;
}

void peer_tls_make(struct peer_tls *files)
{
    EVP_PKEY *ca_key = EVP_EC_gen("P-256"), *key = EVP_EC_gen("P-256");
    X509 *ca = certificate(ca_key, NULL, ca_key, "Kanal test CA");
    X509 *cert = certificate(key, ca, ca_key, "localhost");
    FILE *file;

    snprintf(files->directory, sizeof files->directory, "/tmp/kanal-client-test-XXXXXX");
    must(mkdtemp(files->directory) != NULL, "mkdtemp");
    file = new_file(files->ca_file, sizeof files->ca_file, files->directory, "ca.pem");
    PEM_write_X509(file, ca);
    fclose(file);
    file = new_file(files->cert_file, sizeof files->cert_file, files->directory, "cert.pem");
    PEM_write_X509(file, cert);
    fclose(file);
    file = new_file(files->key_file, sizeof files->key_file, files->directory, "key.pem");
    PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL);
    fclose(file);
    X509_free(ca);
    X509_free(cert);
    EVP_PKEY_free(ca_key);
    EVP_PKEY_free(key);
}

void peer_tls_remove(struct peer_tls *files)
{
    unlink(files->ca_file);
    unlink(files->cert_file);
    unlink(files->key_file);
    rmdir(files->directory);
}
