/* cli/run_inside.h - what the files of `kanal run` share. [loop] */
#ifndef KANAL_CLI_RUN_INSIDE_H
#define KANAL_CLI_RUN_INSIDE_H
#include "api/channels.h"
#include "api/customers.h"
#include "api/dead.h"
#include "api/links.h"
#include "api/message_log.h"
#include "api/messages.h"
#include "api/plan.h"
#include "api/profiles.h"
#include "api/resolve.h"
#include "cli/setup.h"
#include "control/control.h"
#include "handoff/arrive.h"
#include "handoff/create.h"
#include "host/host.h"
#include "identity/identity.h"
#include "inbound/detour.h"
#include "inbound/front.h"
#include "ops/admin.h"
#include "ops/instance.h"
#include "outbound/outbound.h"
#include "project/facts.h"
#include "project/opt_out.h"

struct gateway {
    struct setup setup;
    uv_loop_t loop;
    uv_signal_t sigterm, sigint, sighup;
    uv_timer_t timer;
    struct log *log;
    struct metrics *metrics;
    struct ids *ids;
    struct json_schema *contract;
    struct broker_embedded *embedded;
    struct broker *broker;
    struct http_client *http;
    struct host *host;
    struct detour *detour;
    struct front *front;
    struct admin *admin;
    struct outbound *outbound;
    struct handoff *handoff;
    struct identity *identity;
    struct projector *projector;
    struct facts *facts;
    struct arrivals *arrivals;
    struct opt_out *opt_out;
    struct profile_book *profile_book;
    struct sealer *sealer;
    struct control *control;
    struct api *api;
    struct api_channels api_channels;
    struct api_customers api_customers;
    struct api_dead api_dead;
    struct api_links api_links;
    struct api_resolve api_resolve;
    struct api_message_log api_message_log;
    struct api_plan api_plan;
    struct api_profiles api_profiles;
    uv_work_t rest_work; /* describes the plugins that no channel needed at the start */
    struct plugin *rest;
    enum { REST_UNKNOWN, REST_UNDER_WAY, REST_KNOWN } rest_state;
    int control_waits, reload_waits; /* for the rest */
    char instance_id[33];
    struct instance instance; /* of data_dir */
    const char *config_path;
    const char *plugin_path[2]; /* --plugins, NULL-ended; or empty */
    char base_url[300];
    int topology_under_way, ready_broker, stopping, code;
    uint64_t drain_until_ms, linger_until_ms;
};

/* run.c. Writes what is wrong to the log; returns code. */
int gateway_fail(struct gateway *, int code, const char *what, const char *why);
/* Begins to stop; once. */
void gateway_stop(struct gateway *);

/* run_control.c. The channels' changes: what the API and SIGHUP need. Returns an exit code. */
int gateway_control_new(struct gateway *);
/* Streams and buckets are there: records are read, the API answers. */
void gateway_control_start(struct gateway *);
void gateway_control_free(struct gateway *);
/* SIGHUP: reads kanal.yaml again. */
void gateway_reload(struct gateway *);

/* run_project.c. What the events are folded into. Returns an exit code. */
int gateway_project_new(struct gateway *);
/* Streams and buckets are there. */
void gateway_project_start(struct gateway *);
void gateway_project_free(struct gateway *);

/* run_reach.c. What profiles say of customers. */
struct reach_source gateway_reach(struct gateway *);

/* run_cluster.c. Makes sure that streams, buckets and the salt are there, then takes commands; tries again for as long as it takes. */
void cluster_ensure(struct gateway *);
/* broker_state_fn of the gateway's connection. */
void cluster_broker_state(void *user, enum broker_state, const char *reason);

#endif
