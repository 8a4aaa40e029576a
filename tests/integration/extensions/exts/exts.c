/* exts.c - a channel that does with streams, leases and blobs what a test tells it: POST /call {"slot": NAME, …}. What it is told by the
 * host it remembers as lines of JSON, which the slot "events" reads and clears. Built with the tests, never installed. */
#include <stdlib.h>

#include "kanal/ext/blob.h"
#include "kanal/ext/lease.h"
#include "kanal/ext/stream.h"
#include "kanal/sdk/sdk.h"

struct kanal_channel {
    const kanal_host *host;
    const kanal_stream_host *streams;
    const kanal_lease_host *leases;
    const kanal_blob2_host *blobs;
    struct kanal_buffer events;
    struct kanal_buffer poll_url, name;
    kanal_op polling_lease;
    int quiet; /* data is counted, not remembered */
    uint64_t received;
    int echo, refill;
    uint32_t farewell; /* stop() writes to this many streams first */
    kanal_op stopping, last_stream;
};

struct call {
    kanal_channel *channel;
    kanal_op op;
};

static void answer(kanal_channel *channel, kanal_op op, kanal_status status, kanal_str text, uint64_t number)
{
    struct kanal_buffer body = { 0 };
    struct kanal_json json;
    char digits[24];
    kanal_json_init(&json, &body);
    kanal_json_object(&json);
    kanal_json_member_int(&json, "status", status);
    kanal_json_member_str(&json, "value", text);
    int n = snprintf(digits, sizeof digits, "%llu", (unsigned long long)number);
    kanal_json_key(&json, "id");
    kanal_json_str(&json, kanal_str_of(digits, (size_t)n));
    kanal_json_object_end(&json);
    kanal_field type = { KANAL_LIT("content-type"), KANAL_LIT("application/json") };
    kanal_http_response response = { .struct_size = sizeof response,
                                     .code = 200,
                                     .body = kanal_buffer_view(&body),
                                     .headers = &type,
                                     .header_count = 1 };
    channel->host->respond(channel->host, op, &response);
    kanal_buffer_release(&body);
}

static void remember(kanal_channel *channel, const char *event, kanal_op id, kanal_status status,
                     kanal_str text)
{
    struct kanal_json json;
    char digits[24];
    int n = snprintf(digits, sizeof digits, "%llu", (unsigned long long)id);
    kanal_json_init(&json, &channel->events);
    kanal_json_object(&json);
    kanal_json_member_text(&json, "event", event);
    kanal_json_key(&json, "id");
    kanal_json_str(&json, kanal_str_of(digits, (size_t)n));
    kanal_json_member_int(&json, "status", status);
    struct kanal_buffer base64 = { 0 };
    kanal_base64_encode(&base64, text, 0);
    kanal_json_member_str(&json, "bytes", kanal_buffer_view(&base64));
    kanal_buffer_release(&base64);
    kanal_json_object_end(&json);
    kanal_buffer_byte(&channel->events, '\n');
}

static struct call *call_new(kanal_channel *channel, kanal_op op)
{
    struct call *call = malloc(sizeof *call);
    if (!call)
        abort();
    *call = (struct call){ channel, op };
    return call;
}

static void on_done(void *user, kanal_status status)
{
    struct call *call = user;
    answer(call->channel, call->op, status, kanal_str_of(NULL, 0), 0);
    free(call);
}

static void on_value(void *user, kanal_status status, kanal_str value, uint64_t revision)
{
    struct call *call = user;
    answer(call->channel, call->op, status, value, revision);
    free(call);
}

/* "text", or {"base64":…}, or {"size":N} of 'x'. */
static kanal_str bytes_of(yyjson_val *arguments, const char *key, struct kanal_buffer *scratch)
{
    yyjson_val *value = kanal_json_at(arguments, key);
    if (yyjson_is_str(value))
        return kanal_str_of(yyjson_get_str(value), yyjson_get_len(value));
    int64_t size = kanal_json_int_at(value, "size", -1);
    if (size < 0) {
        kanal_base64_decode(scratch, kanal_json_text_at(value, "base64"), 0);
    } else if (kanal_buffer_reserve(scratch, (size_t)size) == 0) {
        memset(scratch->data, 'x', (size_t)size);
        scratch->len = (size_t)size;
    }
    return kanal_buffer_view(scratch);
}

