/* client_job.c - see client_job.h. */
#include <stdio.h>
#include <stdlib.h>
#include "client_job.h"

struct connection *client_job_connection(const struct client_job *own)
{
    struct kanal_channel *channel = own->job.visitor->channel;

    return connection_find(channel, own->connection);
}

void client_job_free(struct job *job)
{
    free(((struct client_job *)job)->id);
    free(job);
}

void *client_job_new(size_t size, const struct job_kind *kind, const struct connection *connection,
                     kanal_str id)
{
    struct client_job *own = calloc(1, size);

    if (!own || (id.ptr && !(own->id = kanal_str_dup(id)))) {
        free(own);
        return NULL;
    }
    own->job.kind = kind;
    own->connection = connection->op;
    return own;
}

void client_job_drop(struct client_job *own)
{
    if (!own)
        return;
    free(own->job.claim);
    own->job.kind->free(&own->job);
}

kanal_status client_job_add(struct connection *connection, struct client_job *own)
{
    if (own && job_add(connection->visitor, &own->job) == KANAL_OK)
        return KANAL_OK;
    connection_error(connection, "unavailable", kanal_str_c(own ? own->id : NULL), 1, TRY_AGAIN_MS,
                     "too much at once");
    client_job_drop(own);
    return KANAL_E_BUSY;
}

void customer_write(struct kanal_json *json, const char *locale)
{
    kanal_json_key(json, "customer");
    kanal_json_object(json);
    if (*locale)
        kanal_json_member_text(json, "locale", locale);
    kanal_json_object_end(json);
}

void raw_member(struct kanal_json *json, const char *key, kanal_str raw)
{
    if (raw.len == 0)
        return;
    kanal_json_key(json, key);
    kanal_json_raw(json, raw);
}

static void referral_write(struct kanal_json *json, const char *reference)
{
    kanal_json_key(json, "referral");
    kanal_json_object(json);
    kanal_json_member_text(json, "payload", reference);
    kanal_json_member_text(json, "kind", "link");
    kanal_json_member_text(json, "source", "page");
    kanal_json_object_end(json);
}

void session_touch(struct batch *batch, struct visitor *visitor, const struct origin *origin)
{
    struct history *h = batch_history(batch);
    int64_t pause_ms = (int64_t)visitor->channel->settings.session_minutes * 60000;
    int64_t at_ms = origin->at_ms;
    int over = at_ms - h->active_ms > pause_ms; /* also the first time: active_ms is 0 then */
    int is_followed = origin->reference && *origin->reference;
    struct kanal_buffer data = { 0 };
    struct kanal_json json;
    char number[24];

    h->active_ms = at_ms > h->active_ms ? at_ms : h->active_ms;
    batch_changed(batch);
    if (!over && !is_followed)
        return;
    h->sessions++;
    kanal_json_init(&json, &data);
    kanal_json_object(&json);
    customer_write(&json, origin->locale);
    raw_member(&json, "page", origin->page);
    raw_member(&json, "attribution", origin->attribution);
    if (is_followed)
        referral_write(&json, origin->reference);
    kanal_json_member_bool(&json, "first", h->sessions == 1);
    kanal_json_object_end(&json);
    snprintf(number, sizeof number, "%llu", (unsigned long long)h->sessions);
    batch_event_add(batch,
                    &(struct batch_event){ .type = "conversation.started",
                                           .dedupe_prefix = is_followed ? "r:" : "s:",
                                           .dedupe = kanal_str_c(is_followed ? origin->reference : number),
                                           .time_ms = at_ms },
                    &data);
}
