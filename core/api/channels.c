#include "api/channels.h"

#include <stdlib.h>

#include "host/channel_status.h"
#include "host/worker/worker.h"
#include "kanal/sdk/json.h"

#define PAGE_DEFAULT 100
#define PAGE_MAX 1000

static api_handler_fn list, get, add, change_channel, remove_channel, pause_channel, resume, restart, upgrade;

const struct api_endpoint api_channel_endpoints[] = {
    { "channel-list", "Channels by id.", list },
    { "channel-get", "One channel with its configuration.", get },
    { "channel-add", "Adds a channel to every replica.", add },
    { "channel-change", "Replaces the configuration of a channel that was added by channel-add.",
      change_channel },
    { "channel-remove", "Removes a channel that was added by channel-add.", remove_channel },
    { "channel-pause", "Lets a channel stand still without losing anything.", pause_channel },
    { "channel-resume", "Lets a paused channel go on.", resume },
    { "channel-restart", "A fresh instance takes the channel's place.", restart },
    { "channel-upgrade", "Changes over to another file of the plugin without loss.", upgrade },
};
const size_t api_channel_endpoint_count = sizeof api_channel_endpoints / sizeof *api_channel_endpoints;

/* ---- Answers ---- */

/* As the contract's channel_info. */
static const char *state_of(const struct channel *channel)
{
    switch (channel->state) {
    case CHANNEL_NEW:
    case CHANNEL_STARTING:
        return "starting";
    case CHANNEL_STOPPING:
        return "stopping";
    case CHANNEL_UP:
        return channel_is_paused(channel, CHANNEL_PAUSE_IN | CHANNEL_PAUSE_OUT) ? "paused"
               : channel->health == KANAL_OK                                    ? "up"
                                                                                : "degraded";
    default:
        return "down";
    }
}

static void write_reasons(struct kanal_json *json, const struct channel *channel)
{
    if ((channel->state == CHANNEL_UP && channel->health == KANAL_OK) || !channel->reason[0])
        return;
    kanal_json_key(json, "reasons");
    kanal_json_array(json);
    channel_write_reason(json, channel);
    kanal_json_array_end(json);
}

static void write_info(struct kanal_json *json, const struct api_channels *api, const struct channel *channel,
                       int with_config)
{
    struct control_info info = { 0 };
    struct kanal_buffer url = { 0 };
    control_look(api->control, channel->id, &info);
    channel_public_url(channel, &url);
    kanal_json_object(json);
    kanal_json_member_str(json, "id", channel->id);
    kanal_json_member_str(json, "plugin", channel->source.plugin);
    kanal_json_member_text(json, "version", channel->plugin->descriptor.version);
    kanal_json_member_text(json, "state", state_of(channel));
    write_reasons(json, channel);
    kanal_json_member_time(json, "since", channel->since_ms);
    if (info.paused.len > 0) {
        kanal_json_key(json, "paused");
        kanal_json_raw(json, info.paused);
    }
    kanal_json_member_text(json, "origin", info.is_run_time ? "api" : "file");
    kanal_json_member_str(json, "public_url", kanal_buffer_view(&url));
    if (worker_pid(channel) > 0)
        kanal_json_member_int(json, "worker", worker_pid(channel));
    if (info.revision > 0)
        kanal_json_member_int(json, "revision", (int64_t)info.revision);
    if (with_config) {
        kanal_json_key(json, "config");
        channel_write_config(json, channel);
    }
    kanal_json_object_end(json);
    kanal_buffer_release(&url);
}

static void answer_channel(struct api_request *request, const struct api_channels *api,
                           const struct channel *channel, int with_config)
{
    struct kanal_buffer body = { 0 };
    struct kanal_json json;
    kanal_json_init(&json, &body);
    kanal_json_object(&json);
    kanal_json_key(&json, "channel");
    write_info(&json, api, channel, with_config);
    kanal_json_object_end(&json);
    api_answer(request, kanal_buffer_view(&body));
    kanal_buffer_release(&body);
}

static void answer_removed(struct api_request *request, kanal_str id)
{
    struct kanal_buffer body = { 0 };
    struct kanal_json json;
    kanal_json_init(&json, &body);
    kanal_json_object(&json);
    kanal_json_member_str(&json, "id", id);
    kanal_json_object_end(&json);
    api_answer(request, kanal_buffer_view(&body));
    kanal_buffer_release(&body);
}

struct pending {
    const struct api_channels *api;
    struct api_request *request;
    char id[65];
};

static void on_changed(void *user, const struct control_result *result)
{
    struct pending *pending = user;
    if (result->code != 200)
        api_refuse(pending->request, result->code, result->word, result->message, result->violations);
    else if (result->channel)
        answer_channel(pending->request, pending->api, result->channel, 0);
    else
        answer_removed(pending->request, kanal_str_c(pending->id));
    free(pending);
}

/* ---- Requests ---- */

static int compare(const void *a, const void *b)
{
    const struct channel *const *x = a, *const *y = b;
    return strcmp((*x)->id.ptr, (*y)->id.ptr);
}

