/* VK (https://dev.vk.com/ru/api/community-messages/getting-started): one community, one channel. README.md tells how it
 * is set up and what is known of it. */
#include <stdio.h>

#include "api.h"
#include "callback.h"
#include "channel.h"
#include "compose.h"
#include "content.h"
#include "deliver.h"
#include "kanal/sdk/link.h"
#include "kanal/sdk/url.h"
#include "outcome.h"
#include "profile.h"

#define VERSION "1.0.0"

/* ---- The facts ---- */

static const char settings_schema[] =
    "{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"group_id\"],\"properties\":{"
    "\"group_id\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":9007199254740991,"
    "\"description\":\"Number of the community.\"},"
    "\"confirmation\":{\"type\":\"string\",\"pattern\":\"^[A-Za-z0-9]{1,64}$\","
    "\"description\":\"What VK wants to be answered when the address is confirmed; absent: it is asked for "
    "(the token needs the right to manage the community).\"},"
    "\"api_url\":{\"type\":\"string\",\"format\":\"uri\",\"pattern\":\"^https?://\",\"maxLength\":512,"
    "\"default\":\"https://api.vk.com\",\"description\":\"Base URL of the API.\"},"
    "\"buttons\":{\"enum\":[\"callback\",\"text\"],\"default\":\"callback\","
    "\"description\":\"What a button below a message does: it tells us only, or it writes its text into the "
    "chat.\"},"
    "\"profiles\":{\"type\":\"boolean\",\"default\":true,"
    "\"description\":\"Ask for the name of who writes for the first time.\"}}}";

static const kanal_limits limits = {
    .struct_size = sizeof limits,
    .text_chars = 4096,
    .caption_chars = 4096,
    .options = 10, /* of a keyboard in a message */
    .option_chars = 40,
    .payload_bytes = 200, /* 255 characters, with what stands around it */
    .media_bytes = 50u * 1024 * 1024,
    .per_second = 20,
};

static const char *const egress[] = { "${setting:api_url}", "vk.com",       "*.vk.com",         "*.vk.ru",
                                      "*.userapi.com",      "*.vk-cdn.net", "*.vkuserphoto.ru", NULL };

/* The secret stands in the JSON body, where no route can look for it: host->verify() does. */
static const kanal_route routes[] = { { .method = "POST", .path = "/", .max_body = 1024 * 1024 } };

static const kanal_secret secrets[] = {
    { "token", "the community's access token, of Manage, API usage", KANAL_SECRET_REQUIRED },
    { "secret",
      "the secret key of the Callback API: any up to 50 letters and digits, chosen by you; VK sends it with "
      "each event",
      KANAL_SECRET_REQUIRED },
};

/* ---- Life ---- */

static void destroy(struct kanal_channel *channel)
{
    if (!channel)
        return;
    vk_settings_release(&channel->settings);
    free(channel->id);
    free(channel);
}

static kanal_channel *create(const kanal_host *host, const kanal_config *config)
{
    const char *error = "out of memory";
    struct kanal_channel *channel = calloc(1, sizeof *channel);
    if (channel) {
        channel->host = host;
        kanal_health_init(&channel->health, host);
        channel->id = kanal_str_dup(config->channel_id);
        kanal_calls_init(&channel->calls, host);
    }
    if (channel && channel->id && vk_settings_read(&channel->settings, config->settings, &error) == 0)
        return channel;
    host->log(host, 0, KANAL_LOG_ERROR, kanal_str_c(error));
    destroy(channel);
    return NULL;
}

/* By its short name, else by its number. */
static void offer_link(const struct kanal_channel *channel, kanal_str screen_name)
{
    char number[32];
    snprintf(number, sizeof number, "club%lld", (long long)channel->settings.group_id);
    kanal_link_offer(channel->host, "https://vk.me/", screen_name.len > 0 ? screen_name : kanal_str_c(number),
                     "?ref={ref}");
}