static kanal_op id_of(yyjson_val *arguments)
{
    kanal_str text = kanal_json_text_at(arguments, "id");
    kanal_op id = 0; /* all 64 bits may be in use */
    for (size_t i = 0; i < text.len && text.ptr[i] >= '0' && text.ptr[i] <= '9'; i++)
        id = id * 10 + (kanal_op)(text.ptr[i] - '0');
    return id;
}

static uint32_t u32_of(yyjson_val *arguments, const char *key)
{
    return (uint32_t)kanal_json_int_at(arguments, key, 0);
}

/* ---- Streams ---- */

static void slot_connect(kanal_channel *channel, kanal_op op, yyjson_val *arguments)
{
    kanal_stream_target target = { .port = u32_of(arguments, "port"),
                                   .flags = u32_of(arguments, "flags"),
                                   .connect_timeout_ms = u32_of(arguments, "connect_ms"),
                                   .idle_timeout_ms = u32_of(arguments, "idle_ms"),
                                   .credit = u32_of(arguments, "credit"),
                                   .host = kanal_json_text_at(arguments, "host") };
    channel->last_stream =
        channel->streams->connect(channel->host, kanal_json_at(arguments, "null") ? NULL : &target);
    answer(channel, op, KANAL_OK, kanal_str_of(NULL, 0), channel->last_stream);
}

static void slot_write(kanal_channel *channel, kanal_op op, yyjson_val *arguments)
{
    struct kanal_buffer scratch = { 0 };
    kanal_stream_secret secrets[8] = { { 0 } };
    size_t count = 0, index, most;
    yyjson_val *one;
    yyjson_arr_foreach (kanal_json_at(arguments, "secrets"), index, most, one)
        if (count < 8)
            secrets[count++] = (kanal_stream_secret){ .position = u32_of(one, "position"),
                                                      .max_bytes = u32_of(one, "max"),
                                                      .length_position = u32_of(one, "length_position"),
                                                      .length_bytes = u32_of(one, "length_bytes"),
                                                      .secret = kanal_json_text_at(one, "secret") };
    channel->streams->write(channel->host, id_of(arguments), bytes_of(arguments, "data", &scratch), secrets,
                            count, on_done, call_new(channel, op));
    kanal_buffer_release(&scratch);
}

static void slot_start_tls(kanal_channel *channel, kanal_op op, yyjson_val *arguments)
{
    channel->streams->start_tls(channel->host, id_of(arguments), on_done, call_new(channel, op));
}

static void slot_credit(kanal_channel *channel, kanal_op op, yyjson_val *arguments)
{
    channel->streams->credit(channel->host, id_of(arguments), u32_of(arguments, "bytes"));
    answer(channel, op, KANAL_OK, kanal_str_of(NULL, 0), 0);
}

static void slot_shutdown(kanal_channel *channel, kanal_op op, yyjson_val *arguments)
{
    channel->streams->shutdown(channel->host, id_of(arguments));
    answer(channel, op, KANAL_OK, kanal_str_of(NULL, 0), 0);
}

static void slot_close(kanal_channel *channel, kanal_op op, yyjson_val *arguments)
{
    channel->streams->close(channel->host, id_of(arguments));
    answer(channel, op, KANAL_OK, kanal_str_of(NULL, 0), 0);
}

/* {"quiet":true}: data is only counted; {"refill":true}: its credit is given back at once. */
static void slot_mode(kanal_channel *channel, kanal_op op, yyjson_val *arguments)
{
    channel->quiet = yyjson_is_true(kanal_json_at(arguments, "quiet"));
    channel->refill = yyjson_is_true(kanal_json_at(arguments, "refill"));
    channel->echo = yyjson_is_true(kanal_json_at(arguments, "echo"));
    channel->farewell = u32_of(arguments, "farewell");
    channel->received = 0;
    answer(channel, op, KANAL_OK, kanal_str_of(NULL, 0), 0);
}

static void on_open(kanal_channel *channel, kanal_op stream)
{
    remember(channel, "open", stream, KANAL_OK, kanal_str_of(NULL, 0));
}

static void on_data(kanal_channel *channel, kanal_op stream, kanal_str bytes)
{
    channel->received += bytes.len;
    if (!channel->quiet)
        remember(channel, "data", stream, KANAL_OK, bytes);
    if (channel->refill)
        channel->streams->credit(channel->host, stream, (uint32_t)bytes.len);
    if (channel->echo)
        channel->streams->write(channel->host, stream, bytes, NULL, 0, NULL, NULL);
}

static void on_end(kanal_channel *channel, kanal_op stream)
{
    remember(channel, "end", stream, KANAL_OK, kanal_str_of(NULL, 0));
}

