#include "channel.h"

static char *dup_trimmed(kanal_str url)
{
    while (url.len > 0 && url.ptr[url.len - 1] == '/')
        url.len--;
    return kanal_str_dup(url);
}

int vk_settings_read(struct vk_settings *settings, kanal_str json, const char **ret_error)
{
    memset(settings, 0, sizeof *settings);
    yyjson_doc *document = kanal_json_parse(json);
    yyjson_val *root = yyjson_doc_get_root(document);
    kanal_str api_url = kanal_json_text_at(root, "api_url");
    kanal_str confirmation = kanal_json_text_at(root, "confirmation");
    settings->group_id = kanal_json_int_at(root, "group_id", 0);
    settings->has_text_buttons = kanal_str_is(kanal_json_text_at(root, "buttons"), "text");
    settings->has_profiles = kanal_json_bool_at(root, "profiles");
    settings->api_url = dup_trimmed(api_url);
    settings->confirmation = confirmation.len > 0 ? kanal_str_dup(confirmation) : NULL;
    int is_http = kanal_str_starts(api_url, "http://") || kanal_str_starts(api_url, "https://");
    int is_complete = settings->api_url && (confirmation.len == 0 || settings->confirmation);
    yyjson_doc_free(document);
    if (!is_http || settings->group_id <= 0) {
        *ret_error =
            is_http ? "group_id is not the number of a community" : "api_url is no http or https URL";
        return KANAL_E_INVALID;
    }
    if (!is_complete) {
        *ret_error = "out of memory";
        return KANAL_E_INTERNAL;
    }
    return 0;
}

void vk_settings_release(struct vk_settings *settings)
{
    free(settings->api_url);
    free(settings->confirmation);
    memset(settings, 0, sizeof *settings);
}

void vk_channel_health(struct kanal_channel *channel, uint32_t ill, kanal_status status, kanal_str reason)
{
    uint32_t before = channel->ills;
    channel->ills = status == KANAL_OK ? before & ~ill : before | ill;
    if (channel->ills == before || (channel->ills != 0 && status == KANAL_OK))
        return;
    channel->host->health(channel->host, status, reason);
}

void vk_log(struct kanal_channel *channel, kanal_op cause, int32_t level, const char *text, kanal_str detail)
{
    struct kanal_buffer line = { 0 };
    kanal_buffer_text(&line, text);
    if (detail.len > 0)
        kanal_buffer_text(&line, ": ");
    kanal_buffer_str(&line, kanal_str_of(detail.ptr, detail.len < 512 ? detail.len : 512));
    if (!line.failed)
        channel->host->log(channel->host, cause, level, kanal_buffer_view(&line));
    kanal_buffer_release(&line);
}

void vk_count(struct kanal_channel *channel, const char *metric)
{
    channel->host->metric_add(channel->host, kanal_str_c(metric), 1, NULL, 0);
}
