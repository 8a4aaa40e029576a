/* echo - the smallest complete channel: what is posted to it is a customer's message, and what is sent to the customer can be
 * fetched again. Copy it to begin a plugin of your own; README.md goes through it piece by piece. */
#include "kanal/sdk/sdk.h"

#define NAME_BYTES_MAX 64u
#define TEXT_BYTES_MAX 4096u
#define OUTBOX_MAX 1000

struct sent {
    struct kanal_buffer id, address, text; /* reused; all empty: nothing was sent yet */
};

struct kanal_channel {
    const kanal_host *host;
    size_t next, outbox_size;
    struct sent outbox[OUTBOX_MAX]; /* a ring of outbox_size places */
};

static kanal_channel *create(const kanal_host *host, const kanal_config *config)
{
    kanal_channel *channel = calloc(1, sizeof *channel);
    yyjson_doc *settings =
        kanal_json_parse(config->settings); /* valid by the schema below, defaults filled in */
    if (channel != NULL) {
        channel->host = host;
        channel->outbox_size = (size_t)kanal_json_int_at(yyjson_doc_get_root(settings), "outbox", 32);
    }
    yyjson_doc_free(settings);
    return channel;
}

static void destroy(kanal_channel *channel)
{
    for (size_t i = 0; i < OUTBOX_MAX; i++) {
        kanal_buffer_release(&channel->outbox[i].id);
        kanal_buffer_release(&channel->outbox[i].address);
        kanal_buffer_release(&channel->outbox[i].text);
    }
    free(channel);
}

static void start_or_stop(kanal_channel *channel, kanal_op op) /* nothing to open, nothing to close */
{
    channel->host->finish(channel->host, op, KANAL_OK, kanal_str_of(NULL, 0));
}

/* ---- In ---- */

static void respond(kanal_channel *channel, kanal_op op, int32_t code, kanal_str body)
{
    const kanal_field type = { KANAL_LIT("content-type"), KANAL_LIT("application/json") };
    const kanal_http_response response = {
        .struct_size = sizeof response, .code = code, .body = body, .headers = &type, .header_count = 1
    };
    channel->host->respond(channel->host, op, &response);
}

/* "name" -> "echo:name": an address is a URI with percent-encoded parts. */
static void write_address(struct kanal_buffer *out, kanal_str name)
{
    kanal_buffer_text(out, "echo:");
    kanal_url_encode(out, name);
}

static void publish(kanal_channel *channel, kanal_op cause, kanal_str from, kanal_str text, kanal_str id)
{
    struct kanal_buffer address = { 0 }, data = { 0 };
    struct kanal_json json;
    write_address(&address, from);
    kanal_json_init(&json, &data);
    kanal_json_object(&json);
    kanal_json_key(&json, "message");
    kanal_json_object(&json);
    kanal_json_key(&json, "content");
    kanal_json_array(&json);
    kanal_json_object(&json);
    kanal_json_member_text(&json, "type", "text");
    kanal_json_member_str(&json, "text", text);
    kanal_json_object_end(&json);
    kanal_json_array_end(&json);
    kanal_json_object_end(&json);
    kanal_json_object_end(&json);
    const kanal_event event = { .struct_size = sizeof event,
                                .type = KANAL_LIT("message.received"),
                                .dedupe = id,
                                .external_id = id,
                                .address = kanal_buffer_view(&address),
                                .data = kanal_buffer_view(&data) };
    const kanal_event *const events[] = { &event };
    channel->host->publish(channel->host, cause, events, 1, NULL, NULL);
    kanal_buffer_release(&address);
    kanal_buffer_release(&data);
}

/* POST / {"from": "anna", "text": "hi", "id": "7"} */
static void receive(kanal_channel *channel, kanal_op op, const kanal_http_request *request)
{
    yyjson_doc *doc = kanal_json_parse(request->body); /* the getters below take anything, also NULL */
    kanal_str from = kanal_json_text_at(yyjson_doc_get_root(doc), "from");
    kanal_str text = kanal_json_text_at(yyjson_doc_get_root(doc), "text");
    char number[24], random[16];
    kanal_str id = kanal_json_id_at(yyjson_doc_get_root(doc), "id", number);
    struct kanal_buffer made_id = { 0 };
    if (id.len == 0) { /* without an id the same text twice is two messages */
        channel->host->random(channel->host, random, sizeof random);
        kanal_hex_encode(&made_id, kanal_str_of(random, sizeof random));
        id = kanal_buffer_view(&made_id);
    }
    if (from.len == 0 || from.len > NAME_BYTES_MAX || text.len == 0 || text.len > TEXT_BYTES_MAX ||
        id.len > NAME_BYTES_MAX) {
        respond(channel, op, 400,
                KANAL_LIT("{\"error\":{\"code\":\"invalid_request\",\"message\":\"expected a JSON object "
                          "with the strings 'from' "
                          "(1 to 64 bytes), 'text' (1 to 4096) and perhaps 'id' (up to 64)\"}}"));
    } else {
        publish(channel, op, from, text, id);
        respond(channel, op, 200,
                KANAL_LIT("{\"ok\":true}")); /* the host holds it back until the event is stored */
    }
    kanal_buffer_release(&made_id);
    yyjson_doc_free(doc);
}

