/* A scripted HTTP peer for the client's tests: a real TCP or TLS server on a free loopback port, one thread a connection,
 * that does on each connection what the test's function says, right or wrong. */
#ifndef KANAL_TESTS_CLIENT_PEER_H
#define KANAL_TESTS_CLIENT_PEER_H
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct peer;
struct peer_conn;

/* Serves one connection; it is closed when the function returns. */
typedef void peer_fn(struct peer_conn *, void *user);

struct peer_request {
    char *head; /* with its empty line, NUL-ended */
    char *body; /* decoded if it was chunked, NUL-ended */
    size_t head_len, body_len;
    int chunked;
};

struct peer_tls { /* PEM files made by peer_tls_files() */
    char directory[64], ca_file[96], cert_file[96], key_file[96];
};

/* tls: NULL for plain TCP. Never NULL: the test process aborts where it cannot start. */
struct peer *peer_start(peer_fn *, void *user, const struct peer_tls *tls);
/* Cuts every connection and joins every thread. */
void peer_stop(struct peer *);
uint16_t peer_port(const struct peer *);
/* "http(s)://127.0.0.1:PORT/path", to be freed. */
char *peer_url(const struct peer *, const char *path);
unsigned peer_connections(struct peer *);
unsigned peer_requests(struct peer *);
unsigned peer_resumed(struct peer *); /* TLS connections that resumed a session */

/* 1, or 0 when the connection ends first. The request is freed by the next call and at the connection's end. */
int peer_read(struct peer_conn *, struct peer_request *ret_request);
/* Only the header of a request; its body stays unread. */
int peer_read_head(struct peer_conn *, struct peer_request *ret_request);
int peer_write(struct peer_conn *, const void *bytes, size_t len); /* 0 or -1 */
int peer_text(struct peer_conn *, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* An answer with Content-Length. */
int peer_answer(struct peer_conn *, int code, const char *body);
void peer_reset(struct peer_conn *); /* RST instead of FIN at the end */
void peer_sleep_ms(unsigned ms);

/* A certificate authority and a certificate for "localhost" and 127.0.0.1, in a new folder below /tmp. */
void peer_tls_make(struct peer_tls *ret_files);
void peer_tls_remove(struct peer_tls *);

#endif