/* Whose the token is; the first answer proves it early. */
static void on_self(void *user, const struct vk_reply *reply)
{
    struct kanal_channel *channel = user;
    yyjson_val *groups = kanal_json_at(reply->response, "groups");
    yyjson_val *group = yyjson_arr_get_first(yyjson_is_arr(groups) ? groups : reply->response);
    int64_t id = kanal_json_int_at(group, "id", 0);
    if (reply->status == KANAL_E_CANCELLED)
        return;
    if (!reply->is_ok)
        kanal_log(channel->host, 0, KANAL_LOG_WARN, "groups.getById failed", reply->words);
    if (vk_status_of_reply(reply) == KANAL_E_DENIED)
        kanal_health_set(&channel->health, VK_ILL_TOKEN, KANAL_E_DENIED, KANAL_LIT("VK refuses the token"));
    else if (reply->is_ok && id != 0 && id != channel->settings.group_id)
        kanal_health_set(&channel->health, VK_ILL_TOKEN, KANAL_E_DENIED,
                         KANAL_LIT("the token is of another community than group_id"));
    else if (reply->is_ok)
        offer_link(channel, kanal_json_text_at(group, "screen_name"));
}

static void start(kanal_channel *channel, kanal_op op)
{
    struct vk_request request = { .method = "groups.getById" };
    vk_api_call(channel, 0, &request, on_self, channel);
    channel->host->finish(channel->host, op, KANAL_OK, kanal_str_of(NULL, 0));
}

static void stop(kanal_channel *channel, kanal_op op)
{
    kanal_calls_stop(&channel->calls, op);
}

/* ---- Callbacks ---- */

struct incoming { /* an event whose secret is being compared */
    struct kanal_channel *channel;
    kanal_op op;
    yyjson_doc *document;
    struct kanal_buffer raw;
};

static void incoming_free(struct incoming *incoming)
{
    if (!incoming)
        return;
    yyjson_doc_free(incoming->document);
    kanal_buffer_release(&incoming->raw);
    free(incoming);
}

static void respond(struct kanal_channel *channel, kanal_op op, int32_t code, kanal_str words)
{
    const kanal_field type = { KANAL_LIT("content-type"), KANAL_LIT("text/plain; charset=utf-8") };
    kanal_http_response response = {
        .struct_size = sizeof response, .code = code, .body = words, .headers = &type, .header_count = 1
    };
    channel->host->respond(channel->host, op, &response);
}

static void refuse(struct kanal_channel *channel, kanal_op op, int32_t code, const char *words)
{
    kanal_log(channel->host, op, KANAL_LOG_WARN, words, kanal_str_of(NULL, 0));
    kanal_count(channel->host, code == 401 || code == 403 ? "events_forged" : "events_unreadable");
    respond(channel, op, code, kanal_str_c(words));
}

struct code_question {
    struct kanal_channel *channel;
    kanal_op op;
};

static void on_code(void *user, const struct vk_reply *reply)
{
    struct code_question question = *(struct code_question *)user;
    kanal_str code = kanal_json_text_at(reply->response, "code");
    free(user);
    if (!reply->is_ok)
        kanal_log(question.channel->host, question.op, KANAL_LOG_ERROR,
                  "groups.getCallbackConfirmationCode failed; put the string that VK shows into the setting "
                  "confirmation",
                  reply->words);
    if (reply->is_ok && code.len > 0)
        respond(question.channel, question.op, 200, code);
    else
        respond(question.channel, question.op, 503, KANAL_LIT("the confirmation is not known"));
}

/* VK asks, once, whether the address is ours. */
static void confirm(struct kanal_channel *channel, kanal_op op)
{
    if (channel->settings.confirmation) {
        respond(channel, op, 200, kanal_str_c(channel->settings.confirmation));
        return;
    }
    struct code_question *question = malloc(sizeof *question);
    struct kanal_buffer form = { 0 };
    vk_form_int(&form, "group_id", channel->settings.group_id);
    struct vk_request request = { .method = "groups.getCallbackConfirmationCode",
                                  .form = kanal_buffer_view(&form),
                                  .timeout_ms = 10000 };
    if (question)
        *question = (struct code_question){ channel, op };
    if (!question || form.failed || vk_api_call(channel, op, &request, on_code, question) != KANAL_OK) {
        free(question);
        respond(channel, op, 503, KANAL_LIT("out of memory"));
    }
    kanal_buffer_release(&form);
}