/* GET /outbox?to=anna -> {"messages": [{"id": …, "text": …}]}, oldest first */
static void show_outbox(kanal_channel *channel, kanal_op op, const kanal_http_request *request)
{
    struct kanal_buffer name = { 0 }, address = { 0 }, body = { 0 };
    struct kanal_json json;
    kanal_form_get(request->query, "to", &name); /* of nobody: no messages */
    write_address(&address, kanal_buffer_view(&name));
    kanal_json_init(&json, &body);
    kanal_json_object(&json);
    kanal_json_key(&json, "messages");
    kanal_json_array(&json);
    for (size_t i = 0; i < channel->outbox_size; i++) {
        const struct sent *sent = &channel->outbox[(channel->next + i) % channel->outbox_size];
        if (!kanal_str_equal(kanal_buffer_view(&sent->address), kanal_buffer_view(&address)))
            continue;
        kanal_json_object(&json);
        kanal_json_member_str(&json, "id", kanal_buffer_view(&sent->id));
        kanal_json_member_str(&json, "text", kanal_buffer_view(&sent->text));
        kanal_json_object_end(&json);
    }
    kanal_json_array_end(&json);
    kanal_json_object_end(&json);
    respond(channel, op, 200, kanal_buffer_view(&body));
    kanal_buffer_release(&name);
    kanal_buffer_release(&address);
    kanal_buffer_release(&body);
}

static void on_http(kanal_channel *channel, kanal_op op, const kanal_http_request *request)
{
    (kanal_str_is(request->path, "/") ? receive : show_outbox)(channel, op, request);
}

/* ---- Out: the core has already made everything into what `caps` and `limits` say, which is one text ---- */

static void deliver(kanal_channel *channel, kanal_op op, const kanal_delivery *delivery)
{
    kanal_result result = { .struct_size = sizeof result, .outcome = KANAL_FAILED };
    yyjson_doc *doc = kanal_json_parse(delivery->data);
    kanal_str text =
        kanal_json_text_at(yyjson_arr_get_first(kanal_json_at(yyjson_doc_get_root(doc), "content")), "text");
    if (!kanal_str_starts(delivery->address, "echo:")) {
        result.code = KANAL_LIT("recipient_unknown");
    } else if (text.len == 0 || text.len > TEXT_BYTES_MAX) {
        result.code = KANAL_LIT("unsupported_content");
    } else {
        struct sent *sent = &channel->outbox[channel->next];
        channel->next = (channel->next + 1) % channel->outbox_size;
        kanal_buffer_clear(&sent->id);
        kanal_buffer_clear(&sent->address);
        kanal_buffer_clear(&sent->text);
        kanal_buffer_str(&sent->id, delivery->idempotency_key);
        kanal_buffer_str(&sent->address, delivery->address);
        kanal_buffer_str(&sent->text, text);
        int kept = !sent->id.failed && !sent->address.failed && !sent->text.failed;
        result.outcome = kept ? KANAL_SENT : KANAL_RETRY; /* out of memory: later */
        result.code = kept ? kanal_str_of(NULL, 0) : KANAL_LIT("internal");
        result.external_id = delivery->idempotency_key;
    }
    channel->host->delivered(channel->host, op, &result);
    yyjson_doc_free(doc);
}

/* ---- What the host reads before it calls anything ---- */

const kanal_plugin *kanal_plugin_v1(void)
{
    static const kanal_limits limits = { .struct_size = sizeof limits, .text_bytes = TEXT_BYTES_MAX };
    static const kanal_route routes[] = { { .method = "POST", .path = "/", .max_body = 65536 },
                                          { .method = "GET", .path = "/outbox" } };
    static const kanal_plugin plugin = {
        .struct_size = sizeof plugin,
        .abi_minor = KANAL_ABI_MINOR,
        .id = "echo",
        .name = "Echo",
        .version = "1.0.0",
        .caps = KANAL_CAP_TEXT,
        .limits = &limits,
        .routes = routes,
        .route_count = sizeof routes / sizeof routes[0],
        .settings_schema = "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{\"outbox\":{"
                           "\"type\":\"integer\","
                           "\"minimum\":1,\"maximum\":1000,\"default\":32,\"description\":\"messages that "
                           "/outbox remembers\"}}}",
        .create = create,
        .start = start_or_stop,
        .on_http = on_http,
        .deliver = deliver,
        .stop = start_or_stop,
        .destroy = destroy,
    };
    return &plugin;
}
