/* The channel's life, its deliveries and its media. */
#include "probe.h"

static atomic_int instances; /* of the process: a start that is tried again has a new one */

static void copy_setting(yyjson_val *settings, const char *key, char out[16])
{
    kanal_str text = kanal_json_text_at(settings, key);
    memset(out, 0, 16);
    if (text.len > 0 && text.len < 16)
        memcpy(out, text.ptr, text.len);
}

static kanal_channel *create(const kanal_host *host, const kanal_config *config)
{
    yyjson_doc *doc = kanal_json_parse(config->settings);
    yyjson_val *settings = yyjson_doc_get_root(doc);
    kanal_channel *channel = NULL;
    if (kanal_str_is(kanal_json_text_at(settings, "create"), "refuse")) {
        host->log(host, 0, KANAL_LOG_ERROR, KANAL_LIT("the probe was told to refuse"));
        goto out;
    }
    channel = calloc(1, sizeof *channel);
    if (!channel)
        goto out;
    channel->host = host;
    channel->instance = atomic_fetch_add(&instances, 1) + 1;
    channel->link = kanal_str_dup(kanal_json_text_at(settings, "link"));
    channel->fail_starts = kanal_json_int_at(settings, "fail_starts", 0);
    copy_setting(settings, "start", channel->start);
    copy_setting(settings, "stop", channel->stop);
    kanal_buffer_str(&channel->id, config->channel_id);
    kanal_buffer_str(&channel->public_url, config->public_url);
    kanal_buffer_str(&channel->provision_url, kanal_json_text_at(settings, "provision_url"));
    channel->blobs = host->extension(host, KANAL_EXT_BLOB);
    channel->sockets = host->extension(host, KANAL_EXT_WEBSOCKET);
out:
    yyjson_doc_free(doc);
    return channel;
}

static void destroy(kanal_channel *channel)
{
    if (channel->has_thread)
        pthread_join(channel->thread, NULL);
    while (channel->pendings)
        pending_free(channel->pendings);
    kanal_buffer_release(&channel->id);
    kanal_buffer_release(&channel->public_url);
    kanal_buffer_release(&channel->provision_url);
    kanal_buffer_release(&channel->notes);
    free(channel->link);
    free(channel);
}

static void start(kanal_channel *channel, kanal_op op)
{
    const kanal_host *host = channel->host;
    if (strcmp(channel->start, "never") == 0)
        return;
    if (strcmp(channel->start, "fail") == 0 || channel->instance <= channel->fail_starts) {
        host->finish(host, op, KANAL_E_NETWORK, KANAL_LIT("told to fail"));
        return;
    }
    kanal_link_offer_template(host, kanal_str_c(channel->link));
    host->finish(host, op, KANAL_OK, kanal_str_of(NULL, 0));
    if (strcmp(channel->start, "twice") == 0)
        host->finish(host, op, KANAL_E_NETWORK, KANAL_LIT("a second answer"));
}

static void stop(kanal_channel *channel, kanal_op op)
{
    const kanal_host *host = channel->host;
    host->log(host, op, KANAL_LOG_INFO, KANAL_LIT("stop() was called"));
    if (strcmp(channel->stop, "never") == 0)
        return;
    host->finish(host, op, KANAL_OK, kanal_str_of(NULL, 0));
    if (strcmp(channel->stop, "twice") == 0)
        host->finish(host, op, KANAL_OK, kanal_str_of(NULL, 0));
}

/* ---- Registration: the provider of the test says how it ends ---- */

struct provisioning {
    struct pending base;
    kanal_op op;
};

static void on_provisioned(void *user, kanal_status status, const kanal_http_response *response)
{
    struct provisioning *p = user;
    const kanal_host *host = p->base.channel->host;
    if (status == KANAL_OK && response->code >= 500)
        status = KANAL_E_NETWORK;
    else if (status == KANAL_OK && response->code >= 400)
        status = KANAL_E_REJECTED;
    host->finish(host, p->op, status,
                 status == KANAL_OK ? kanal_str_of(NULL, 0) : KANAL_LIT("the provider said no"));
    pending_free(p);
}

