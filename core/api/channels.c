#include "api/channels.h"

#include "host/channel_status.h"
#include "kanal/sdk/json.h"

#define BODY_MAX (256u * 1024)

static api_handler_fn list, get, add, update, remove_channel, pause_channel, resume, restart, upgrade;

const struct api_endpoint api_channel_endpoints[] = {
    { "channel-list", "Every channel with its state and health.", list },
    { "channel-get", "One channel: {\"id\"}.", get },
    { "channel-add", "Adds a channel: {\"channel\": {id, plugin, settings, secrets, …}}.", add },
    { "channel-update", "Changes one that was added: {\"channel\": {…}}, whole.", update },
    { "channel-remove", "Removes one that was added: {\"id\"}.", remove_channel },
    { "channel-pause", "Stops serving it until it is resumed: {\"id\"}.", pause_channel },
    { "channel-resume", "Serves it again: {\"id\"}.", resume },
    { "channel-restart", "A fresh instance takes its place: {\"id\"}.", restart },
    { "channel-upgrade", "The plugin's file as it is now, or another one: {\"id\", \"plugin_file\"}.",
      upgrade },
};
const size_t api_channel_endpoint_count = sizeof api_channel_endpoints / sizeof *api_channel_endpoints;

/* ---- Answers ---- */

static void write_channel(struct kanal_json *json, const struct api_channels *api,
                          const struct channel *channel)
{
    channel_write(json, channel, control_is_run_time(api->control, channel->id) ? "run_time" : "file");
}

static void answer_channel(struct api_request *request, const struct api_channels *api, const char *key,
                           const struct channel *channel)
{
    struct kanal_buffer body = { 0 };
    struct kanal_json json;
    kanal_json_init(&json, &body);
    kanal_json_object(&json);
    kanal_json_key(&json, key);
    if (channel)
        write_channel(&json, api, channel);
    else
        kanal_json_null(&json);
    kanal_json_object_end(&json);
    api_answer(request, kanal_buffer_view(&body));
    kanal_buffer_release(&body);
}

struct pending {
    const struct api_channels *api;
    struct api_request *request;
};

static void on_changed(void *user, const struct control_result *result)
{
    struct pending *pending = user;
    if (result->code == 200)
        answer_channel(pending->request, pending->api, "channel", result->channel);
    else
        api_refuse(pending->request, result->code, result->word, result->message, result->details);
    free(pending);
}

/* ---- Requests ---- */

/* The body as an object; an empty one is none. NULL: refused. */
static yyjson_doc *read_body(struct api_request *request, kanal_str body)
{
    yyjson_doc *document =
        body.len <= BODY_MAX ? kanal_json_parse(body.len > 0 ? body : KANAL_LIT("{}")) : NULL;
    if (yyjson_is_obj(yyjson_doc_get_root(document)))
        return document;
    yyjson_doc_free(document);
    api_refuse(request, 400, "invalid", KANAL_LIT("the request must be a JSON object of at most 256 KiB"),
               (kanal_str){ 0 });
    return NULL;
}

static void list(void *user, struct api_request *request, kanal_str body)
{
    const struct api_channels *api = user;
    struct kanal_buffer out = { 0 };
    struct kanal_json json;
    (void)body;
    kanal_json_init(&json, &out);
    kanal_json_object(&json);
    kanal_json_key(&json, "channels");
    kanal_json_array(&json);
    for (const struct channel *channel = api->host->first_channel; channel; channel = channel->next)
        write_channel(&json, api, channel);
    kanal_json_array_end(&json);
    kanal_json_object_end(&json);
    api_answer(request, kanal_buffer_view(&out));
    kanal_buffer_release(&out);
}

static void get(void *user, struct api_request *request, kanal_str body)
{
    const struct api_channels *api = user;
    yyjson_doc *document = read_body(request, body);
    if (!document)
        return;
    const struct channel *channel =
        host_find(api->host, kanal_json_text_at(yyjson_doc_get_root(document), "id"));
    if (channel)
        answer_channel(request, api, "channel", channel);
    else
        api_refuse(request, 404, "not_found", KANAL_LIT("there is no channel of that id"), (kanal_str){ 0 });
    yyjson_doc_free(document);
}

static void change(void *user, struct api_request *request, kanal_str body, enum control_verb verb)
{
    const struct api_channels *api = user;
    yyjson_doc *document = read_body(request, body);
    struct pending *pending = document ? malloc(sizeof *pending) : NULL;
    if (!document)
        return;
    yyjson_val *root = yyjson_doc_get_root(document), *channel = kanal_json_at(root, "channel");
    size_t len = 0;
    char *text = channel ? yyjson_val_write(channel, 0, &len) : NULL;
    struct control_change change = { .verb = verb,
                                     .id = kanal_json_text_at(channel ? channel : root, "id"),
                                     .channel = kanal_str_of(text, len),
                                     .plugin_file = kanal_json_text_at(root, "plugin_file") };
    if (pending) {
        *pending = (struct pending){ api, request };
        control_change(api->control, &change, on_changed, pending);
    } else {
        api_refuse(request, 503, "unavailable", KANAL_LIT("out of memory"), (kanal_str){ 0 });
    }
    if (text)
        memset(text, 0, len);
    free(text);
    yyjson_doc_free(document);
}

static void add(void *user, struct api_request *request, kanal_str body)
{
    change(user, request, body, CONTROL_ADD);
}

static void update(void *user, struct api_request *request, kanal_str body)
{
    change(user, request, body, CONTROL_UPDATE);
}

static void remove_channel(void *user, struct api_request *request, kanal_str body)
{
    change(user, request, body, CONTROL_REMOVE);
}

static void pause_channel(void *user, struct api_request *request, kanal_str body)
{
    change(user, request, body, CONTROL_PAUSE);
}

static void resume(void *user, struct api_request *request, kanal_str body)
{
    change(user, request, body, CONTROL_RESUME);
}

static void restart(void *user, struct api_request *request, kanal_str body)
{
    change(user, request, body, CONTROL_RESTART);
}

static void upgrade(void *user, struct api_request *request, kanal_str body)
{
    change(user, request, body, CONTROL_UPGRADE);
}
