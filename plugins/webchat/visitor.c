/* visitor.c - the visitors in memory. See channel.h. */
#include <stdlib.h>
#include "channel.h"

#define VISITORS_BESIDE_CONNECTIONS 4096 /* deliveries to people who are away, uploads */
#define IDLE_MS 120000                   /* by then every token bucket is as good as full */

static struct visitor *visitor_find(struct kanal_channel *channel, const char *id)
{
    struct table_node *node = table_find(&channel->visitors, table_hash(id, SESSION_VISITOR_LEN));

    while (node && memcmp(((struct visitor *)node)->id, id, SESSION_VISITOR_LEN) != 0)
        node = table_find_next(node);
    return (struct visitor *)node;
}

struct visitor *visitor_get(struct kanal_channel *channel, const char *id)
{
    struct visitor *visitor = visitor_find(channel, id);
    size_t room = (size_t)channel->settings.max_connections + VISITORS_BESIDE_CONNECTIONS;

    if (visitor)
        return visitor;
    if (channel->visitors.count >= room)
        visitor_sweep(channel, 1);
    if (channel->visitors.count >= room || !(visitor = calloc(1, sizeof *visitor)))
        return NULL;
    visitor->channel = channel;
    visitor->last = &visitor->first;
    visitor->idle_ms = channel_now_ms(channel);
    memcpy(visitor->id, id, SESSION_VISITOR_LEN);
    if (table_add(&channel->visitors, &visitor->node, table_hash(id, SESSION_VISITOR_LEN)) != 0) {
        free(visitor);
        return NULL;
    }
    channel_sweep_arm(channel);
    return visitor;
}

kanal_status visitor_attach(struct visitor *visitor, struct connection *connection)
{
    if (visitor->connection_count >= visitor->channel->settings.connections_per_visitor)
        return KANAL_E_BUSY;
    connection->visitor = visitor;
    connection->next = visitor->connections;
    connection->back = &visitor->connections;
    if (connection->next)
        connection->next->back = &connection->next;
    visitor->connections = connection;
    visitor->connection_count++;
    return KANAL_OK;
}

void visitor_detach(struct connection *connection)
{
    struct visitor *visitor = connection->visitor;

    if (!visitor)
        return;
    *connection->back = connection->next;
    if (connection->next)
        connection->next->back = connection->back;
    connection->visitor = NULL;
    visitor->connection_count--;
    visitor->idle_ms = channel_now_ms(visitor->channel);
}

void visitor_push(struct visitor *visitor, kanal_str frame, const struct connection *except)
{
    for (struct connection *connection = visitor->connections; connection; connection = connection->next) {
        if (connection != except && connection->state == CONNECTION_JOINED)
            connection_send(connection, frame);
    }
}

void visitor_sweep(struct kanal_channel *channel, int hard)
{
    int64_t now_ms = channel_now_ms(channel);
    struct table_node *state = NULL, *node;
    size_t cursor = 0;

    while ((node = table_walk(&channel->visitors, &cursor, &state))) {
        struct visitor *visitor = (struct visitor *)node;
        int busy = visitor->connections || visitor->first || visitor->batch;

        if (!busy && (hard || now_ms - visitor->idle_ms >= IDLE_MS)) {
            table_remove(&channel->visitors, node);
            visitor_free(visitor);
        }
    }
}

void visitor_free(struct visitor *visitor)
{
    free(visitor);
}
