#include "channel.h"

#include "kanal/sdk/url.h"

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
    int is_http = kanal_url_base(api_url, &settings->api_url) != KANAL_E_INVALID;
    settings->confirmation = confirmation.len > 0 ? kanal_str_dup(confirmation) : NULL;
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