static void on_close(kanal_channel *channel, kanal_op stream, kanal_status status, kanal_str reason)
{
    remember(channel, "close", stream, status, reason);
}

/* ---- Leases ---- */

static void slot_acquire(kanal_channel *channel, kanal_op op, yyjson_val *arguments)
{
    answer(channel, op, KANAL_OK, kanal_str_of(NULL, 0),
           channel->leases->acquire(channel->host, kanal_json_text_at(arguments, "name"),
                                    u32_of(arguments, "ttl_ms")));
}

static void slot_held(kanal_channel *channel, kanal_op op, yyjson_val *arguments)
{
    answer(channel, op, channel->leases->held(channel->host, id_of(arguments)), kanal_str_of(NULL, 0), 0);
}

static void slot_release(kanal_channel *channel, kanal_op op, yyjson_val *arguments)
{
    channel->leases->release(channel->host, id_of(arguments));
    answer(channel, op, KANAL_OK, kanal_str_of(NULL, 0), 0);
}

static void on_held(kanal_channel *channel, kanal_op lease)
{
    remember(channel, "held", lease, channel->leases->held(channel->host, lease), kanal_str_of(NULL, 0));
}

static void on_lost(kanal_channel *channel, kanal_op lease)
{
    remember(channel, "lost", lease, channel->leases->held(channel->host, lease), kanal_str_of(NULL, 0));
}

/* As a channel polls: each 50 ms, while the lease is held, the provider is told who polls. */
static void on_poll_timer(void *user, kanal_status status)
{
    kanal_channel *channel = user;
    if (status != KANAL_OK)
        return;
    if (channel->leases->held(channel->host, channel->polling_lease)) {
        kanal_http_request request = { .struct_size = sizeof request,
                                       .method = KANAL_LIT("POST"),
                                       .url = kanal_buffer_view(&channel->poll_url),
                                       .body = kanal_buffer_view(&channel->name) };
        channel->host->http_send(channel->host, 0, &request, NULL, NULL);
    }
    channel->host->timer(channel->host, 50, on_poll_timer, channel);
}

/* ---- Blobs ---- */

static void slot_blob_open(kanal_channel *channel, kanal_op op, yyjson_val *arguments)
{
    answer(channel, op, KANAL_OK, kanal_str_of(NULL, 0),
           channel->blobs->open(channel->host, kanal_json_text_at(arguments, "type"),
                                kanal_json_text_at(arguments, "filename")));
}

static void slot_blob_append(kanal_channel *channel, kanal_op op, yyjson_val *arguments)
{
    struct kanal_buffer scratch = { 0 };
    channel->blobs->append(channel->host, id_of(arguments), bytes_of(arguments, "data", &scratch), on_done,
                           call_new(channel, op));
    kanal_buffer_release(&scratch);
}

static void slot_blob_commit(kanal_channel *channel, kanal_op op, yyjson_val *arguments)
{
    channel->blobs->commit(channel->host, id_of(arguments), on_value, call_new(channel, op));
}

static void slot_blob_discard(kanal_channel *channel, kanal_op op, yyjson_val *arguments)
{
    channel->blobs->discard(channel->host, id_of(arguments));
    answer(channel, op, KANAL_OK, kanal_str_of(NULL, 0), 0);
}

static void slot_blob_url(kanal_channel *channel, kanal_op op, yyjson_val *arguments)
{
    channel->blobs->url(channel->host, kanal_json_text_at(arguments, "reference"), on_value,
                        call_new(channel, op));
}

/* ---- The channel ---- */

static void slot_events(kanal_channel *channel, kanal_op op, yyjson_val *arguments)
{
    (void)arguments;
    answer(channel, op, KANAL_OK, kanal_buffer_view(&channel->events), channel->received);
    kanal_buffer_clear(&channel->events);
}

static const struct {
    const char *name;
    void (*run)(kanal_channel *, kanal_op, yyjson_val *arguments);
} slots[] = {
    { "connect", slot_connect },
    { "write", slot_write },
    { "start_tls", slot_start_tls },
    { "credit", slot_credit },
    { "shutdown", slot_shutdown },
    { "close", slot_close },
    { "mode", slot_mode },
    { "acquire", slot_acquire },
    { "held", slot_held },
    { "release", slot_release },
    { "blob_open", slot_blob_open },
    { "blob_append", slot_blob_append },
    { "blob_commit", slot_blob_commit },
    { "blob_discard", slot_blob_discard },
    { "blob_url", slot_blob_url },
    { "events", slot_events },
};

