/* client_job.h - jobs (channel.h) that a client's frame asked for. The connection may be gone when the job is done. */
#ifndef WEBCHAT_CLIENT_JOB_H
#define WEBCHAT_CLIENT_JOB_H
#include "channel.h"

#define TRY_AGAIN_MS 3000

struct client_job {
    struct job job;
    kanal_op connection;
    char *id; /* of the message or receipt; NULL: none */
};

/* size bytes, zeroed, that begin with a client_job; NULL: out of memory. */
void *client_job_new(size_t size, const struct job_kind *, const struct connection *, kanal_str id);
/* Frees what client_job_new() made: the last step of a kind's free(). */
void client_job_free(struct job *);
/* Hands the job over. What cannot be (also NULL: no memory) is told to the client and freed: KANAL_E_BUSY. */
kanal_status client_job_add(struct connection *, struct client_job *);
/* Frees a job that was not handed over. */
void client_job_drop(struct client_job *);
/* NULL: gone. */
struct connection *client_job_connection(const struct client_job *);

/* Begins a session if the last one is over: conversation.started, once. Where the visitor is stands in canonical JSON. */
struct origin {
    const char *locale;
    kanal_str page, attribution;
    int64_t at_ms;
    const char
        *reference; /* of a link that was followed, which begins a session in any case; NULL or empty: none */
};
void session_touch(struct batch *, struct visitor *, const struct origin *);
/* The member `customer` of an event. */
void customer_write(struct kanal_json *, const char *locale);
/* A member that is JSON already; nothing if it is empty. */
void raw_member(struct kanal_json *, const char *key, kanal_str raw);

#endif