static void provision(kanal_channel *channel, kanal_op op, kanal_str public_url, int32_t wanted)
{
    const kanal_host *host = channel->host;
    (void)wanted;
    if (channel->provision_url.len == 0) {
        host->finish(host, op, KANAL_OK, kanal_str_of(NULL, 0));
        return;
    }
    struct provisioning *p = pending_new(channel, sizeof *p);
    p->op = op;
    kanal_http_request request = { .struct_size = sizeof request,
                                   .method = KANAL_LIT("POST"),
                                   .url = kanal_buffer_view(&channel->provision_url),
                                   .body = public_url };
    host->http_send(host, op, &request, on_provisioned, p);
}

/* ---- Out: the text of the message says what to do ---- */

struct sending {
    struct pending base;
    kanal_op op;
};

static void delivered(kanal_channel *channel, kanal_op op, int32_t outcome, kanal_str id)
{
    kanal_result result = { .struct_size = sizeof result, .outcome = outcome, .external_id = id };
    channel->host->delivered(channel->host, op, &result);
}

static void on_uploaded(void *user, kanal_status status, const kanal_http_response *response)
{
    struct sending *s = user;
    kanal_result result = { .struct_size = sizeof result,
                            .outcome = KANAL_FAILED,
                            .code = KANAL_LIT("media_unavailable") };
    if (status == KANAL_OK && response->code == 200) {
        result.outcome = KANAL_SENT;
        result.external_id = KANAL_LIT("uploaded");
    }
    char text[32];
    result.provider_code = kanal_str_of(text, (size_t)snprintf(text, sizeof text, "%d", status));
    s->base.channel->host->delivered(s->base.channel->host, s->op, &result);
    pending_free(s);
}

/* "upload TO": streams the URL of the delivery's media part into a form that is sent there. */
static void upload(kanal_channel *channel, kanal_op op, kanal_str to, kanal_str source)
{
    struct sending *s = pending_new(channel, sizeof *s);
    s->op = op;
    kanal_part part = { .name = KANAL_LIT("file"), .filename = KANAL_LIT("f.bin"), .source_url = source };
    kanal_http_request request = {
        .struct_size = sizeof request, .method = KANAL_LIT("POST"), .url = to, .parts = &part, .part_count = 1
    };
    channel->host->http_send(channel->host, op, &request, on_uploaded, s);
}

