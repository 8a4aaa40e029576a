/* welcome.c - the answer to hello and sync: the visitor's history. */
#include "client_job.h"
#include "frame.h"

struct welcome_job {
    struct client_job own;
    int32_t first;
    struct kanal_buffer frame;
};

static void mark_write(struct kanal_json *json, const char *key, const struct history *h, uint64_t number)
{
    kanal_json_member_str(json, key, history_id_at(h, number));
}

static void welcome_write(struct welcome_job *own, const struct connection *connection,
                          const struct history *h)
{
    struct kanal_channel *channel = connection->channel;
    struct kanal_json json;

    kanal_buffer_clear(&own->frame);
    kanal_json_init(&json, &own->frame);
    kanal_json_object(&json);
    kanal_json_member_text(&json, "type", "welcome");
    kanal_json_member_int(&json, "v", FRAME_VERSION);
    kanal_json_member_text(&json, "visitor", connection->visitor->id);
    kanal_json_member_str(&json, "token", kanal_buffer_view(&connection->token));
    kanal_json_member_bool(&json, "new", h->next == 1);
    kanal_json_member_int(&json, "now", channel_now_ms(channel));
    kanal_json_key(&json, "history");
    kanal_json_array(&json);
    for (size_t i = 0; i < h->count; i++)
        history_item_show(&h->items[i], &json);
    kanal_json_array_end(&json);
    mark_write(&json, "delivered", h, h->delivered);
    mark_write(&json, "read", h, h->read);
    mark_write(&json, "operator_read", h, h->operator_read);
    kanal_json_key(&json, "limits");
    kanal_json_object(&json);
    settings_limits_write(&channel->settings, &json);
    kanal_json_object_end(&json);
    kanal_json_object_end(&json);
}

static void welcome_apply(struct job *job, struct batch *batch)
{
    struct welcome_job *own = (struct welcome_job *)job;
    struct connection *connection = client_job_connection(&own->own);

    if (!connection)
        return;
    if (own->first && (connection->channel->settings.starts_on_open || connection->reference[0]))
        session_touch(batch, job->visitor,
                      &(struct origin){ connection->locale, kanal_buffer_view(&connection->page),
                                        kanal_buffer_view(&connection->attribution),
                                        channel_now_ms(connection->channel), connection->reference });
    welcome_write(own, connection, batch_history(batch));
}

static void welcome_done(struct job *job, kanal_status status)
{
    struct welcome_job *own = (struct welcome_job *)job;
    struct connection *connection = client_job_connection(&own->own);

    if (!connection || connection->state == CONNECTION_CLOSING)
        return;
    if (status != KANAL_OK || own->frame.failed) {
        connection_error(connection, "unavailable", kanal_str_c(NULL), 1, TRY_AGAIN_MS,
                         "the history cannot be read now");
        if (own->first)
            connection_close(connection, 1013, "try again later");
        return;
    }
    connection->state = CONNECTION_JOINED;
    connection_send(connection, kanal_buffer_view(&own->frame));
}

static void welcome_free(struct job *job)
{
    kanal_buffer_release(&((struct welcome_job *)job)->frame);
    client_job_free(job);
}

static const struct job_kind welcome_kind = { welcome_apply, welcome_done, welcome_free, 0 };

void incoming_welcome(struct connection *connection, int first)
{
    struct welcome_job *own = client_job_new(sizeof *own, &welcome_kind, connection, kanal_str_c(NULL));

    if (own)
        own->first = first;
    if (client_job_add(connection, own ? &own->own : NULL) != KANAL_OK && first)
        connection_close(connection, 1013, "try again later");
}
