/* Viber (https://developers.viber.com/docs/api/rest-bot-api/): one bot, one channel. README.md tells how it is set up and
 * what is known of it. */
#include "api.h"
#include "callback.h"
#include "channel.h"
#include "content.h"
#include "deliver.h"
#include "kanal/sdk/link.h"
#include "kanal/sdk/url.h"
#include "outcome.h"

#define VERSION "1.0.0"
#define ACCOUNT_KEY "account"
#define ACCOUNT_TIMEOUT_MS 10000

/* ---- The facts ---- */

static const char settings_schema[] =
    "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"
    "\"api_url\":{\"type\":\"string\",\"format\":\"uri\",\"pattern\":\"^https?://\",\"maxLength\":512,"
    "\"default\":\"https://chatapi.viber.com/pa\",\"description\":\"Base URL of the REST Bot API.\"},"
    "\"sender_name\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":28,"
    "\"description\":\"Name shown with what is sent; absent: the bot's own.\"},"
    "\"sender_avatar\":{\"type\":\"string\",\"format\":\"uri\",\"pattern\":\"^https://\",\"maxLength\":1024,"
    "\"description\":\"Picture shown with what is sent: JPEG, 720 pixels wide, at most 100 KB.\"},"
    "\"welcome\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":7000,"
    "\"description\":\"Text that greets who opens the chat and has not subscribed; absent: nobody is "
    "greeted.\"}}}";

static const kanal_limits limits = {
    .struct_size = sizeof limits,
    .text_chars = 7000,
    .caption_chars = 768,
    .options = 24,
    .option_chars = 250,
    .payload_bytes = 250,
    .media_bytes = 26u * 1024 * 1024, /* films; files 50 MB, pictures 1 MB on telephones */
};

static const char *const egress[] = { "${setting:api_url}", "*.viber.com", NULL };

static const kanal_route routes[] = {
    { .method = "POST",
      .path = "/",
      .algorithm = "hmac-sha256",
      .name = "x-viber-content-signature",
      .encoding = "hex",
      .secret = "token",
      .where = KANAL_IN_HEADER,
      .max_body = 1024 * 1024 },
};

static const kanal_secret secrets[] = {
    { "token", "the bot's authentication token, from the Viber Admin Panel; it signs callbacks too",
      KANAL_SECRET_REQUIRED },
};

/* ---- Life ---- */

static void destroy(struct kanal_channel *channel)
{
    if (!channel)
        return;
    viber_settings_release(&channel->settings);
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
    if (channel && channel->id && viber_settings_read(&channel->settings, config->settings, &error) == 0)
        return channel;
    host->log(host, 0, KANAL_LOG_ERROR, kanal_str_c(error));
    destroy(channel);
    return NULL;
}

static void finish_start(struct kanal_channel *channel, kanal_status status, kanal_str reason)
{
    kanal_op op = channel->starting;
    channel->starting = 0;
    if (op != 0)
        channel->host->finish(channel->host, op, status, reason);
}

static void on_account_stored(void *user, kanal_status status, kanal_str value, uint64_t revision)
{
    struct kanal_channel *channel = user;
    (void)value, (void)revision;
    if (status != KANAL_OK && status != KANAL_E_CANCELLED)
        kanal_log(channel->host, 0, KANAL_LOG_WARN,
                  "the account's id could not be stored: a start needs Viber", kanal_str_of(NULL, 0));
    kanal_calls_let_go(&channel->calls);
}

static void store_account(struct kanal_channel *channel)
{
    struct kanal_buffer text = { 0 };
    viber_account_write(&channel->account, &text);
    if (!text.failed) {
        kanal_calls_hold(&channel->calls);
        channel->host->state_put(channel->host, KANAL_LIT(ACCOUNT_KEY), kanal_buffer_view(&text), UINT64_MAX,
                                 on_account_stored, channel);
    }
    kanal_buffer_release(&text);
}

static void offer_link(const struct kanal_channel *channel)
{
    kanal_link_offer(channel->host, "viber://pa?chatURI=", kanal_str_c(channel->account.uri),
                     "&context={ref}");
}

/* Whose the token is; the first answer proves it early. */
static void on_account(void *user, const struct viber_reply *reply)
{
    struct kanal_channel *channel = user;
    struct viber_account account;
    kanal_status status = viber_status_of_reply(reply);
    if (status == KANAL_OK && viber_account_read(&account, reply->root) != 0)
        status = KANAL_E_REJECTED;
    if (status != KANAL_OK) {
        kanal_log(channel->host, 0, KANAL_LOG_WARN, "get_account_info failed", reply->words);
        if (channel->starting == 0 && status == KANAL_E_DENIED)
            kanal_health_set(&channel->health, VIBER_ILL_TOKEN, status, KANAL_LIT("Viber refuses the token"));
        finish_start(channel, status,
                     reply->words.len > 0 ? reply->words : KANAL_LIT("get_account_info told no account"));
        return;
    }
    int is_other = strcmp(account.id, channel->account.id) != 0 ||
                   strcmp(account.name, channel->account.name) != 0 ||
                   strcmp(account.uri, channel->account.uri) != 0;
    channel->account = account;
    offer_link(channel);
    if (is_other)
        store_account(channel);
    finish_start(channel, KANAL_OK, kanal_str_of(NULL, 0));
}