/* Those that were asked for, behind the cursor, by id. */
static size_t select_channels(const struct api_channels *api, yyjson_val *asked, const struct channel **ret)
{
    kanal_str plugin = kanal_json_text_at(asked, "plugin"), state = kanal_json_text_at(asked, "state");
    kanal_str before = kanal_json_text_at(asked, "before");
    char after[65] = "";
    size_t count = 0;
    memcpy(after, before.len < sizeof after && before.ptr ? before.ptr : "",
           before.len < sizeof after ? before.len : 0);
    for (const struct channel *channel = api->host->first_channel; channel; channel = channel->next)
        if ((plugin.len == 0 || kanal_str_equal(plugin, channel->source.plugin)) &&
            (state.len == 0 || kanal_str_is(state, state_of(channel))) && strcmp(channel->id.ptr, after) > 0)
            ret[count++] = channel;
    qsort(ret, count, sizeof *ret, compare);
    return count;
}

static void write_list(struct kanal_json *json, const struct api_channels *api,
                       const struct channel *const *channels, size_t count, size_t limit)
{
    size_t shown = count < limit ? count : limit;
    kanal_json_object(json);
    kanal_json_key(json, "items");
    kanal_json_array(json);
    for (size_t i = 0; i < shown; i++)
        write_info(json, api, channels[i], 0);
    kanal_json_array_end(json);
    if (count > shown)
        kanal_json_member_str(json, "next", channels[shown - 1]->id);
    kanal_json_object_end(json);
}

static void list(void *user, struct api_request *request, kanal_str body)
{
    const struct api_channels *api = user;
    yyjson_doc *document = api_read_body(request, body);
    if (!document)
        return;
    struct kanal_buffer out = { 0 };
    struct kanal_json json;
    const struct channel **channels = calloc(api->host->channel_count + 1, sizeof *channels);
    yyjson_val *asked = yyjson_doc_get_root(document);
    int64_t limit = kanal_json_int_at(asked, "limit", PAGE_DEFAULT);
    kanal_json_init(&json, &out);
    if (channels)
        write_list(&json, api, channels, select_channels(api, asked, channels),
                   limit < 1          ? 1
                   : limit > PAGE_MAX ? PAGE_MAX
                                      : (size_t)limit);
    if (channels && !out.failed)
        api_answer(request, kanal_buffer_view(&out));
    else
        api_refuse(request, 503, "unavailable", KANAL_LIT("out of memory"), (kanal_str){ 0 });
    free(channels);
    kanal_buffer_release(&out);
    yyjson_doc_free(document);
}

static void get(void *user, struct api_request *request, kanal_str body)
{
    const struct api_channels *api = user;
    yyjson_doc *document = api_read_body(request, body);
    if (!document)
        return;
    const struct channel *channel =
        host_find(api->host, kanal_json_text_at(yyjson_doc_get_root(document), "id"));
    if (channel)
        answer_channel(request, api, channel, 1);
    else
        api_refuse(request, 404, "not_found", KANAL_LIT("there is no channel of that id"), (kanal_str){ 0 });
    yyjson_doc_free(document);
}

/* What a pause is kept as. */
static void write_pause(yyjson_val *asked, struct kanal_buffer *out)
{
    static const char *const members[] = { "until", "reason", "agent", NULL };
    yyjson_val *direction = kanal_json_at(asked, "direction");
    struct kanal_json json;
    kanal_json_init(&json, out);
    kanal_json_object(&json);
    kanal_json_key(&json, "direction");
    if (direction)
        kanal_json_value(&json, direction);
    else
        kanal_json_str(&json, KANAL_LIT("out"));
    for (const char *const *member = members; *member; member++) {
        if (!kanal_json_at(asked, *member))
            continue;
        kanal_json_key(&json, *member);
        kanal_json_value(&json, kanal_json_at(asked, *member));
    }
    kanal_json_object_end(&json);
}

static void ask(const struct api_channels *api, struct api_request *request, yyjson_val *asked,
                enum control_verb verb)
{
    struct pending *pending = calloc(1, sizeof *pending);
    yyjson_val *channel = kanal_json_at(asked, "channel");
    kanal_str id = kanal_json_text_at(channel ? channel : asked, "id");
    struct kanal_buffer paused = { 0 };
    size_t len = 0;
    char *text = channel ? yyjson_val_write(channel, 0, &len) : NULL;
    write_pause(asked, &paused);
    struct control_change change = { .verb = verb,
                                     .id = id,
                                     .channel = kanal_str_of(text, len),
                                     .paused = kanal_buffer_view(&paused),
                                     .file = kanal_json_text_at(asked, "file"),
                                     .revision = kanal_json_int_at(asked, "revision", -1) };
    if (pending) {
        *pending = (struct pending){ .api = api, .request = request };
        memcpy(pending->id, id.len < sizeof pending->id && id.ptr ? id.ptr : "",
               id.len < sizeof pending->id ? id.len : 0);
        control_change(api->control, &change, on_changed, pending);
    } else {
        api_refuse(request, 503, "unavailable", KANAL_LIT("out of memory"), (kanal_str){ 0 });
    }
    if (text)
        explicit_bzero(text, len); /* with secrets */
    free(text);
    kanal_buffer_release(&paused);
}

static void change(void *user, struct api_request *request, kanal_str body, enum control_verb verb)
{
    yyjson_doc *document = api_read_body(request, body);
    if (document)
        ask(user, request, yyjson_doc_get_root(document), verb);
    yyjson_doc_free(document);
}

static void add(void *user, struct api_request *request, kanal_str body)
{
    change(user, request, body, CONTROL_ADD);
}

static void change_channel(void *user, struct api_request *request, kanal_str body)
{
    change(user, request, body, CONTROL_CHANGE);
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