static void on_http(kanal_channel *channel, kanal_op op, const kanal_http_request *request)
{
    yyjson_doc *doc = kanal_json_parse(request->body);
    kanal_str name = kanal_json_text_at(yyjson_doc_get_root(doc), "slot");
    size_t i = 0;
    while (i < sizeof slots / sizeof *slots && !kanal_str_is(name, slots[i].name))
        i++;
    if (i < sizeof slots / sizeof *slots)
        slots[i].run(channel, op, yyjson_doc_get_root(doc));
    else
        answer(channel, op, KANAL_E_NOT_FOUND, name, 0);
    yyjson_doc_free(doc);
}

static kanal_channel *create(const kanal_host *host, const kanal_config *config)
{
    kanal_channel *channel = calloc(1, sizeof *channel);
    yyjson_doc *doc = kanal_json_parse(config->settings);
    if (!channel)
        abort();
    channel->host = host;
    channel->streams = host->extension(host, KANAL_EXT_STREAM);
    channel->leases = host->extension(host, KANAL_EXT_LEASE);
    channel->blobs = host->extension(host, KANAL_EXT_BLOB_2);
    kanal_buffer_str(&channel->poll_url, kanal_json_text_at(yyjson_doc_get_root(doc), "poll_url"));
    kanal_buffer_str(&channel->name, kanal_json_text_at(yyjson_doc_get_root(doc), "name"));
    yyjson_doc_free(doc);
    return channel;
}

static void start(kanal_channel *channel, kanal_op op)
{
    if (channel->poll_url.len > 0) {
        channel->polling_lease = channel->leases->acquire(channel->host, KANAL_LIT("poll"), 0);
        channel->host->timer(channel->host, 50, on_poll_timer, channel);
    }
    channel->host->finish(channel->host, op, KANAL_OK, kanal_str_of(NULL, 0));
}

static void on_said_farewell(void *user, kanal_status status)
{
    kanal_channel *channel = user;
    (void)status;
    channel->host->finish(channel->host, channel->stopping, KANAL_OK, kanal_str_of(NULL, 0));
}

static void stop(kanal_channel *channel, kanal_op op)
{
    channel->stopping = op;
    if (channel->farewell > 0)
        channel->streams->write(channel->host, channel->last_stream, KANAL_LIT("farewell"), NULL, 0,
                                on_said_farewell, channel);
    else
        channel->host->finish(channel->host, op, KANAL_OK, kanal_str_of(NULL, 0));
}

static void destroy(kanal_channel *channel)
{
    kanal_buffer_release(&channel->events);
    kanal_buffer_release(&channel->poll_url);
    kanal_buffer_release(&channel->name);
    free(channel);
}

static const void *extension(kanal_channel *channel, const char *id)
{
    static const kanal_stream_plugin streams = { .struct_size = sizeof streams,
                                                 .on_open = on_open,
                                                 .on_data = on_data,
                                                 .on_end = on_end,
                                                 .on_close = on_close };
    static const kanal_lease_plugin leases = { .struct_size = sizeof leases,
                                               .on_held = on_held,
                                               .on_lost = on_lost };
    (void)channel;
    return strcmp(id, KANAL_EXT_STREAM) == 0  ? (const void *)&streams
           : strcmp(id, KANAL_EXT_LEASE) == 0 ? (const void *)&leases
                                              : NULL;
}

const kanal_plugin *kanal_plugin_v1(void)
{
    static const char *const egress[] = { "127.0.0.1:7", NULL };
    static const kanal_secret secrets[] = { { "password", "a password", 0 },
                                            { "odd", "one with a line break", 0 } };
    static const kanal_route routes[] = {
        { .method = "POST", .path = "/call", .max_body = 4 * 1024 * 1024 }
    };
    static const kanal_plugin plugin = {
        .struct_size = sizeof plugin,
        .abi_minor = KANAL_ABI_MINOR,
        .id = "exts",
        .name = "Extensions",
        .version = "1.0.0",
        .egress = egress,
        .routes = routes,
        .route_count = 1,
        .secrets = secrets,
        .secret_count = 2,
        .settings_schema = "{\"type\":\"object\",\"properties\":{\"poll_url\":{\"type\":\"string\"},"
                           "\"name\":{\"type\":\"string\"}}}",
        .create = create,
        .start = start,
        .on_http = on_http,
        .stop = stop,
        .destroy = destroy,
        .extension = extension,
    };
    return &plugin;
}
