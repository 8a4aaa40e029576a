/* Telegram (https://core.telegram.org/bots/api): one bot, one channel. README.md tells how it is set up and
 * what is known of it. */
#include "api.h"
#include "channel.h"
#include "deliver.h"
#include "media.h"
#include "outcome.h"
#include "kanal/sdk/link.h"
#include "poll.h"

#define VERSION "1.0.0"
#define SELF_RETRY_MIN_MS 2000
#define SELF_RETRY_MAX_MS 300000

/* ---- The facts ---- */

static const char settings_schema[] =
    "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"
    "\"mode\":{\"enum\":[\"webhook\",\"polling\"],\"default\":\"webhook\","
    "\"description\":\"How updates come: Telegram calls us, or we ask Telegram.\"},"
    "\"api_url\":{\"type\":\"string\",\"format\":\"uri\",\"pattern\":\"^https?://\",\"maxLength\":512,"
    "\"default\":\"https://api.telegram.org\",\"description\":\"Base URL of the Bot API.\"},"
    "\"media\":{\"enum\":[\"auto\",\"url\",\"upload\"],\"default\":\"auto\","
    "\"description\":\"How media go out: Telegram fetches their URL, or Kanal uploads them; auto: by URL, "
    "then by upload.\"},"
    "\"allowed_updates\":{\"type\":\"array\",\"uniqueItems\":true,\"maxItems\":64,"
    "\"items\":{\"type\":\"string\",\"pattern\":\"^[a-z_]{1,64}$\"},"
    "\"default\":[\"message\",\"edited_message\",\"channel_post\",\"edited_channel_post\",\"callback_query\","
    "\"message_reaction\",\"my_chat_member\",\"business_message\",\"edited_business_message\",\"deleted_"
    "business_messages\"],"
    "\"description\":\"Kinds of updates that Telegram is asked for.\"},"
    "\"max_connections\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":100,\"default\":40,"
    "\"description\":\"Webhook: how many requests at once.\"},"
    "\"poll_timeout\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":50,\"default\":50,"
    "\"description\":\"Polling: seconds that Telegram holds back an empty answer.\"},"
    "\"drop_pending\":{\"type\":\"boolean\",\"default\":false,"
    "\"description\":\"At registration: forget what came before it.\"}}}";

static const kanal_limits limits = {
    .struct_size = sizeof limits,
    .text_chars = 4096,
    .caption_chars = 1024,
    .options = 100,
    .option_chars = 64,
    .payload_bytes = 64,
    .media_bytes = 50u * 1024 * 1024, /* uploads; photos 10 MB, by URL 20 MB */
    .per_second = 30,
    .per_recipient_minute = 60, /* groups: 20, which Telegram enforces by itself */
};

static const char *const egress[] = { "${setting:api_url}", NULL };

static const kanal_route routes[] = {
    { .method = "POST",
      .path = "/",
      .algorithm = "equal",
      .name = "x-telegram-bot-api-secret-token",
      .secret = "webhook",
      .where = KANAL_IN_HEADER,
      .max_body = 1024 * 1024 },
};

static const kanal_secret secrets[] = {
    { "token", "the bot's token, from @BotFather", KANAL_SECRET_REQUIRED },
    { "webhook",
      "mode webhook: any 1 to 256 of A-Z a-z 0-9 _ -, chosen by you; Telegram sends it with each update", 0 },
};

/* ---- Who we are ---- */

static void ask_self(void *user);

static void on_self(void *user, const struct tg_reply *reply)
{
    struct kanal_channel *channel = user;
    kanal_str username = kanal_json_text_at(reply->result, "username");
    kanal_status status = tg_status_of_reply(reply);
    if (status == KANAL_OK) {
        channel->self.id = kanal_json_int_at(reply->result, "id", 0);
        if (username.len < sizeof channel->self.username && username.len > 0)
            memcpy(channel->self.username, username.ptr, username.len);
        kanal_link_offer(channel->host, "https://t.me/", username, "?start={ref}");
        kanal_health_set(&channel->health, TG_ILL_TOKEN, KANAL_OK, kanal_str_of(NULL, 0));
        return;
    }
    if (status == KANAL_E_CANCELLED)
        return;
    kanal_log(channel->host, 0, status == KANAL_E_DENIED ? KANAL_LOG_ERROR : KANAL_LOG_WARN, "getMe failed",
              reply->description);
    if (status == KANAL_E_DENIED)
        kanal_health_set(&channel->health, TG_ILL_TOKEN, status, KANAL_LIT("Telegram refuses the token"));
    kanal_timer_set(
        &channel->self_timer, &channel->calls,
        kanal_backoff_ms(channel->host, channel->self_failures++, SELF_RETRY_MIN_MS, SELF_RETRY_MAX_MS),
        ask_self, channel);
}