static void deliver(kanal_channel *channel, kanal_op op, const kanal_delivery *delivery)
{
    const kanal_host *host = channel->host;
    yyjson_doc *doc = kanal_json_parse(delivery->data);
    yyjson_val *part = yyjson_arr_get_first(kanal_json_at(yyjson_doc_get_root(doc), "content"));
    kanal_str text = kanal_json_text_at(part, "text"), caption = kanal_json_text_at(part, "caption");
    if (kanal_str_starts(caption, "upload ")) {
        upload(channel, op, kanal_str_from(caption, 7), kanal_json_text_at(part, "url"));
    } else if (kanal_str_is(text, "never") || harm_deliver(channel, op, delivery, text)) {
        /* the deadline answers */
    } else if (kanal_str_is(text, "twice")) {
        delivered(channel, op, KANAL_SENT, KANAL_LIT("first"));
        delivered(channel, op, KANAL_SENT, KANAL_LIT("second"));
    } else if (kanal_str_is(text, "short")) {
        kanal_result result = { .struct_size = 8, .outcome = KANAL_SENT };
        host->delivered(host, op, &result);
    } else if (kanal_str_is(text, "null")) {
        host->delivered(host, op, NULL);
    } else if (kanal_str_is(text, "no more")) {
        kanal_result result = { .struct_size = sizeof result,
                                .outcome = KANAL_FAILED,
                                .scope = KANAL_SCOPE_CHANNEL,
                                .code = KANAL_LIT("auth_failed"),
                                .reason = KANAL_LIT("the account is locked") };
        host->delivered(host, op, &result);
    } else if (kanal_str_is(text, "blocked")) {
        kanal_result result = { .struct_size = sizeof result,
                                .outcome = KANAL_FAILED,
                                .scope = KANAL_SCOPE_RECIPIENT,
                                .code = KANAL_LIT("recipient_blocked"),
                                .provider_code = KANAL_LIT("131026") };
        host->delivered(host, op, &result);
    } else if (kanal_str_is(text, "null text")) {
        kanal_result result = {
            .struct_size = sizeof result, .outcome = KANAL_FAILED, .reason = { NULL, 77 }, .code = { NULL, 5 }
        };
        host->delivered(host, op, &result);
    } else if (kanal_str_is(text, "invent")) {
        delivered(channel, op + 1, KANAL_SENT, KANAL_LIT("x"));
        delivered(channel, op ^ UINT64_C(0x7000000000000000), KANAL_SENT, KANAL_LIT("x"));
        delivered(channel, op, KANAL_SENT, KANAL_LIT("right"));
    } else {
        delivered(channel, op, KANAL_SENT, delivery->idempotency_key);
    }
    /* Borrowed until this returns: what was answered changes nothing. */
    struct kanal_buffer seen = { 0 };
    kanal_buffer_text(&seen, "delivered ");
    kanal_buffer_str(&seen, delivery->type);
    kanal_buffer_byte(&seen, ' ');
    kanal_buffer_str(&seen, delivery->command_id);
    kanal_buffer_byte(&seen, ' ');
    kanal_buffer_str(&seen, delivery->address);
    host->log(host, op, KANAL_LOG_INFO, kanal_buffer_view(&seen));
    kanal_buffer_release(&seen);
    yyjson_doc_free(doc);
}

/* ---- Media: the reference says what to do ---- */

static void media(kanal_channel *channel, kanal_op op, kanal_str reference)
{
    const kanal_host *host = channel->host;
    kanal_http_request request = { .struct_size = sizeof request, .method = KANAL_LIT("GET") };
    if (kanal_str_starts(reference, "url:")) {
        request.url = kanal_str_from(reference, 4);
        host->locate(host, op, KANAL_OK, &request);
        request.url = reference; /* still borrowed */
        host->locate(host, op, KANAL_OK, &request);
    } else if (kanal_str_is(reference, "gone")) {
        host->locate(host, op, KANAL_E_NOT_FOUND, NULL);
    } else if (kanal_str_is(reference, "null")) {
        host->locate(host, op, KANAL_OK, NULL);
    } else if (kanal_str_is(reference, "short")) {
        request.struct_size = 16;
        host->locate(host, op, KANAL_OK, &request);
    }
}

/* ---- In ---- */

static const struct slot *find_slot(const struct slot *slots, kanal_str name)
{
    for (; slots->name; slots++)
        if (kanal_str_is(name, slots->name))
            return slots;
    return NULL;
}

