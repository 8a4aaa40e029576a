#include "settings.h"

/* clang-format off */
const char settings_schema[] =
    "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"
    "\"origins\":{\"type\":\"array\",\"maxItems\":256,\"default\":[],"
      "\"description\":\"Sites whose pages may send events: https://shop.example, https://*.shop.example, or * for any.\","
      "\"items\":" KANAL_ORIGIN_SCHEMA "},"
    "\"user_space\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":64,"
      "\"description\":\"Whose user ids these are: the first part of user:SPACE/ID. The same for a site and an app that share their accounts. "
      "Absent: the channel's id.\"},"
    "\"server_verifies\":{\"type\":\"array\",\"uniqueItems\":true,\"maxItems\":4,\"default\":[\"user_id\"],"
      "\"items\":{\"enum\":[\"user_id\",\"email\",\"phone\",\"anonymous_id\"]},"
      "\"description\":\"What counts as verified when it comes with the server's key. Everything else is a claim.\"},"
    "\"default_country\":{\"type\":\"string\",\"pattern\":\"^[A-Z]{2}$\",\"x-kanal-default\":\"identity.default_region\","
      "\"description\":\"Whose national phone numbers are understood.\"},"
    "\"rate_per_minute\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":60000,\"default\":600,"
      "\"description\":\"Requests of one network address with the pages' key; 0: any number.\"},"
    "\"rate_burst\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":10000,\"default\":200},"
    "\"keep_ip\":{\"type\":\"boolean\",\"default\":false,\"description\":\"Put the visitor's network address into events.\"}}}";
/* clang-format on */

static uint32_t read_verifies(yyjson_val *array)
{
    static const struct {
        const char *name;
        uint32_t bit;
    } names[] = { { "user_id", VERIFIES_USER_ID },
                  { "email", VERIFIES_EMAIL },
                  { "phone", VERIFIES_PHONE },
                  { "anonymous_id", VERIFIES_ANONYMOUS_ID } };
    uint32_t bits = 0;
    for (size_t i = 0; i < yyjson_arr_size(array); i++) {
        for (size_t k = 0; k < sizeof names / sizeof names[0]; k++) {
            if (kanal_str_is(kanal_json_text(yyjson_arr_get(array, i)), names[k].name))
                bits |= names[k].bit;
        }
    }
    return bits;
}

kanal_status settings_read(struct settings *settings, kanal_str json, kanal_str channel_id,
                           const char **ret_error)
{
    struct kanal_buffer space = { 0 };
    memset(settings, 0, sizeof *settings);
    *ret_error = "the settings cannot be read";
    settings->doc = kanal_json_parse(json);
    yyjson_val *root = yyjson_doc_get_root(settings->doc);
    if (root == NULL)
        return KANAL_E_INTERNAL;
    kanal_str user_space = kanal_json_text_at(root, "user_space");
    kanal_url_encode(&space, user_space.len > 0 ? user_space : channel_id);
    settings->user_space = kanal_str_dup(kanal_buffer_view(&space));
    kanal_buffer_release(&space);
    settings->origins = kanal_json_at(root, "origins");
    settings->verifies = read_verifies(kanal_json_at(root, "server_verifies"));
    settings->default_country = kanal_json_text_at(root, "default_country");
    settings->rate_per_minute = (uint32_t)kanal_json_int_at(root, "rate_per_minute", 600);
    settings->rate_burst = (uint32_t)kanal_json_int_at(root, "rate_burst", 200);
    settings->keep_ip = kanal_json_bool_at(root, "keep_ip");
    *ret_error = settings->user_space == NULL ? "out of memory" : NULL;
    return *ret_error ? KANAL_E_INTERNAL : KANAL_OK;
}

void settings_release(struct settings *settings)
{
    free(settings->user_space);
    yyjson_doc_free(settings->doc);
    memset(settings, 0, sizeof *settings);
}