/* The bot's name tells which messages of a group are for it; and the token is proved early. */
static void ask_self(void *user)
{
    struct kanal_channel *channel = user;
    struct tg_request request = { .method = "getMe" };
    tg_api_call(channel, 0, &request, on_self, channel);
}

/* ---- Life ---- */

static const void *extension(struct kanal_channel *channel, const char *id)
{
    (void)channel;
    return strcmp(id, KANAL_EXT_LEASE) == 0 ? &tg_poll_leases : NULL;
}

static void destroy(struct kanal_channel *channel)
{
    if (!channel)
        return;
    tg_poll_release(channel);
    tg_settings_release(&channel->settings);
    free(channel->id);
    free(channel);
}

static kanal_channel *create(const kanal_host *host, const kanal_config *config)
{
    const char *error = "out of memory";
    struct kanal_channel *channel = calloc(1, sizeof *channel);
    if (channel) {
        channel->host = host;
        kanal_calls_init(&channel->calls, host);
        kanal_health_init(&channel->health, host);
        channel->id = kanal_str_dup(config->channel_id);
    }
    if (channel && channel->id && tg_settings_read(&channel->settings, config->settings, &error) == 0)
        return channel;
    host->log(host, 0, KANAL_LOG_ERROR, kanal_str_c(error));
    destroy(channel);
    return NULL;
}

static void start(kanal_channel *channel, kanal_op op)
{
    ask_self(channel);
    if (channel->settings.is_polling)
        tg_poll_start(channel);
    channel->host->finish(channel->host, op, KANAL_OK, kanal_str_of(NULL, 0));
}

/* The poll ends at once; deliveries under way get some seconds to hear whether they arrived. */
static void stop(kanal_channel *channel, kanal_op op)
{
    tg_poll_stop(channel);
    kanal_timer_cancel(&channel->self_timer);
    kanal_calls_stop(&channel->calls, op);
}

/* ---- Registration ---- */

struct registration {
    struct kanal_channel *channel;
    kanal_op op;
};

static void on_registered(void *user, const struct tg_reply *reply)
{
    struct registration registration = *(struct registration *)user;
    const kanal_host *host = registration.channel->host;
    free(user);
    host->finish(host, registration.op, tg_status_of_reply(reply), reply->description);
}

static void write_webhook(struct kanal_buffer *body, const struct tg_settings *settings, kanal_str public_url)
{
    struct kanal_buffer url = { 0 };
    struct kanal_json json;
    kanal_buffer_str(&url, public_url);
    if (public_url.len > 0 && public_url.ptr[public_url.len - 1] != '/')
        kanal_buffer_byte(&url, '/');
    kanal_json_init(&json, body);
    kanal_json_object(&json);
    kanal_json_member_str(&json, "url", kanal_buffer_view(&url));
    kanal_json_key(&json, "allowed_updates");
    kanal_json_raw(&json, kanal_str_c(settings->allowed_updates));
    kanal_json_member_int(&json, "max_connections", settings->max_connections);
    if (settings->drop_pending)
        kanal_json_member_bool(&json, "drop_pending_updates", 1);
    kanal_json_object_end(&json);
    kanal_buffer_release(&url);
}

static void provision(kanal_channel *channel, kanal_op op, kanal_str public_url, int32_t wanted)
{
    struct registration *registration = malloc(sizeof *registration);
    struct kanal_buffer body = { 0 };
    struct tg_request request = { .method = "deleteWebhook" };
    struct kanal_call *call = NULL;
    if (wanted && !channel->settings.is_polling) {
        write_webhook(&body, &channel->settings, public_url);
        request.method = "setWebhook";
        request.with_webhook_secret = 1;
        request.json = kanal_buffer_view(&body);
    } else if (channel->settings.drop_pending) {
        request.json = KANAL_LIT("{\"drop_pending_updates\":true}");
    }
    if (registration && !body.failed) {
        *registration = (struct registration){ channel, op };
        call = tg_api_call(channel, op, &request, on_registered, registration);
    }
    if (!call) {
        free(registration);
        channel->host->finish(channel->host, op, KANAL_E_INTERNAL, KANAL_LIT("out of memory"));
    }
    kanal_buffer_release(&body);
}

