/* broker/private.h - what the files of this module share. Nothing outside core/broker includes it.
 * Everything is [loop]. */
#ifndef KANAL_BROKER_PRIVATE_H
#define KANAL_BROKER_PRIVATE_H
#include <nats/nats.h>
#include "broker.h"
#include "kanal/sdk/buffer.h"
#include "kanal/sdk/str.h"
#include "access.h"
#include "link.h"
#include "servers.h"
#include "slots.h"

#define BROKER_SUBJECT_BYTES 1024u /* of a subject at most, with its NUL */
#define BROKER_INBOX_BYTES 64u     /* "_INBOX.<nuid>." and a token */

#define BROKER_USED 256u
#define BROKER_USED_BYTES 262144u

/* A failure that must not be told inside the call that caused it. */
struct broker_deferred {
    struct broker_asker asker;
    kanal_status status;
};

/* Other parts of this module that must know when the connection comes and goes (pulls, watches). */
struct broker_listener {
    struct broker_listener *next, *prev;
    void (*changed)(void *user, enum broker_state);
    void *user;
};

/* What is known of a stream: how long it remembers ids, and whether it answers DIRECT.GET (otherwise such a request gets no answer at
 * all). */
struct broker_known_stream {
    char name[160];
    int direct;
    int64_t window_ms; /* how long it remembers ids */
};
#define BROKER_KNOWN_STREAMS 32u

struct broker_subscription {
    struct broker_subscription *next, *prev;
    struct broker *broker;
    natsSubscription *sub; /* of the present connection, or NULL */
    char *subject, *queue;
    broker_message_fn *fn;
    void *user;
    int dead;     /* closed while the list is walked: freed afterwards */
    int is_inbox; /* the one for the answers of requests */
};

struct broker {
    uv_loop_t *loop;
    broker_state_fn *state_changed;
    void *user;
    struct broker_access *access;
    struct broker_servers servers;
    struct broker_link *link; /* being made, or in use */
    enum broker_state state;
    char reason[256];
    char server[256];
    char violation[256]; /* the server's last words about missing permissions */
    char inbox[BROKER_INBOX_BYTES];
    size_t inbox_len;
    uint64_t max_payload;
    uint32_t buffer_bytes, ping_ms;
    size_t unsent_bytes; /* estimate of what waits in the client's buffer; exact after each write */
    int linked;          /* the link is up */
    int was_up, closing, freed, draining, buffer_full;
    int deaf; /* shut: who asks now is not there any more when the answer comes, so none does */
    uint32_t attempts, refusals;       /* since the last time up */
    uint64_t ping_sent, ping_answered; /* numbers of echo messages */
    uint32_t ping_phase;
    uint64_t inbox_ids;
    struct broker_slots slots;
    struct broker_deferred *deferred;
    size_t deferred_count, deferred_capacity;
    struct broker_subscription *subscriptions;
    struct broker_listener *listeners, *next_listener; /* the latter while they are told */
    struct broker_known_stream *known;                 /* BROKER_KNOWN_STREAMS of them, or NULL */
    uint32_t known_next;
    natsMsg *used[BROKER_USED]; /* sent or delivered, not yet given back to cnats */
    size_t used_count, used_bytes;
    struct kanal_buffer scratch; /* header texts with their NUL */
    char subject[BROKER_SUBJECT_BYTES];
    uv_prepare_t prepare; /* the end of the turn: one write */
    uv_idle_t idle; /* runs while something waits for the end of the turn: the loop then does not sleep */
    uv_timer_t deadlines, retry, ping;
    int handles; /* still open */
    uint64_t random;
};

/* The general form of broker_request(): the asker's answer() gets the outcome. */
void broker_ask(struct broker *, const struct broker_out *, uint32_t timeout_ms, const struct broker_asker *);

/* publish.c */
int broker_send(struct broker *, const struct broker_out *,
                const char *reply); /* whatever the state, if linked */
int broker_subject_valid(kanal_str subject, int wildcards);
int broker_publishable(kanal_str subject);

/* subscriptions.c */
int broker_subscriptions_init(struct broker *);
void broker_subscriptions_attach(struct broker *); /* to the new connection */
void broker_subscriptions_detach(struct broker *); /* the connection is gone */
void broker_subscriptions_free(struct broker *);
void broker_drain(struct broker *);
void broker_done_with(struct broker *, natsMsg *); /* instead of natsMsg_Destroy() */

/* requests.c */
void broker_defer(struct broker *, const struct broker_asker *, kanal_status);
void broker_deferred_deliver(struct broker *);
void broker_requests_fail(struct broker *, kanal_status);
void broker_request_answered(struct broker *, kanal_str token, const struct broker_in *);
void broker_request_nobody(struct broker *);
void broker_deadlines_cb(uv_timer_t *);

/* state.c */
void broker_wake(struct broker *); /* the end of this turn has something to do */
void broker_set_state(struct broker *, enum broker_state, const char *reason);
void broker_link_lost_check(struct broker *);
void broker_connect_start(struct broker *);
void broker_ping_start(struct broker *);
void broker_ping_cb(uv_timer_t *);
void broker_ping_answered(struct broker *, uint64_t number);
void broker_listen(struct broker *, struct broker_listener *);
void broker_unlisten(struct broker *, struct broker_listener *);
uint64_t broker_random(struct broker *);

#endif
