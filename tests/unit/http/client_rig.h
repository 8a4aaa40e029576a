/* A loop, a client and the answers that came, for the client's tests. */
#ifndef KANAL_TESTS_CLIENT_RIG_H
#define KANAL_TESTS_CLIENT_RIG_H
#include "client_peer.h"
#include "http/client.h"
#include "kanal/sdk/buffer.h"
#include "kanal/sdk/str.h"

struct rig {
    uv_loop_t loop;
    struct http_client *client;
    struct peer *peer; /* stopped by rig_close() if it is set */
};

/* How one call ended, copied. */
struct answer {
    int calls; /* of done() */
    kanal_status status;
    int has_in; /* whether `in` was given */
    int code;
    uint32_t total_ms;
    char *body;
    size_t body_len;
    char headers[8192]; /* "name: value\n" … */
    size_t header_count;
    char message[512];
};

void rig_open(struct rig *, const struct http_client_options *);
/* Frees the client and checks that the loop has nothing left. */
void rig_close(struct rig *);

/* http_done_fn; user is a struct answer. */
void answer_take(void *user, kanal_status, const struct http_in *, const char *message);
void answer_clear(struct answer *);
/* Turns the loop until the answer is there; fails the test after 15 s. */
void answer_wait(struct rig *, struct answer *);
/* Turns the loop until *number is at least that; fails the test after 15 s. */
void rig_until(struct rig *, const size_t *number, size_t least);
/* Until the peer has read so many requests. */
void rig_until_requests(struct rig *, unsigned least);
/* Turns the loop for so long. */
void rig_turn_ms(struct rig *, unsigned ms);

/* Sends and waits. url is freed. */
void rig_fetch(struct rig *, const char *method, char *url, const char *body, struct answer *ret_answer);
void rig_fetch_out(struct rig *, const struct http_out *, struct answer *ret_answer);

#endif
