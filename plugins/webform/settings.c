#include "settings.h"

const char *const field_type_names[FIELD_TYPES] = { "text",   "textarea", "email",    "tel",
                                                    "number", "date",     "time",     "url",
                                                    "select", "radio",    "checkbox", "hidden" };

#define STRING(max) "{\"type\":\"string\",\"minLength\":1,\"maxLength\":" #max "}"

/* clang-format off */
const char settings_schema[] =
    "{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"forms\"],\"properties\":{"
    "\"origins\":{\"type\":\"array\",\"maxItems\":256,\"default\":[],"
      "\"description\":\"Sites whose pages may use the forms: https://shop.example, https://*.shop.example, or * for any.\","
      "\"items\":" KANAL_ORIGIN_SCHEMA "},"
    "\"forms\":{\"type\":\"array\",\"minItems\":1,\"maxItems\":64,\"items\":{"
      "\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"id\",\"fields\"],\"properties\":{"
      "\"id\":{\"type\":\"string\",\"pattern\":\"^[A-Za-z0-9_-]{1,64}$\"},"
      "\"name\":" STRING(256) ","
      "\"fields\":{\"type\":\"array\",\"maxItems\":64,\"items\":{"
        "\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"name\"],\"properties\":{"
        "\"name\":" STRING(128) ","
        "\"label\":" STRING(512) ","
        "\"type\":{\"enum\":[\"text\",\"textarea\",\"email\",\"tel\",\"number\",\"date\",\"time\",\"url\",\"select\",\"radio\","
          "\"checkbox\",\"hidden\"],\"default\":\"text\"},"
        "\"required\":{\"type\":\"boolean\",\"default\":false},"
        "\"multiple\":{\"type\":\"boolean\",\"description\":\"Several values; of checkboxes with options always.\"},"
        "\"max_length\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":60000,"
          "\"description\":\"Characters of one value; 5000 for textarea, else 1000.\"},"
        "\"options\":{\"type\":\"array\",\"minItems\":1,\"maxItems\":256,\"items\":" STRING(1000) ","
          "\"description\":\"The only values of select, radio and checkbox.\"}}}},"
      "\"consents\":{\"type\":\"array\",\"maxItems\":16,\"items\":{"
        "\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"purpose\"],\"properties\":{"
        "\"purpose\":{\"type\":\"string\",\"pattern\":\"^[a-z][a-z0-9_.-]{0,63}$\"},"
        "\"text\":" STRING(4096) ","
        "\"version\":" STRING(64) ","
        "\"required\":{\"type\":\"boolean\",\"default\":false}}}}}}},"
    "\"undeclared_fields\":{\"enum\":[\"drop\",\"keep\",\"reject\"],\"default\":\"drop\"},"
    "\"honeypot\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":128,"
      "\"description\":\"A field that people do not see; whoever fills it in is answered and forgotten.\"},"
    "\"token\":{\"enum\":[\"optional\",\"required\",\"off\"],\"default\":\"optional\","
      "\"description\":\"The token of GET /token against double and blind submits.\"},"
    "\"token_life_s\":{\"type\":\"integer\",\"minimum\":60,\"maximum\":86400,\"default\":7200},"
    "\"rate_per_minute\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":6000,\"default\":10,"
      "\"description\":\"Submits of one network address; 0: any number.\"},"
    "\"rate_burst\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":1000,\"default\":5},"
    "\"thanks_url\":{\"type\":\"string\",\"maxLength\":2048,\"pattern\":\"^https?://\","
      "\"description\":\"Where a browser that submits without a script is sent to.\"},"
    "\"default_country\":{\"type\":\"string\",\"pattern\":\"^[A-Z]{2}$\",\"x-kanal-default\":\"identity.default_region\","
      "\"description\":\"Whose national phone numbers are understood.\"},"
    "\"keep_ip\":{\"type\":\"boolean\",\"default\":false,\"description\":\"Put the visitor's network address into events.\"}}}";
/* clang-format on */

/* ---- Reading ---- */

static enum field_type read_type(yyjson_val *field)
{
    kanal_str name = kanal_json_text_at(field, "type");
    for (int i = 0; i < FIELD_TYPES; i++) {
        if (kanal_str_is(name, field_type_names[i]))
            return (enum field_type)i;
    }
    return FIELD_TEXT;
}

static void read_field(struct form_field *field, yyjson_val *object)
{
    field->name = kanal_json_text_at(object, "name");
    field->label = kanal_json_text_at(object, "label");
    field->type = read_type(object);
    field->required = kanal_json_bool_at(object, "required");
    field->options = kanal_json_at(object, "options");
    field->multiple =
        kanal_json_bool_at(object, "multiple") || (field->type == FIELD_CHECKBOX && field->options != NULL);
    field->max_length =
        (size_t)kanal_json_int_at(object, "max_length", field->type == FIELD_TEXTAREA ? 5000 : 1000);
}

static kanal_status read_fields(struct form *form, yyjson_val *array)
{
    form->fields = calloc(yyjson_arr_size(array) + 1, sizeof *form->fields);
    if (form->fields == NULL)
        return KANAL_E_INTERNAL;
    for (; form->field_count < yyjson_arr_size(array); form->field_count++)
        read_field(&form->fields[form->field_count], yyjson_arr_get(array, form->field_count));
    return KANAL_OK;
}

