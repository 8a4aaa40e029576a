#include "compose.h"

/* https://developers.facebook.com/docs/whatsapp/cloud-api/guides/send-message-templates. A template has the components header, body and
 * button (each button its own); the parameters of one component are given in order. */
#define LANGUAGE_MAX 16

struct template
{
    struct wa_outgoing *out;
    struct kanal_json *json;
    yyjson_val *parameters;
};

static kanal_status refuse(const struct template *template, const char *reason)
{
    return meta_refuse(&template->out->refusal, "invalid_content", reason);
}

/* ---- Parameters ---- */

static void member(const struct template *template, const char *type, const char *key, kanal_str value)
{
    kanal_json_member_text(template->json, "type", type);
    kanal_json_member_str(template->json, key, value);
}

/* A decimal number times 1000, without a float in between; -1: it is none. */
static int thousandths(kanal_str text, int64_t *ret_amount)
{
    size_t dot = 0;
    int64_t whole, fraction = 0;
    while (dot < text.len && text.ptr[dot] != '.')
        dot++;
    if (kanal_str_int(kanal_str_of(text.ptr, dot), &whole) != 0 || whole > INT32_MAX || whole < -INT32_MAX)
        return -1;
    kanal_str rest = kanal_str_from(text, dot + 1);
    for (size_t i = 0; i < 3; i++) {
        if (i < rest.len && (rest.ptr[i] < '0' || rest.ptr[i] > '9'))
            return -1;
        fraction = fraction * 10 + (i < rest.len ? rest.ptr[i] - '0' : 0);
    }
    *ret_amount = whole * 1000 + (text.ptr[0] == '-' ? -fraction : fraction);
    return 0;
}

static kanal_status write_amount(const struct template *template, yyjson_val *parameter)
{
    struct kanal_json *json = template->json;
    kanal_str value = kanal_json_text_at(parameter, "value"),
              code = kanal_json_text_at(parameter, "currency");
    struct kanal_buffer words = { 0 };
    int64_t amount;
    if (code.len != 3 || thousandths(value, &amount) != 0)
        return refuse(template, "an amount needs a decimal value and a currency");
    kanal_buffer_str(&words, value);
    kanal_buffer_byte(&words, ' ');
    kanal_buffer_str(&words, code);
    kanal_json_member_text(json, "type", "currency");
    kanal_json_key(json, "currency");
    kanal_json_object(json);
    kanal_json_member_str(json, "fallback_value", kanal_buffer_view(&words));
    kanal_json_member_str(json, "code", code);
    kanal_json_member_int(json, "amount_1000", amount);
    kanal_json_object_end(json);
    kanal_buffer_release(&words);
    return KANAL_OK;
}

static kanal_status write_time(const struct template *template, yyjson_val *parameter)
{
    struct kanal_json *json = template->json;
    kanal_json_member_text(json, "type", "date_time");
    kanal_json_key(json, "date_time");
    kanal_json_object(json);
    kanal_json_member_str(json, "fallback_value", kanal_json_text_at(parameter, "value"));
    kanal_json_object_end(json);
    return KANAL_OK;
}

static kanal_status write_media(const struct template *template, yyjson_val *parameter, const char *kind)
{
    struct kanal_json *json = template->json;
    kanal_str id = kanal_json_text_at(meta_options(parameter, "whatsapp"), "id");
    kanal_str url = kanal_json_text_at(parameter, "url");
    if (url.len == 0 && id.len == 0)
        return refuse(template, "a template's media need a url");
    kanal_json_member_text(json, "type", kind);
    kanal_json_key(json, kind);
    kanal_json_object(json);
    kanal_json_member_str(json, id.len > 0 ? "id" : "link", id.len > 0 ? id : url);
    if (strcmp(kind, "document") == 0)
        kanal_member_text_of(json, "filename", parameter, "filename", 240);
    kanal_json_object_end(json);
    return KANAL_OK;
}

static kanal_status write_location(const struct template *template, yyjson_val *parameter)
{
    struct kanal_json *json = template->json;
    yyjson_val *lat = kanal_json_at(parameter, "lat"), *lon = kanal_json_at(parameter, "lon");
    yyjson_val *options = meta_options(parameter, "whatsapp");
    kanal_json_member_text(json, "type", "location");
    kanal_json_key(json, "location");
    kanal_json_object(json);
    if (!yyjson_is_num(lat) || !yyjson_is_num(lon) ||
        wa_write_place(json, yyjson_get_num(lat), yyjson_get_num(lon), kanal_json_text_at(parameter, "value"),
                       kanal_json_text_at(options, "address")) != 0)
        return refuse(template, "a template's location needs lat and lon");
    kanal_json_object_end(json);
    return KANAL_OK;
}

static kanal_status write_value(const struct template *template, yyjson_val *parameter, int is_button)
{
    kanal_str kind = kanal_json_text_at(parameter, "kind"), value = kanal_json_text_at(parameter, "value");
    if (kanal_str_is(kind, "amount"))
        return write_amount(template, parameter);
    if (kanal_str_is(kind, "time"))
        return write_time(template, parameter);
    if (kanal_str_is(kind, "image") || kanal_str_is(kind, "video"))
        return write_media(template, parameter, kanal_str_is(kind, "image") ? "image" : "video");
    if (kanal_str_is(kind, "file"))
        return write_media(template, parameter, "document");
    if (kanal_str_is(kind, "location"))
        return write_location(template, parameter);
    if (!value.ptr)
        return refuse(template, "a template's parameter has no value");
    if (kanal_str_is(kind, "payload"))
        member(template, "payload", "payload", value);
    else if (kanal_str_is(kind, "code") && is_button)
        member(template, "coupon_code", "coupon_code", value);
    else
        member(template, "text", "text", value);
    return KANAL_OK;
}

