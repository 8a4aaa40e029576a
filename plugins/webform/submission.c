#include "submission.h"

#define NUMBER_BYTES_MAX 32u /* of a JSON number as text */

static const char too_many_fields[] = "more than 256 fields";
static const char out_of_memory[] = "out of memory";

/* ---- Filling in ---- */

static const char *add_field(struct submission *s, kanal_str name, kanal_str value)
{
    if (s->field_count == PAIRS_MAX)
        return too_many_fields;
    s->fields[s->field_count++] = (struct pair){ name, value };
    return NULL;
}

static void add_click_id(struct submission *s, kanal_str name, kanal_str value)
{
    int right = name.len >= 1 && name.len <= 64 && value.len >= 1;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        right &= (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
                 c == '-';
    }
    for (size_t i = 0; i < s->click_id_count; i++)
        right &= !kanal_str_equal(s->click_ids[i].name, name);
    if (right && s->click_id_count < CLICK_IDS_MAX)
        s->click_ids[s->click_id_count++] = (struct pair){ name, value };
}

static int is_purpose(kanal_str purpose)
{
    for (size_t i = 0; i < purpose.len; i++) {
        char c = purpose.ptr[i];
        int letter = c >= 'a' && c <= 'z', other = (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
        if (!letter && (i == 0 || !other))
            return 0;
    }
    return purpose.len >= 1 && purpose.len <= 64;
}

/* The last word on a purpose counts. */
static void add_consent(struct submission *s, const struct consent *consent)
{
    size_t i = 0;
    while (i < s->consent_count && !kanal_str_equal(s->consents[i].purpose, consent->purpose))
        i++;
    if (i == CONSENTS_MAX || !is_purpose(consent->purpose))
        return;
    s->consents[i] = *consent;
    if (i == s->consent_count)
        s->consent_count++;
}

/* A utm_ parameter or a click id. True if it was one. */
static int add_campaign(struct submission *s, kanal_str name, kanal_str value)
{
    for (size_t i = 0; i < KANAL_UTM_COUNT; i++) {
        if (!kanal_str_is(name, kanal_utm_names[i]))
            continue;
        if (s->utm[i].len == 0)
            s->utm[i] = value;
        return 1;
    }
    if (!kanal_click_id_known(name))
        return 0;
    add_click_id(s, name, value);
    return 1;
}

/* ---- application/x-www-form-urlencoded ---- */

/* What a checkbox sends when it is set; a hidden input may say otherwise. */
static int is_yes(kanal_str value)
{
    static const char *const no[] = { "", "0", "false", "off", "no" };
    for (size_t i = 0; i < sizeof no / sizeof no[0]; i++) {
        if (kanal_str_equal_nocase(value, kanal_str_c(no[i])))
            return 0;
    }
    return 1;
}

/* Where a control field goes; NULL: it is none. */
static kanal_str *control(struct submission *s, kanal_str name)
{
    const struct {
        const char *name;
        kanal_str *place;
    } controls[] = { { "kanal_form", &s->form },
                     { "kanal_token", &s->token },
                     { "kanal_session", &s->session },
                     { "kanal_page_url", &s->page_url },
                     { "kanal_page_title", &s->page_title },
                     { "kanal_page_referrer", &s->page_referrer },
                     { "kanal_landing_url", &s->landing_url },
                     { "kanal_landing_referrer", &s->landing_referrer },
                     { "kanal_first_visit", &s->first_visit } };
    for (size_t i = 0; i < sizeof controls / sizeof controls[0]; i++) {
        if (kanal_str_is(name, controls[i].name))
            return controls[i].place;
    }
    return NULL;
}

static const char *add_pair(struct submission *s, kanal_str name, kanal_str value)
{
    kanal_str *place = control(s, name);
    if (place != NULL) {
        *place = value;
        return NULL;
    }
    if (kanal_str_starts(name, "kanal_consent_")) {
        add_consent(s, &(struct consent){ .purpose = kanal_str_from(name, 14), .given = is_yes(value) });
        return NULL;
    }
    return add_campaign(s, name, value) ? NULL : add_field(s, name, value);
}

const char *submission_read_form(struct submission *s, kanal_str body)
{
    struct kanal_buffer scratch = { 0 };
    kanal_str name, value;
    const char *error = NULL;
    int more = 0;
    memset(s, 0, sizeof *s);
    if (kanal_buffer_reserve(&s->decoded, body.len + 1) != 0) /* once: views into it must not move */
        return out_of_memory;
    while (error == NULL && (more = kanal_form_next(&body, &scratch, &name, &value)) > 0) {
        char *start = s->decoded.data + s->decoded.len;
        kanal_buffer_str(&s->decoded, name);
        kanal_buffer_str(&s->decoded, value);
        if (!kanal_str_utf8(name) || !kanal_str_utf8(value))
            error = "the body is no UTF-8";
        else
            error = add_pair(s, kanal_str_of(start, name.len), kanal_str_of(start + name.len, value.len));
    }
    if (more < 0)
        error = more == KANAL_E_INVALID ? "a broken percent escape in the body" : out_of_memory;
    kanal_buffer_release(&scratch);
    return error;
}

/* ---- application/json ---- */

/* One value of a field as a text: a string, a number as it is written, true, false; anything else is absent. */
static kanal_str json_text(struct submission *s, yyjson_val *value)
{
    if (yyjson_is_bool(value))
        return kanal_str_c(yyjson_get_bool(value) ? "true" : "false");
    if (!yyjson_is_num(value))
        return kanal_json_text(value);
    size_t start = s->decoded.len, capacity = s->decoded.capacity;
    struct kanal_json json;
    kanal_json_init(&json, &s->decoded);
    kanal_json_value(&json, value);
    if (s->decoded.failed || s->decoded.capacity != capacity) /* cannot be: room for all was made */
        return kanal_str_of(NULL, 0);
    return kanal_str_of(s->decoded.data + start, s->decoded.len - start);
}

static const char *read_json_fields(struct submission *s, yyjson_val *object)
{
    const char *error = NULL;
    yyjson_obj_iter members = yyjson_obj_iter_with(object);
    yyjson_val *key;
    while (error == NULL && (key = yyjson_obj_iter_next(&members)) != NULL) {
        yyjson_val *value = yyjson_obj_iter_get_val(key);
        if (!yyjson_is_arr(value)) {
            kanal_str text = json_text(s, value);
            if (text.ptr != NULL)
                error = add_field(s, kanal_json_text(key), text);
            else if (!yyjson_is_null(value))
                error = "a field's value must be a string, a number, a boolean or a list of these";
            continue;
        }
        yyjson_arr_iter items = yyjson_arr_iter_with(value);
        yyjson_val *item;
        while (error == NULL && (item = yyjson_arr_iter_next(&items)) != NULL) {
            kanal_str text = json_text(s, item);
            error = text.ptr ? add_field(s, kanal_json_text(key), text)
                             : "a list of a field's values holds something else";
        }
    }
    return error;
}

static void read_json_attribution(struct submission *s, yyjson_val *object)
{
    for (size_t i = 0; i < KANAL_UTM_COUNT; i++)
        s->utm[i] = kanal_json_text_at(object, kanal_utm_names[i]);
    s->landing_url = kanal_json_text_at(object, "landing_url");
    s->landing_referrer = kanal_json_text_at(object, "referrer");
    s->first_visit = kanal_json_text_at(object, "first_visit");
    yyjson_obj_iter members = yyjson_obj_iter_with(kanal_json_at(object, "click_ids"));
    yyjson_val *key;
    while ((key = yyjson_obj_iter_next(&members)) != NULL)
        add_click_id(s, kanal_json_text(key), kanal_json_text(yyjson_obj_iter_get_val(key)));
}

/* A list of {purpose, given, text, version}, or an object of purposes: {"marketing": true}. */
static void read_json_consent(struct submission *s, yyjson_val *value)
{
    yyjson_arr_iter items = yyjson_arr_iter_with(value);
    yyjson_val *item;
    while ((item = yyjson_arr_iter_next(&items)) != NULL)
        add_consent(s, &(struct consent){ .purpose = kanal_json_text_at(item, "purpose"),
                                          .text = kanal_json_text_at(item, "text"),
                                          .version = kanal_json_text_at(item, "version"),
                                          .given = kanal_json_bool_at(item, "given") });
    yyjson_obj_iter members = yyjson_obj_iter_with(value);
    while ((item = yyjson_obj_iter_next(&members)) != NULL)
        add_consent(s, &(struct consent){ .purpose = kanal_json_text(item),
                                          .given = yyjson_get_bool(yyjson_obj_iter_get_val(item)) });
}

const char *submission_read_json(struct submission *s, kanal_str body)
{
    memset(s, 0, sizeof *s);
    s->doc = kanal_json_parse(body);
    yyjson_val *root = yyjson_doc_get_root(s->doc);
    if (!yyjson_is_obj(root))
        return "the body is no JSON object";
    if (kanal_buffer_reserve(&s->decoded, (size_t)(PAIRS_MAX + 1) * NUMBER_BYTES_MAX) != 0)
        return out_of_memory;
    if (!yyjson_is_obj(kanal_json_at(root, "fields")))
        return "'fields' must be an object";
    yyjson_val *page = kanal_json_at(root, "page");
    s->form = kanal_json_text_at(root, "form");
    s->token = kanal_json_text_at(root, "token");
    s->session = kanal_json_text_at(root, "session");
    s->page_url = kanal_json_text_at(page, "url");
    s->page_title = kanal_json_text_at(page, "title");
    s->page_referrer = kanal_json_text_at(page, "referrer");
    read_json_attribution(s, kanal_json_at(root, "attribution"));
    read_json_consent(s, kanal_json_at(root, "consent"));
    return read_json_fields(s, kanal_json_at(root, "fields"));
}

/* ---- Both ---- */

void submission_release(struct submission *s)
{
    yyjson_doc_free(s->doc);
    kanal_buffer_release(&s->decoded);
    memset(s, 0, sizeof *s);
}

void submission_read_page_query(struct submission *s, struct kanal_buffer *scratch)
{
    struct kanal_url url;
    struct kanal_buffer pair = { 0 };
    kanal_str name, value;
    int more;
    if (kanal_url_parse(s->page_url, &url) != KANAL_OK ||
        kanal_buffer_reserve(scratch, url.query.len + 1) != 0)
        return;
    while ((more = kanal_form_next(&url.query, &pair, &name, &value)) != 0) {
        if (more == KANAL_E_INTERNAL)
            break;
        if (more < 0 || value.len == 0 || !kanal_str_utf8(name) || !kanal_str_utf8(value))
            continue;
        char *start = scratch->data + scratch->len;
        kanal_buffer_str(scratch, name);
        kanal_buffer_str(scratch, value);
        add_campaign(s, kanal_str_of(start, name.len), kanal_str_of(start + name.len, value.len));
    }
    kanal_buffer_release(&pair);
}