static kanal_status read_consents(struct form *form, yyjson_val *array)
{
    form->consents = calloc(yyjson_arr_size(array) + 1, sizeof *form->consents);
    if (form->consents == NULL)
        return KANAL_E_INTERNAL;
    for (; form->consent_count < yyjson_arr_size(array); form->consent_count++) {
        yyjson_val *object = yyjson_arr_get(array, form->consent_count);
        form->consents[form->consent_count] =
            (struct form_consent){ .purpose = kanal_json_text_at(object, "purpose"),
                                   .text = kanal_json_text_at(object, "text"),
                                   .version = kanal_json_text_at(object, "version"),
                                   .required = kanal_json_bool_at(object, "required") };
    }
    return KANAL_OK;
}

static kanal_status read_forms(struct settings *settings, yyjson_val *array)
{
    settings->forms = calloc(yyjson_arr_size(array) + 1, sizeof *settings->forms);
    if (settings->forms == NULL)
        return KANAL_E_INTERNAL;
    for (; settings->form_count < yyjson_arr_size(array); settings->form_count++) {
        yyjson_val *object = yyjson_arr_get(array, settings->form_count);
        struct form *form = &settings->forms[settings->form_count];
        form->id = kanal_json_text_at(object, "id");
        form->name = kanal_json_text_at(object, "name");
        if (read_fields(form, kanal_json_at(object, "fields")) != KANAL_OK ||
            read_consents(form, kanal_json_at(object, "consents")) != KANAL_OK)
            return KANAL_E_INTERNAL;
    }
    return KANAL_OK;
}

/* What a schema cannot say. */
static const char *find_contradiction(const struct settings *settings)
{
    for (size_t i = 0; i < settings->form_count; i++) {
        const struct form *form = &settings->forms[i];
        if (settings_form(settings, form->id) != form)
            return "two forms have the same id";
        for (size_t k = 0; k < form->field_count; k++) {
            if (settings->honeypot.len > 0 && kanal_str_equal(form->fields[k].name, settings->honeypot))
                return "the honeypot has the name of a declared field";
            for (size_t m = 0; m < k; m++) {
                if (kanal_str_equal(form->fields[k].name, form->fields[m].name))
                    return "two fields of a form have the same name";
            }
        }
    }
    struct kanal_url url;
    if (settings->thanks_url.len > 0 && kanal_url_parse(settings->thanks_url, &url) != KANAL_OK)
        return "thanks_url is no absolute URL";
    return NULL;
}

kanal_status settings_read(struct settings *settings, kanal_str json, const char **ret_error)
{
    memset(settings, 0, sizeof *settings);
    *ret_error = "the settings cannot be read";
    settings->doc = kanal_json_parse(json);
    yyjson_val *root = yyjson_doc_get_root(settings->doc);
    if (root == NULL || read_forms(settings, kanal_json_at(root, "forms")) != KANAL_OK)
        return KANAL_E_INTERNAL;
    kanal_str undeclared = kanal_json_text_at(root, "undeclared_fields"),
              token = kanal_json_text_at(root, "token");
    settings->origins = kanal_json_at(root, "origins");
    settings->undeclared = kanal_str_is(undeclared, "keep")     ? UNDECLARED_KEEP
                           : kanal_str_is(undeclared, "reject") ? UNDECLARED_REJECT
                                                                : UNDECLARED_DROP;
    settings->token = kanal_str_is(token, "required") ? TOKEN_REQUIRED
                      : kanal_str_is(token, "off")    ? TOKEN_OFF
                                                      : TOKEN_OPTIONAL;
    settings->token_life_s = kanal_json_int_at(root, "token_life_s", 7200);
    settings->honeypot = kanal_json_text_at(root, "honeypot");
    settings->thanks_url = kanal_json_text_at(root, "thanks_url");
    settings->default_country = kanal_json_text_at(root, "default_country");
    settings->rate_per_minute = (uint32_t)kanal_json_int_at(root, "rate_per_minute", 10);
    settings->rate_burst = (uint32_t)kanal_json_int_at(root, "rate_burst", 5);
    settings->keep_ip = kanal_json_bool_at(root, "keep_ip");
    *ret_error = find_contradiction(settings);
    return *ret_error ? KANAL_E_INVALID : KANAL_OK;
}

void settings_release(struct settings *settings)
{
    for (size_t i = 0; settings->forms != NULL && i <= settings->form_count;
         i++) { /* one more: perhaps half-read */
        free(settings->forms[i].fields);
        free(settings->forms[i].consents);
    }
    free(settings->forms);
    yyjson_doc_free(settings->doc);
    memset(settings, 0, sizeof *settings);
}

const struct form *settings_form(const struct settings *settings, kanal_str id)
{
    if (id.len == 0)
        return settings->form_count == 1 ? &settings->forms[0] : NULL;
    for (size_t i = 0; i < settings->form_count; i++) {
        if (kanal_str_equal(settings->forms[i].id, id))
            return &settings->forms[i];
    }
    return NULL;
}