static kanal_status write_parameter(const struct template *template, yyjson_val *parameter, int is_button)
{
    kanal_json_object(template->json);
    kanal_status status = write_value(template, parameter, is_button);
    kanal_member_text_of(template->json, "parameter_name", parameter, "name", 128);
    kanal_json_object_end(template->json);
    return status;
}

/* ---- Components ---- */

static int is_of(yyjson_val *parameter, const char *component)
{
    kanal_str told = kanal_json_text_at(parameter, "component");
    return kanal_str_is(told.len > 0 ? told : KANAL_LIT("body"), component);
}

static kanal_status write_component(const struct template *template, const char *component)
{
    struct kanal_json *json = template->json;
    yyjson_val *parameter;
    size_t index, max, count = 0;
    kanal_status status = KANAL_OK;
    yyjson_arr_foreach (template->parameters, index, max, parameter) {
        if (!is_of(parameter, component) || status != KANAL_OK)
            continue;
        if (count++ == 0) {
            kanal_json_object(json);
            kanal_json_member_text(json, "type", component);
            kanal_json_key(json, "parameters");
            kanal_json_array(json);
        }
        status = write_parameter(template, parameter, 0);
    }
    if (count > 0) {
        kanal_json_array_end(json);
        kanal_json_object_end(json);
    }
    return status;
}

static const char *sub_type_of(yyjson_val *parameter)
{
    kanal_str kind = kanal_json_text_at(parameter, "kind");
    return kanal_str_is(kind, "payload") ? "quick_reply" : kanal_str_is(kind, "code") ? "copy_code" : "url";
}

/* A button takes one parameter; without a number it is the next one. */
static kanal_status write_button(const struct template *template, yyjson_val *parameter, int64_t next)
{
    struct kanal_json *json = template->json;
    int64_t number = kanal_json_int_at(parameter, "button", next);
    kanal_json_object(json);
    kanal_json_member_text(json, "type", "button");
    kanal_json_member_text(json, "sub_type", sub_type_of(parameter));
    kanal_member_digits(json, "index", number);
    kanal_json_key(json, "parameters");
    kanal_json_array(json);
    kanal_status status = write_parameter(template, parameter, 1);
    kanal_json_array_end(json);
    kanal_json_object_end(json);
    return status;
}

static kanal_status write_components(const struct template *template)
{
    yyjson_val *parameter;
    size_t index, max;
    int64_t next = 0;
    kanal_json_key(template->json, "components");
    kanal_json_array(template->json);
    kanal_status status = write_component(template, "header");
    if (status == KANAL_OK)
        status = write_component(template, "body");
    yyjson_arr_foreach (template->parameters, index, max, parameter) {
        if (status == KANAL_OK && is_of(parameter, "footer"))
            status = refuse(template, "a template's footer has no parameters in WhatsApp");
        if (status == KANAL_OK && is_of(parameter, "button"))
            status = write_button(template, parameter, next++);
    }
    kanal_json_array_end(template->json);
    return status;
}

/* "en-GB" is "en_GB" at WhatsApp. */
static void write_language(struct kanal_json *json, kanal_str locale)
{
    char code[LANGUAGE_MAX];
    size_t n = locale.len < sizeof code ? locale.len : sizeof code - 1;
    for (size_t i = 0; i < n; i++)
        code[i] = (char)(locale.ptr[i] == '-' ? '_' : locale.ptr[i]);
    kanal_json_key(json, "language");
    kanal_json_object(json);
    kanal_json_member_str(json, "code", kanal_str_of(code, n));
    kanal_json_member_text(json, "policy", "deterministic"); /* the only one there is */
    kanal_json_object_end(json);
}

kanal_status wa_write_template(struct wa_outgoing *out, struct kanal_json *json, yyjson_val *part)
{
    struct template template = { out, json, kanal_json_at(part, "parameters") };
    yyjson_val *whole = kanal_json_at(meta_options(part, "whatsapp"), "components");
    kanal_str locale = kanal_json_text_at(part, "locale");
    kanal_status status = KANAL_OK;
    if (kanal_json_text_at(part, "name").len == 0)
        return refuse(&template, "the template has no name");
    if (locale.len == 0)
        return refuse(&template, "WhatsApp needs the template's locale");
    kanal_json_member_text(json, "type", "template");
    kanal_json_key(json, "template");
    kanal_json_object(json);
    kanal_member_text_of(json, "name", part, "name", 512);
    write_language(json, locale);
    if (yyjson_is_arr(whole)) /* carousels, one-time passwords: in WhatsApp's own words */
        kanal_member_copy(json, "components", whole);
    else if (yyjson_arr_size(template.parameters) > 0)
        status = write_components(&template);
    kanal_json_object_end(json);
    return status;
}