static void ask_account(struct kanal_channel *channel)
{
    if (viber_api_call(channel, 0, "get_account_info", KANAL_LIT("{}"), ACCOUNT_TIMEOUT_MS, on_account,
                       channel) != KANAL_OK)
        finish_start(channel, KANAL_E_INTERNAL, KANAL_LIT("out of memory"));
}

/* Without the account's id no address can be told; it is kept, so that a start does not need Viber. */
static void on_account_loaded(void *user, kanal_status status, kanal_str value, uint64_t revision)
{
    struct kanal_channel *channel = user;
    (void)revision;
    if (status == KANAL_OK) {
        yyjson_doc *document = kanal_json_parse(value);
        if (viber_account_read(&channel->account, yyjson_doc_get_root(document)) == 0) {
            offer_link(channel);
            finish_start(channel, KANAL_OK, kanal_str_of(NULL, 0));
        }
        yyjson_doc_free(document);
    }
    if (status == KANAL_E_CANCELLED)
        finish_start(channel, status, KANAL_LIT("stopped"));
    else
        ask_account(channel);
    kanal_calls_let_go(&channel->calls);
}

static void start(kanal_channel *channel, kanal_op op)
{
    channel->starting = op;
    kanal_calls_hold(&channel->calls);
    channel->host->state_get(channel->host, KANAL_LIT(ACCOUNT_KEY), on_account_loaded, channel);
}

static void stop(kanal_channel *channel, kanal_op op)
{
    kanal_calls_stop(&channel->calls, op);
}

/* ---- Registration ---- */

struct registration {
    struct kanal_channel *channel;
    kanal_op op;
};

static void on_registered(void *user, const struct viber_reply *reply)
{
    struct registration registration = *(struct registration *)user;
    const kanal_host *host = registration.channel->host;
    free(user);
    host->finish(host, registration.op, viber_status_of_reply(reply), reply->words);
}

static void write_webhook(struct kanal_buffer *body, kanal_str public_url, int32_t wanted)
{
    static const char *const events[] = { "delivered",  "seen",         "failed",
                                          "subscribed", "unsubscribed", "conversation_started" };
    struct kanal_buffer url = { 0 };
    struct kanal_json json;
    if (wanted)
        kanal_buffer_str(&url, public_url);
    if (wanted && public_url.len > 0 && public_url.ptr[public_url.len - 1] != '/')
        kanal_buffer_byte(&url, '/');
    kanal_json_init(&json, body);
    kanal_json_object(&json);
    kanal_json_member_str(&json, "url", url.len > 0 ? kanal_buffer_view(&url) : KANAL_LIT(""));
    if (wanted) {
        kanal_json_key(&json, "event_types");
        kanal_json_array(&json);
        for (size_t i = 0; i < sizeof events / sizeof *events; i++)
            kanal_json_str(&json, kanal_str_c(events[i]));
        kanal_json_array_end(&json);
        kanal_json_member_bool(&json, "send_name", 1);
        kanal_json_member_bool(&json, "send_photo", 1);
    }
    kanal_json_object_end(&json);
    kanal_buffer_release(&url);
}

/* Viber calls back before it answers; on_http() takes that as any other callback. */
static void provision(kanal_channel *channel, kanal_op op, kanal_str public_url, int32_t wanted)
{
    struct registration *registration = malloc(sizeof *registration);
    struct kanal_buffer body = { 0 };
    kanal_status status = KANAL_E_INTERNAL;
    write_webhook(&body, public_url, wanted);
    if (registration) {
        *registration = (struct registration){ channel, op };
        status = viber_api_call(channel, op, "set_webhook", kanal_buffer_view(&body), 0, on_registered,
                                registration);
    }
    if (status != KANAL_OK) {
        free(registration);
        channel->host->finish(channel->host, op, KANAL_E_INTERNAL, KANAL_LIT("out of memory"));
    }
    kanal_buffer_release(&body);
}

/* ---- Callbacks ---- */

static void respond(struct kanal_channel *channel, kanal_op op, int32_t code, kanal_str body,
                    const char *type)
{
    const kanal_field header = { KANAL_LIT("content-type"), kanal_str_c(type) };
    kanal_http_response response = { .struct_size = sizeof response, .code = code, .body = body };
    if (body.len > 0) {
        response.headers = &header;
        response.header_count = 1;
    }
    channel->host->respond(channel->host, op, &response);
}