static void on_press_answered(void *user, const struct vk_reply *reply)
{
    const struct kanal_channel *channel = user;
    if (!reply->is_ok)
        kanal_log(channel->host, 0, KANAL_LOG_DEBUG, "a pressed button could not be answered", reply->words);
}

/* Stops the spinner of a pressed button; nothing depends on it. */
static void answer_press(struct kanal_channel *channel, kanal_op cause, const struct vk_callback *callback)
{
    struct kanal_buffer form = { 0 };
    kanal_form_add(&form, "event_id", callback->press_id);
    vk_form_int(&form, "user_id", callback->press_user);
    vk_form_int(&form, "peer_id", callback->press_peer);
    struct vk_request request = { .method = "messages.sendMessageEventAnswer",
                                  .form = kanal_buffer_view(&form),
                                  .timeout_ms = 10000 };
    if (!form.failed)
        vk_api_call(channel, cause, &request, on_press_answered, channel);
    kanal_buffer_release(&form);
}

/* Publishes what the event says. The host holds back the "ok" until it is stored, and answers 503 otherwise: then VK
 * sends the event again. */
static void take_event(struct kanal_channel *channel, kanal_op op, const struct vk_callback *callback,
                       kanal_str raw)
{
    if (callback->batch.count == 0) {
        kanal_log(channel->host, op, KANAL_LOG_DEBUG, callback->why ? callback->why : "no event",
                  callback->type);
        kanal_count(channel->host, callback->is_echo ? "echoes_ignored" : "events_ignored");
        respond(channel, op, 200, KANAL_LIT("ok"));
        return;
    }
    if (kanal_batch_publish(&callback->batch, channel->host, op, raw, NULL, NULL) == 0) {
        respond(channel, op, 503, KANAL_LIT("out of memory"));
        return;
    }
    if (callback->press_id.len > 0 && callback->press_peer != 0)
        answer_press(channel, op, callback);
    vk_profile_see(channel, callback->person);
    respond(channel, op, 200, KANAL_LIT("ok"));
}

static void take(struct incoming *incoming)
{
    struct kanal_channel *channel = incoming->channel;
    const struct vk_us us = { .group_id = channel->settings.group_id,
                              .channel_id = kanal_str_c(channel->id) };
    yyjson_val *event = yyjson_doc_get_root(incoming->document);
    struct vk_callback callback;
    if (kanal_str_is(kanal_json_text_at(event, "type"), "confirmation")) {
        confirm(channel, incoming->op);
        return;
    }
    vk_callback_init(&callback, &us);
    kanal_status status = vk_callback_read(&callback, event, kanal_buffer_view(&incoming->raw));
    if (status == KANAL_OK)
        take_event(channel, incoming->op, &callback, kanal_buffer_view(&incoming->raw));
    else if (status == KANAL_E_INVALID)
        refuse(channel, incoming->op, 400, "the request is no event of the Callback API");
    else
        respond(channel, incoming->op, 503, KANAL_LIT("out of memory"));
    vk_callback_release(&callback);
}

static void on_verified(void *user, kanal_status status)
{
    struct incoming *incoming = user;
    struct kanal_channel *channel = incoming->channel;
    if (status == KANAL_OK)
        take(incoming);
    else if (status == KANAL_E_REJECTED)
        refuse(channel, incoming->op, 401, "the event's secret is another");
    else if (status == KANAL_E_NOT_FOUND)
        refuse(channel, incoming->op, 401, "the secret `secret` is not configured: every event is refused");
    else
        respond(channel, incoming->op, 503, KANAL_LIT("the secret could not be compared"));
    incoming_free(incoming);
    kanal_calls_let_go(&channel->calls);
}

