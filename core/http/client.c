#include "http/client.h"
#include <stdlib.h>
#include "http/client_private.h"
#include "kanal/sdk/str.h"

#define DEFAULT_CONNECTIONS 256u
#define DEFAULT_PER_HOST 64u

/* ---- Life ---- */

static int copy_options(struct http_client *client, const struct http_client_options *options)
{
    const char *user_agent = options && options->user_agent ? options->user_agent : "kanal/" KANAL_VERSION;
    const char *ca_file = options ? options->ca_file : NULL;

    client->connections = options && options->connections ? options->connections : DEFAULT_CONNECTIONS;
    client->per_host =
        options && options->connections_per_host ? options->connections_per_host : DEFAULT_PER_HOST;
    client->user_agent = kanal_str_dup(kanal_str_c(user_agent));
    client->ca_file = ca_file ? kanal_str_dup(kanal_str_c(ca_file)) : NULL;
    return !client->user_agent || (ca_file && !client->ca_file) ? -1 : 0;
}

static void client_destroy(struct http_client *client)
{
    free(client->watches);
    free(client->user_agent);
    free(client->ca_file);
    free(client);
    curl_global_cleanup();
}

void http_client_handle_closed(struct http_client *client)
{
    if (--client->open_handles == 0 && client->closing)
        client_destroy(client);
}

static void on_todo_closed(uv_handle_t *handle)
{
    http_client_handle_closed(handle->data);
}

static int client_init(struct http_client *client, const struct http_client_options *options)
{
    if (http_call_todo_init(client) != 0 || copy_options(client, options) != 0)
        return -1;
    /* TLS sessions are shared, so that a new connection resumes instead of a whole handshake. No locks: one thread. */
    client->share = curl_share_init();
    if (!client->share ||
        curl_share_setopt(client->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION) != CURLSHE_OK)
        return -1;
    if (http_pool_init(&client->requests, client, (long)client->connections, (long)client->per_host) != 0)
        return -1;
    return http_pool_init(&client->streams, client, HTTP_STREAM_CONNECTIONS, 0);
}

int http_client_new(struct http_client **ret_client, uv_loop_t *loop,
                    const struct http_client_options *options)
{
    struct http_client *client;

    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return KANAL_E_INTERNAL;
    client = calloc(1, sizeof *client);
    if (!client) {
        curl_global_cleanup();
        return KANAL_E_BUSY;
    }
    client->loop = loop;
    client->stream_idle_ms = HTTP_STREAM_IDLE_MS;
    TAILQ_INIT(&client->calls);
    TAILQ_INIT(&client->spare);
    TAILQ_INIT(&client->todo);
    if (client_init(client, options) != 0) {
        http_client_free(client);
        return KANAL_E_BUSY;
    }
    *ret_client = client;
    return 0;
}

void http_client_free(struct http_client *client)
{
    struct http_call *call;

    if (!client || client->closing)
        return;
    client->closing = 1;
    client->open_handles++; /* held until everything below is done */
    while ((call = TAILQ_FIRST(&client->calls)) != NULL) {
        http_call_fail(call, KANAL_E_CANCELLED, "the client is closed");
        http_call_end(call, CURLE_ABORTED_BY_CALLBACK);
    }
    while ((call = TAILQ_FIRST(&client->spare)) != NULL) {
        TAILQ_REMOVE(&client->spare, call, link);
        http_call_free(call);
    }
    http_pool_release(&client->requests);
    http_pool_release(&client->streams);
    curl_share_cleanup(client->share);
    if (client->todo_timer.data)
        uv_close((uv_handle_t *)&client->todo_timer, on_todo_closed);
    http_client_handle_closed(client);
}

size_t http_client_pending(const struct http_client *client)
{
    return client->pending;
}

/* ---- Requests ---- */

struct http_call *http_call_begin(struct http_client *client, const struct http_out *out,
                                  const struct http_stream_sink *sink, http_done_fn *done, void *user,
                                  int is_source)
{
    struct http_call *call;
    int status;

    if (client->closing)
        return NULL;
    call = http_call_take(client, sink ? &client->streams : &client->requests);
    if (!call)
        return NULL;
    call->done = done;
    call->user = user;
    call->is_source = is_source;
    call->is_stream = sink != NULL;
    if (sink)
        call->sink = *sink;
    status = http_request_build(call, out);
    if (status == 0)
        status = http_parts_build(call, out);
    if (status == KANAL_E_BUSY) {
        http_call_drop(call);
        return NULL;
    }
    http_call_open(call);
    return call;
}

struct http_call *http_client_send(struct http_client *client, const struct http_out *out, http_done_fn *done,
                                   void *user)
{
    return http_call_begin(client, out, NULL, done, user, 0);
}

struct http_call *http_client_stream(struct http_client *client, const struct http_out *out,
                                     const struct http_stream_sink *sink, http_done_fn *done, void *user)
{
    return http_call_begin(client, out, sink, done, user, 0);
}

void http_call_resume(struct http_call *call)
{
    if (!call->paused)
        return;
    call->paused = 0;
    call->heard_ms = uv_now(call->client->loop);
    if (call->receive_paused)
        http_call_do(call, HTTP_TODO_RECEIVE);
}

void http_call_cancel(struct http_call *call)
{
    http_call_fail(call, KANAL_E_CANCELLED, "cancelled");
}
