#include "channel.h"

#include "kanal/sdk/member.h"
#include "kanal/sdk/url.h"

/* A text of the settings that may be missing. 0: out of memory. */
static int take(char **out, yyjson_val *root, const char *name)
{
    kanal_str text = kanal_json_text_at(root, name);
    *out = text.len > 0 ? kanal_str_dup(text) : NULL;
    return text.len == 0 || *out;
}

int viber_settings_read(struct viber_settings *settings, kanal_str json, const char **ret_error)
{
    memset(settings, 0, sizeof *settings);
    yyjson_doc *document = kanal_json_parse(json);
    yyjson_val *root = yyjson_doc_get_root(document);
    kanal_str api_url = kanal_json_text_at(root, "api_url");
    kanal_status status = kanal_url_base(api_url, &settings->api_url);
    int is_complete = settings->api_url && take(&settings->sender_name, root, "sender_name") &&
                      take(&settings->sender_avatar, root, "sender_avatar") &&
                      take(&settings->welcome, root, "welcome");
    yyjson_doc_free(document);
    if (status == KANAL_E_INVALID) {
        *ret_error = "api_url is no http or https URL";
        return KANAL_E_INVALID;
    }
    if (!is_complete) {
        *ret_error = "out of memory";
        return KANAL_E_INTERNAL;
    }
    return 0;
}

void viber_settings_release(struct viber_settings *settings)
{
    free(settings->api_url);
    free(settings->sender_name);
    free(settings->sender_avatar);
    free(settings->welcome);
    memset(settings, 0, sizeof *settings);
}

int viber_account_read(struct viber_account *account, yyjson_val *told)
{
    kanal_str id = kanal_json_text_at(told, "id");
    kanal_str name = kanal_str_cut(kanal_json_text_at(told, "name"), VIBER_NAME_CHARS_MAX);
    if (id.len == 0 || id.len > VIBER_ACCOUNT_BYTES_MAX || !kanal_str_ascii(id) ||
        name.len >= sizeof account->name)
        return KANAL_E_INVALID;
    memset(account, 0, sizeof *account);
    memcpy(account->id, id.ptr, id.len);
    if (name.len > 0)
        memcpy(account->name, name.ptr, name.len);
    kanal_str_keep(account->uri, sizeof account->uri, kanal_json_text_at(told, "uri"));
    return 0;
}

void viber_account_write(const struct viber_account *account, struct kanal_buffer *out)
{
    struct kanal_json json;
    kanal_json_init(&json, out);
    kanal_json_object(&json);
    kanal_json_member_text(&json, "id", account->id);
    kanal_json_member_text(&json, "name", account->name);
    kanal_json_member_text(&json, "uri", account->uri);
    kanal_json_object_end(&json);
}