static void on_http(kanal_channel *channel, kanal_op op, const kanal_http_request *request)
{
    if (kanal_str_is(request->path, "/ws")) {
        socket_request(channel, op, request);
        return;
    }
    if (kanal_str_is(request->path, "/late-reader")) {
        respond_json(channel, op, 200, KANAL_LIT("{}"));
        struct kanal_buffer seen = { 0 };
        kanal_buffer_text(&seen, "after the answer: ");
        kanal_buffer_str(&seen, request->body);
        kanal_buffer_byte(&seen, ' ');
        kanal_buffer_str(&seen, kanal_field_get(request->headers, request->header_count, "x-probe"));
        channel->host->log(channel->host, op, KANAL_LOG_INFO, kanal_buffer_view(&seen));
        kanal_buffer_release(&seen);
        return;
    }
    if (!kanal_str_is(request->path, "/call")) { /* the checked routes */
        respond_json(channel, op, 200, KANAL_LIT("{\"checked\":true}"));
        return;
    }
    yyjson_doc *doc = kanal_json_parse(request->body);
    yyjson_val *arguments = yyjson_doc_get_root(doc);
    kanal_str name = kanal_json_text_at(arguments, "slot");
    const struct slot *slot = find_slot(probe_slots, name);
    if (!slot)
        slot = find_slot(probe_hostile_slots, name);
    if (!slot)
        slot = find_slot(probe_harm_slots, name);
    if (slot)
        slot->run(channel, op, arguments);
    else
        respond_json(channel, op, 400, KANAL_LIT("{\"error\":\"no such slot\"}"));
    yyjson_doc_free(doc);
}

static void on_wake(kanal_channel *channel)
{
    channel->wakes++;
    if (!channel->woken)
        return;
    pthread_join(channel->thread, NULL);
    channel->has_thread = 0;
    struct call *call = channel->woken;
    channel->woken = NULL;
    on_done(call, KANAL_OK);
}

static const void *extension(kanal_channel *channel, const char *id)
{
    (void)channel;
    return strcmp(id, KANAL_EXT_WEBSOCKET) == 0 ? &probe_sockets : NULL;
}

const kanal_plugin *kanal_plugin_v1(void)
{
    static const kanal_limits limits = { .struct_size = sizeof limits };
    static const char *const egress[] = { "localhost", "127.0.0.1", "*.example.com", NULL };
    static const kanal_secret secrets[] = { { "token", "a token", 0 },
                                            { "rsa", "a PEM key", 0 },
                                            { "ec", "a PEM key", 0 },
                                            { "locked", "an encrypted PEM key", 0 } };
    static const kanal_route routes[] = {
        { .method = "POST", .path = "/call", .max_body = 4 * 1024 * 1024 },
        { .method = "GET", .path = "/ws" },
        { .method = "POST", .path = "/late-reader" },
        { .method = "POST",
          .path = "/checked",
          .algorithm = "hmac-sha256",
          .name = "x-signature",
          .prefix = "sha256=",
          .encoding = "hex",
          .secret = "token",
          .where = KANAL_IN_HEADER },
        { .method = "GET",
          .path = "/checked-query",
          .algorithm = "equal",
          .name = "key",
          .secret = "token",
          .where = KANAL_IN_QUERY },
    };
    static const kanal_plugin plugin = {
        .struct_size = sizeof plugin,
        .abi_minor = KANAL_ABI_MINOR,
        .id = "probe",
        .name = "Probe",
        .version = "1.0.0",
        .caps = KANAL_CAP_TEXT | KANAL_CAP_IMAGE | KANAL_CAP_FILE | KANAL_CAP_TYPING | KANAL_CAP_CAPTION |
                KANAL_CAP_TO_TEL | KANAL_CAP_DELIVERED_RECEIPT,
        .limits = &limits,
        .egress = egress,
        .routes = routes,
        .route_count = sizeof routes / sizeof *routes,
        .secrets = secrets,
        .secret_count = sizeof secrets / sizeof *secrets,
        .settings_schema =
            "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"
            "\"create\":{\"type\":\"string\"},\"start\":{\"type\":\"string\"},\"stop\":{\"type\":\"string\"},"
            "\"fail_starts\":{\"type\":\"integer\"},\"link\":{\"type\":\"string\"},\"provision_url\":{"
            "\"type\":\"string\"}}}",
        .create = create,
        .start = start,
        .provision = provision,
        .on_http = on_http,
        .deliver = deliver,
        .media = media,
        .on_wake = on_wake,
        .stop = stop,
        .destroy = destroy,
        .extension = extension,
    };
    return &plugin;
}
