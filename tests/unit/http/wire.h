/* wire.h - a blocking HTTP client that sends exactly the bytes it is told to, for tests of the server. */
#ifndef TEST_HTTP_WIRE_H
#define TEST_HTTP_WIRE_H
#include <stddef.h>
#include <stdint.h>

struct wire {
    int fd;
    char *in; /* received and not yet taken */
    size_t in_len, in_capacity;
};

struct wire_answer {
    int code; /* 0: none came; the connection was closed, or the time was up */
    char head[8192];
    char *body; /* NUL-ended; of an answer before, until the next one or wire_close() */
    size_t body_len, body_capacity;
    int is_cut; /* the connection ended before the body did */
};

/* All fail the test when the machine fails; a closed connection is no such failure. */
void wire_open(struct wire *, uint16_t port);
void wire_open_from(struct wire *, uint16_t port, const char *address); /* a source address in 127.0.0.0/8 */
void wire_close(struct wire *, struct wire_answer *);
/* 0: the connection is gone. */
int wire_send(struct wire *, const void *bytes, size_t len);
int wire_text(struct wire *, const char *text);
/* Waits for one whole answer; of a HEAD without its body. 100 Continue is an answer of its own. */
int wire_answer(struct wire *, struct wire_answer *, int timeout_ms);
int wire_answer_head(struct wire *, struct wire_answer *, int timeout_ms);
/* Exactly so many bytes; 0 if they do not come. */
int wire_take(struct wire *, void *out, size_t len, int timeout_ms);
/* 1: the connection is closed, within the time, with nothing more sent. */
int wire_is_closed(struct wire *, int timeout_ms);
/* The value of a header, or NULL; static memory. */
const char *wire_header(const struct wire_answer *, const char *name);
/* One request on a connection of its own. */
int wire_ask(uint16_t port, const char *request, struct wire_answer *);

uint64_t wire_now_ms(void);
void wire_sleep(int ms);

#endif
