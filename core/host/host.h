/* host/host.h - all plugins and channels of this process, and what they share. [loop] */
#ifndef KANAL_HOST_HOST_H
#define KANAL_HOST_HOST_H
#include <uv.h>
#include "broker/broker.h"
#include "config/config.h"
#include "event/envelope.h"
#include "event/trace.h"
#include "host/channel.h"
#include "host/lane.h"
#include "host/loader.h"
#include "host/op.h"
#include "host/publisher.h"
#include "http/client.h"
#include "ops/log.h"
#include "ops/metrics.h"

/* Names of the KV buckets, with the configured prefix. */
struct host_names {
    char state[64], channels[64], sent[64], leases[64], media[64];
};

struct workers;

/* The spool as operators see it; inbound/detour.c keeps it up to date. */
struct host_spool {
    int is_open;
    uint64_t events, bytes;
    int64_t oldest_ms;  /* 0: it is empty */
    char trouble[1100]; /* what a person should look at, or "" */
};

/* Who folds the events, as operators see it; project/projector.c keeps it up to date. */
struct host_projector {
    int is_enabled, is_held; /* this gateway may; does */
    uint64_t lag;            /* messages that wait */
    double behind_s;         /* age of the oldest of them that was read */
    const char *rebuild;     /* its state, or NULL: none was asked for */
    char trouble[256];       /* why it does not go on, or "" */
};

struct host {
    uv_loop_t *loop;
    struct log *log;
    struct metrics *metrics;
    struct broker *broker;
    struct http_client *http;
    const char *ca_file;       /* authorities beside the system's, or NULL */
    struct net_tls *tls;       /* NULL until the first stream */
    struct mail *mail;         /* NULL until the first mail */
    struct lease_book *leases; /* NULL until the first lease */
    const char *instance;      /* who holds our leases (ops/instance.h); NULL: this process alone */
    struct envelope_context envelope;
    struct trace_source traces;
    struct publisher *publisher;
    struct receipts *receipts; /* NULL until the first one */
    struct host_spool spool;
    struct host_projector projector;
    struct host_names names;
    const char *public_url; /* or NULL: the providers cannot reach us */
    struct scheduler *scheduler;
    struct op_table *ops;
    struct workers *workers; /* host/worker/ */
    uv_async_t wake;         /* a channel's wake_pending was set */
    struct channel *first_channel, **last_channel;
    size_t channel_count;
    size_t starting; /* channels in that state */
    struct {         /* host_start() */
        uv_timer_t *timer;
        struct channel *next;
    } start;
    struct { /* host_stop() */
        uv_timer_t *timer;
        size_t left;
        int64_t until_ms;
        void (*done)(void *user);
        void *user;
    } stopping;
    struct channel *retired; /* kept to the end: callbacks of other modules may still name them */
    /* outbound's: what waits for the first channel waits for the second from now on; NULL: for none, it was removed. */
    void (*moved)(void *user, struct channel *from, struct channel *to);
    void *moved_user;
    /* outbound's: what receipts of a step of a route mean (outbound/route.h). Keys as the ledger has them. NULL: nothing. */
    struct host_routes {
        int (*is_abandoned)(void *user, kanal_str step_key);
        /* The provider says that it did not arrive: the route goes on, and whatever there is to be told is told by it. error: the
         * contract's, as JSON. done() once. */
        void (*failed)(void *user, kanal_str route, uint32_t step, kanal_str error, published_fn *done,
                       void *done_user);
        void *user;
    } routes;
    struct channel **by_id; /* open-addressed, a power of two */
    size_t by_id_size;
    struct metric_family *plugin_counters; /* kanal_plugin_total{channel,name,labels} */
    struct metric_family *plugin_dropped;  /* kanal_plugin_dropped_total{channel} */
    struct metric_family *dropped_answers; /* kanal_host_dropped_answers_total{channel} */
    struct metric_family *channel_up;      /* kanal_channel_up{channel,plugin} */
};

struct host_options {
    uv_loop_t *loop;
    struct log *log;
    struct metrics *metrics;
    struct broker *broker;
    struct http_client *http;
    struct ids *ids;
    const char *prefix;
    const char *base_url; /* for media URLs */
    const char *public_url;
    const char *ca_file;  /* or NULL; borrowed */
    const char *instance; /* or NULL; borrowed */
};

int host_new(struct host **ret_host, const struct host_options *);
/* Adds a configured channel in the state new; config and plugin are borrowed. NULL: no memory. */
struct channel *host_add(struct host *, const struct config_channel *, struct plugin *);
struct channel *host_find(const struct host *, kanal_str channel_id);
/* Starts every channel, so many at once that thousands of them fill neither queues nor memory. */
void host_start(struct host *);
/* next takes the place of one with the same id. */
void host_replace(struct host *, struct channel *, struct channel *next);
/* A stopped channel serves no more; one of the list has been replaced, or is taken out of it. successor: who has its place, or NULL. */
void host_retire(struct host *, struct channel *, struct channel *successor);
/* Requests under way have 5 s to end; then every channel stops (each at most 10 s); then done(). */
void host_stop(struct host *, void (*done)(void *user), void *user);
/* After host_stop(). The loop must run once more. */
void host_free(struct host *);

int64_t host_now_ms(void);

#endif