static void verify(struct kanal_channel *channel, kanal_op op, yyjson_doc *document, kanal_str body,
                   kanal_str secret)
{
    struct incoming *incoming = calloc(1, sizeof *incoming);
    if (incoming)
        kanal_buffer_str(&incoming->raw, body);
    if (!incoming || incoming->raw.failed) {
        incoming_free(incoming);
        yyjson_doc_free(document);
        respond(channel, op, 503, KANAL_LIT("out of memory"));
        return;
    }
    incoming->channel = channel;
    incoming->op = op;
    incoming->document = document;
    kanal_calls_hold(&channel->calls);
    channel->host->verify(channel->host, KANAL_LIT("secret"), KANAL_LIT("equal"), kanal_str_of(NULL, 0),
                          secret, on_verified, incoming);
}

static void on_http(kanal_channel *channel, kanal_op op, const kanal_http_request *request)
{
    yyjson_doc *document = kanal_json_parse(request->body);
    yyjson_val *event = yyjson_doc_get_root(document);
    kanal_str type = kanal_json_text_at(event, "type"), secret = kanal_json_text_at(event, "secret");
    if (type.len == 0) {
        refuse(channel, op, 400, "the request is no event of the Callback API");
    } else if (kanal_json_int_at(event, "group_id", 0) != channel->settings.group_id) {
        refuse(channel, op, 403, "the event is of another community than group_id");
    } else if (secret.len > 0) {
        verify(channel, op, document, request->body, secret);
        return;
    } else if (kanal_str_is(type, "confirmation")) {
        confirm(
            channel,
            op); /* VK may ask before the secret was entered; what is answered is worth nothing to others */
    } else {
        refuse(channel, op, 401, "the event has no secret: enter it as the secret key of the Callback API");
    }
    yyjson_doc_free(document);
}

/* ---- Media ---- */

/* VK's files have URLs of their own, without a token. */
static void media(kanal_channel *channel, kanal_op op, kanal_str reference)
{
    kanal_http_request request = { .struct_size = sizeof request,
                                   .method = KANAL_LIT("GET"),
                                   .url = reference };
    if (vk_is_reference(reference))
        channel->host->locate(channel->host, op, KANAL_OK, &request);
    else
        channel->host->locate(channel->host, op, KANAL_E_NOT_FOUND, NULL);
}

/* ---- The descriptor ---- */

static const kanal_plugin plugin = {
    .struct_size = sizeof plugin,
    .abi_minor = KANAL_ABI_MINOR,
    .id = "vk",
    .name = "VK",
    .version = VERSION,
    .caps = KANAL_CAP_TEXT | KANAL_CAP_IMAGE | KANAL_CAP_VIDEO | KANAL_CAP_VOICE | KANAL_CAP_FILE |
            KANAL_CAP_STICKER | KANAL_CAP_LOCATION | KANAL_CAP_BUTTONS | KANAL_CAP_QUICK_REPLIES |
            KANAL_CAP_CARD | KANAL_CAP_CAROUSEL | KANAL_CAP_CAPTION | KANAL_CAP_CHOICE_ON_MEDIA |
            KANAL_CAP_EDIT | KANAL_CAP_DELETE | KANAL_CAP_REACT | KANAL_CAP_REPLY | KANAL_CAP_TYPING |
            KANAL_CAP_READ | KANAL_CAP_READ_RECEIPT | KANAL_CAP_IDEMPOTENT,
    .limits = &limits,
    .egress = egress,
    .routes = routes,
    .route_count = sizeof routes / sizeof *routes,
    .secrets = secrets,
    .secret_count = sizeof secrets / sizeof *secrets,
    .settings_schema = settings_schema,
    .create = create,
    .start = start,
    .on_http = on_http,
    .deliver = vk_deliver,
    .media = media,
    .stop = stop,
    .destroy = destroy,
};

const kanal_plugin *kanal_plugin_v1(void)
{
    return &plugin;
}