/* ---- Webhook ---- */

static void respond(struct kanal_channel *channel, kanal_op op, int32_t code, const char *words)
{
    const kanal_field type = { KANAL_LIT("content-type"), KANAL_LIT("text/plain; charset=utf-8") };
    kanal_http_response response = { .struct_size = sizeof response,
                                     .code = code,
                                     .body = kanal_str_c(words) };
    if (words) {
        response.headers = &type;
        response.header_count = 1;
    }
    channel->host->respond(channel->host, op, &response);
}

/* Publishes what the update says. The host holds back the 200 until it is stored, and answers 503 otherwise:
 * then Telegram sends the update again. */
static void take_update(struct kanal_channel *channel, kanal_op op, const struct tg_batch *batch,
                        kanal_str raw)
{
    if (batch->events.count == 0) {
        kanal_log(channel->host, op, KANAL_LOG_WARN, "an update names neither a user nor a chat: no event",
                  batch->kind);
        kanal_count(channel->host, "updates_ignored");
        respond(channel, op, 200, NULL);
        return;
    }
    if (kanal_batch_publish(&batch->events, channel->host, op, raw, NULL, NULL) == 0) {
        respond(channel, op, 503, "out of memory");
        return;
    }
    if (batch->callback_id.len > 0)
        tg_answer_callback(channel, op, batch->callback_id);
    respond(channel, op, 200, NULL);
}

static void on_http(kanal_channel *channel, kanal_op op, const kanal_http_request *request)
{
    struct tg_batch batch;
    if (channel->settings.is_polling) {
        respond(channel, op, 404, "this channel polls; it has no webhook");
        return;
    }
    char memory[KANAL_JSON_MEMORY];
    yyjson_doc *document = kanal_json_parse_in(request->body, memory, sizeof memory);
    tg_batch_init(&batch, &channel->self, kanal_str_c(channel->id));
    kanal_status status = tg_update_read(&batch, yyjson_doc_get_root(document));
    if (status == KANAL_OK) {
        take_update(channel, op, &batch, request->body);
    } else {
        kanal_log(channel->host, op, KANAL_LOG_WARN,
                  status == KANAL_E_INVALID ? "the request is no Update" : "out of memory",
                  kanal_str_of(NULL, 0));
        kanal_count(channel->host, "updates_unreadable");
        respond(channel, op, status == KANAL_E_INVALID ? 400 : 503,
                status == KANAL_E_INVALID ? "expected an Update of the Bot API as JSON" : "out of memory");
    }
    tg_batch_release(&batch);
    yyjson_doc_free(document);
}

/* ---- The descriptor ---- */

static const kanal_plugin plugin = {
    .struct_size = sizeof plugin,
    .abi_minor = KANAL_ABI_MINOR,
    .id = "telegram",
    .name = "Telegram",
    .version = VERSION,
    .caps = KANAL_CAP_TEXT | KANAL_CAP_IMAGE | KANAL_CAP_VIDEO | KANAL_CAP_AUDIO | KANAL_CAP_VOICE |
            KANAL_CAP_FILE | KANAL_CAP_STICKER | KANAL_CAP_LOCATION | KANAL_CAP_CONTACT | KANAL_CAP_BUTTONS |
            KANAL_CAP_QUICK_REPLIES | KANAL_CAP_CAPTION | KANAL_CAP_MARKUP_HTML | KANAL_CAP_MARKUP_MARKDOWN |
            KANAL_CAP_CHOICE_ON_MEDIA | KANAL_CAP_EDIT | KANAL_CAP_DELETE | KANAL_CAP_REACT |
            KANAL_CAP_REPLY | KANAL_CAP_TYPING,
    .limits = &limits,
    .egress = egress,
    .routes = routes,
    .route_count = sizeof routes / sizeof *routes,
    .secrets = secrets,
    .secret_count = sizeof secrets / sizeof *secrets,
    .settings_schema = settings_schema,
    .create = create,
    .start = start,
    .provision = provision,
    .on_http = on_http,
    .deliver = tg_deliver,
    .media = tg_media,
    .stop = stop,
    .destroy = destroy,
    .extension = extension,
};

const kanal_plugin *kanal_plugin_v1(void)
{
    return &plugin;
}
