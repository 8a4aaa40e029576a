#include "params.h"

#include "kanal/sdk/url.h"

void tw_params_release(struct tw_params *params)
{
    kanal_buffer_release(&params->text);
    params->count = 0;
}

/* The text's room was made before: what is added does not move. */
static kanal_status add(struct tw_params *params, kanal_str name, kanal_str value)
{
    size_t at = params->text.len;
    if (params->count == TW_PARAMS_MAX)
        return KANAL_E_INVALID;
    kanal_buffer_str(&params->text, name);
    kanal_buffer_str(&params->text, value);
    if (params->text.failed)
        return KANAL_E_INTERNAL;
    params->all[params->count++] = (struct tw_param){
        kanal_str_of(params->text.data + at, name.len),
        kanal_str_of(params->text.data + at + name.len, value.len),
    };
    return KANAL_OK;
}

kanal_status tw_params_read_form(struct tw_params *params, kanal_str form)
{
    struct kanal_buffer scratch = { 0 };
    kanal_str name, value;
    kanal_status status = KANAL_OK;
    int more = 0;
    tw_params_release(params);
    if (kanal_buffer_reserve(&params->text, form.len + 1) != 0)
        return KANAL_E_INTERNAL;
    while (status == KANAL_OK && (more = kanal_form_next(&form, &scratch, &name, &value)) == 1)
        status = add(params, name, value);
    kanal_buffer_release(&scratch);
    return more < 0 ? more : status;
}

/* A number as digits, a truth as its word. */
static kanal_str text_of(yyjson_val *value, char scratch[24])
{
    if (yyjson_is_bool(value))
        return kanal_str_c(yyjson_get_bool(value) ? "true" : "false");
    return kanal_json_id(value, scratch);
}

kanal_status tw_params_read_json(struct tw_params *params, yyjson_val *object)
{
    yyjson_val *key, *value;
    size_t index, max, bytes = 1;
    char scratch[24];
    kanal_status status = KANAL_OK;
    tw_params_release(params);
    if (!yyjson_is_obj(object))
        return KANAL_OK;
    yyjson_obj_foreach (object, index, max, key, value)
        bytes += yyjson_get_len(key) + kanal_json_text(value).len + sizeof scratch;
    if (kanal_buffer_reserve(&params->text, bytes) != 0)
        return KANAL_E_INTERNAL;
    yyjson_obj_foreach (object, index, max, key, value) {
        kanal_str name = kanal_json_text(key), text = text_of(value, scratch);
        if (text.ptr && name.len > 0 && status == KANAL_OK) {
            status = add(params, name, text);
            char *first = params->text.data + params->text.len - name.len - text.len;
            if (status == KANAL_OK && *first >= 'a' && *first <= 'z')
                *first = (char)(*first - 'a' + 'A');
        }
    }
    return status;
}

kanal_str tw_param(const struct tw_params *params, const char *name)
{
    for (size_t i = 0; i < params->count; i++)
        if (kanal_str_is(params->all[i].name, name))
            return params->all[i].value;
    return kanal_str_of(NULL, 0);
}

int64_t tw_param_int(const struct tw_params *params, const char *name, int64_t otherwise)
{
    int64_t number;
    return kanal_str_int(tw_param(params, name), &number) == 0 ? number : otherwise;
}
