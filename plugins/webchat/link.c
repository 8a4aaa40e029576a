/* link.c - the address of a file that the visitor sent: signed anew each time it is asked for. */
#include <stdlib.h>
#include "client_job.h"
#include "frame.h"

#define LINKS_PER_MINUTE 120
#define LINKS_BURST 60

struct link_job {
    struct client_job own;
    uint32_t part;
    char *reference;
};

struct link_call {
    struct kanal_channel *channel;
    kanal_op connection;
    uint32_t part;
    char id[FRAME_ID_MAX + 1];
};

static void link_answer(struct connection *connection, const char *id, uint32_t part, kanal_str url)
{
    struct kanal_buffer frame = { 0 };
    struct kanal_json json;

    kanal_json_init(&json, &frame);
    kanal_json_object(&json);
    kanal_json_member_text(&json, "type", "link");
    kanal_json_member_text(&json, "id", id);
    kanal_json_member_int(&json, "part", part);
    if (url.len > 0)
        kanal_json_member_str(&json, "url", url);
    kanal_json_object_end(&json);
    connection_send(connection, kanal_buffer_view(&frame));
    kanal_buffer_release(&frame);
}

static void on_link(void *user, kanal_status status, kanal_str url, uint64_t revision)
{
    struct link_call *call = user;
    struct kanal_channel *channel = call->channel;
    struct connection *connection = connection_find(channel, call->connection);

    (void)revision;
    if (connection)
        link_answer(connection, call->id, call->part, status == KANAL_OK ? url : kanal_str_c(NULL));
    free(call);
    channel_call_end(channel);
}

static void link_apply(struct job *job, struct batch *batch)
{
    struct link_job *own = (struct link_job *)job;
    const struct history_item *item = history_find(batch_history(batch), kanal_str_c(own->own.id));

    free(own->reference);
    own->reference = NULL;
    if (item && !item->by_operator && item->reference && own->part == 0)
        own->reference = kanal_str_dup(kanal_str_c(item->reference));
}

static void link_done(struct job *job, kanal_status status)
{
    struct link_job *own = (struct link_job *)job;
    struct connection *connection = client_job_connection(&own->own);
    struct kanal_channel *channel = job->visitor->channel;
    struct link_call *call;

    if (!connection)
        return;
    call = status == KANAL_OK && own->reference && channel->blob ? calloc(1, sizeof *call) : NULL;
    if (!call) {
        link_answer(connection, own->own.id, own->part, kanal_str_c(NULL));
        return;
    }
    call->channel = channel;
    call->connection = own->own.connection;
    call->part = own->part;
    memcpy(call->id, own->own.id, strlen(own->own.id)); /* frame_read() bounds it */
    channel_call_begin(channel);
    channel->blob->url(channel->host, kanal_str_c(own->reference), on_link, call);
}

static void link_free(struct job *job)
{
    free(((struct link_job *)job)->reference);
    client_job_free(job);
}

static const struct job_kind link_kind = { link_apply, link_done, link_free, 0 };

void incoming_link(struct connection *connection, const struct frame *frame)
{
    struct link_job *own;
    uint32_t wait_ms = 0;

    if (!bucket_take(&connection->visitor->links, channel_now_ms(connection->channel), LINKS_PER_MINUTE,
                     LINKS_BURST, &wait_ms)) {
        connection_error(connection, "rate_limited", frame->id, 1, wait_ms, "too many links");
        return;
    }
    own = client_job_new(sizeof *own, &link_kind, connection, frame->id);
    if (own)
        own->part = frame->part;
    client_job_add(connection, own ? &own->own : NULL);
}
