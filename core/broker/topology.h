/* broker/topology.h - the streams and buckets that Kanal needs, created or checked at start. [loop] */
#ifndef KANAL_BROKER_TOPOLOGY_H
#define KANAL_BROKER_TOPOLOGY_H
#include "broker/jetstream.h"

struct topology_options {
    const char *prefix;
    int replicas;
    int64_t duplicate_window_ms;
    int64_t events_ms, activity_ms, raw_ms, dead_ms, media_ms, facts_ms, log_ms; /* retention; 0: for ever */
};

/* "KANAL_EVENTS" for the prefix "kanal". */
void topology_stream_name(const char *prefix, const char *what, char ret_name[64]);

/* One after the other. different() runs for each that exists with another configuration (nothing is changed: the operator decides);
 * done() with KANAL_OK when all are there, or with the status of the one that could not be made, and its reason. */
void topology_ensure(struct broker *, const struct topology_options *,
                     void (*different)(void *user, const char *name, kanal_str reason),
                     void (*done)(void *user, kanal_status, const char *name, kanal_str reason), void *user);

#endif