static void respond_words(struct kanal_channel *channel, kanal_op op, int32_t code, const char *words)
{
    respond(channel, op, code, kanal_str_c(words), "text/plain; charset=utf-8");
}

/* Who opens the chat may be greeted in the answer itself, once, without having subscribed. */
static void welcome(struct kanal_channel *channel, kanal_op op)
{
    struct viber_wish wish = { 0 };
    struct kanal_buffer body = { 0 };
    viber_wish_sender(&wish, channel);
    viber_compose_welcome(&body, &wish, kanal_str_c(channel->settings.welcome));
    respond(channel, op, 200, kanal_buffer_view(&body), "application/json");
    kanal_buffer_release(&body);
}

/* Publishes what the callback says. The host holds back the 200 until it is stored, and answers 503 otherwise: then
 * Viber sends the callback again. */
static void take(struct kanal_channel *channel, kanal_op op, const struct viber_callback *callback,
                 kanal_str raw)
{
    if (callback->batch.count == 0) {
        kanal_log(channel->host, op, KANAL_LOG_DEBUG, callback->why ? callback->why : "no event",
                  callback->event);
        if (!kanal_str_is(callback->event, "webhook"))
            kanal_count(channel->host, "events_ignored");
        respond_words(channel, op, 200, NULL);
    } else if (kanal_batch_publish(&callback->batch, channel->host, op, raw, NULL, NULL) == 0) {
        respond_words(channel, op, 503, "out of memory");
    } else if (callback->wants_welcome && channel->settings.welcome) {
        welcome(channel, op);
    } else {
        respond_words(channel, op, 200, NULL);
    }
}

static void on_http(kanal_channel *channel, kanal_op op, const kanal_http_request *request)
{
    const struct viber_us us = { .account = channel->account.id, .channel_id = kanal_str_c(channel->id) };
    char memory[KANAL_JSON_MEMORY];
    struct viber_callback callback;
    yyjson_doc *document = kanal_json_parse_in(request->body, memory, sizeof memory);
    yyjson_val *root = yyjson_doc_get_root(document);
    viber_callback_init(&callback, &us);
    if (channel->account.id[0] == 0 && !kanal_str_is(kanal_json_text_at(root, "event"), "webhook")) {
        respond_words(channel, op, 503, "the account is not known yet");
    } else {
        kanal_status status = viber_callback_read(&callback, root, request->body);
        if (status == KANAL_OK) {
            take(channel, op, &callback, request->body);
        } else {
            kanal_log(channel->host, op, KANAL_LOG_WARN,
                      status == KANAL_E_INVALID ? "the request is no callback" : "out of memory",
                      kanal_str_of(NULL, 0));
            kanal_count(channel->host, "events_unreadable");
            respond_words(channel, op, status == KANAL_E_INVALID ? 400 : 503,
                          status == KANAL_E_INVALID ? "expected a callback of Viber as JSON"
                                                    : "out of memory");
        }
    }
    viber_callback_release(&callback);
    yyjson_doc_free(document);
}

/* ---- Media ---- */

/* Viber's files have URLs of their own, without a token, for an hour. */
static void media(kanal_channel *channel, kanal_op op, kanal_str reference)
{
    kanal_http_request request = { .struct_size = sizeof request,
                                   .method = KANAL_LIT("GET"),
                                   .url = reference };
    if (kanal_url_is_fetchable(reference, VIBER_REFERENCE_BYTES_MAX))
        channel->host->locate(channel->host, op, KANAL_OK, &request);
    else
        channel->host->locate(channel->host, op, KANAL_E_NOT_FOUND, NULL);
}

/* ---- The descriptor ---- */

static const kanal_plugin plugin = {
    .struct_size = sizeof plugin,
    .abi_minor = KANAL_ABI_MINOR,
    .id = "viber",
    .name = "Viber",
    .version = VERSION,
    .caps = KANAL_CAP_TEXT | KANAL_CAP_IMAGE | KANAL_CAP_VIDEO | KANAL_CAP_FILE | KANAL_CAP_STICKER |
            KANAL_CAP_LOCATION | KANAL_CAP_CONTACT | KANAL_CAP_BUTTONS | KANAL_CAP_QUICK_REPLIES |
            KANAL_CAP_CARD | KANAL_CAP_CAROUSEL | KANAL_CAP_CAPTION | KANAL_CAP_CHOICE_ON_MEDIA |
            KANAL_CAP_DELIVERED_RECEIPT | KANAL_CAP_READ_RECEIPT,
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
    .deliver = viber_deliver,
    .media = media,
    .stop = stop,
    .destroy = destroy,
};

const kanal_plugin *kanal_plugin_v1(void)
{
    return &plugin;
}
