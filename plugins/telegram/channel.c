#include "channel.h"

#include "api.h"
#include "kanal/sdk/url.h"

/* ---- Settings ---- */

static char *dup_json(yyjson_val *value)
{
    return value ? yyjson_val_write(value, 0, NULL) : NULL;
}

int tg_settings_read(struct tg_settings *settings, kanal_str json, const char **ret_error)
{
    memset(settings, 0, sizeof *settings);
    yyjson_doc *document = kanal_json_parse(json);
    yyjson_val *root = yyjson_doc_get_root(document);
    kanal_str mode = kanal_json_text_at(root, "mode"), media = kanal_json_text_at(root, "media");
    kanal_str api_url = kanal_json_text_at(root, "api_url");
    settings->is_polling = kanal_str_is(mode, "polling");
    settings->media = kanal_str_is(media, "url")      ? TG_MEDIA_URL
                      : kanal_str_is(media, "upload") ? TG_MEDIA_UPLOAD
                                                      : TG_MEDIA_AUTO;
    settings->drop_pending = kanal_json_bool_at(root, "drop_pending");
    settings->max_connections = kanal_json_int_at(root, "max_connections", 40);
    settings->poll_timeout_s = kanal_json_int_at(root, "poll_timeout", 50);
    kanal_status status = kanal_url_base(api_url, &settings->api_url);
    settings->allowed_updates = dup_json(kanal_json_at(root, "allowed_updates"));
    yyjson_doc_free(document);
    if (status == KANAL_E_INVALID) {
        *ret_error = "api_url is no http or https URL";
        return KANAL_E_INVALID;
    }
    if (!settings->api_url || !settings->allowed_updates) {
        *ret_error = "out of memory, or the defaults are not filled in";
        return KANAL_E_INTERNAL;
    }
    return 0;
}

void tg_settings_release(struct tg_settings *settings)
{
    free(settings->api_url);
    free(settings->allowed_updates);
    memset(settings, 0, sizeof *settings);
}

/* ---- Callback queries ---- */

static void on_callback_answered(void *user, const struct tg_reply *reply)
{
    struct kanal_channel *channel = user;
    if (!reply->is_ok)
        kanal_log(channel->host, 0, KANAL_LOG_DEBUG, "a callback query could not be answered",
                  reply->description);
}

void tg_answer_callback(struct kanal_channel *channel, kanal_op cause, kanal_str callback_id)
{
    struct kanal_buffer body = { 0 };
    struct kanal_json json;
    kanal_json_init(&json, &body);
    kanal_json_object(&json);
    kanal_json_member_str(&json, "callback_query_id", callback_id);
    kanal_json_object_end(&json);
    struct tg_request request = { .method = "answerCallbackQuery",
                                  .json = kanal_buffer_view(&body),
                                  .timeout_ms = 10000 };
    if (request.json.ptr)
        tg_api_call(channel, cause, &request, on_callback_answered, channel);
    kanal_buffer_release(&body);
}
