#include "template.h"

enum form {
    FORM_NONE,
    FORM_ANY,
    FORM_TEXT,
    FORM_NUMBER,
    FORM_BOOLEAN,
    FORM_MONEY,
    FORM_TIME,
    FORM_TEL,
    FORM_MAIL,
    FORM_URL,
    FORM_ENCODED,
    FORMS
};

static const char *const form_names[FORMS] = { "",     "any", "text", "number", "boolean", "money",
                                               "time", "tel", "mail", "url",    "encoded" };

static enum form form_of(yyjson_val *as)
{
    for (int i = FORM_ANY; yyjson_is_str(as) && i < FORMS; i++) {
        if (yyjson_equals_str(as, form_names[i]))
            return (enum form)i;
    }
    return FORM_NONE;
}

#define URL_BYTES_MAX 4096u

/* Members of events that may hold anything. */
static int is_free_form(kanal_str name)
{
    static const char *const names[] = { "attributes", "context", "properties", "provider", "traits" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (kanal_str_is(name, names[i]))
            return 1;
    }
    return 0;
}

/* ---- Checking ---- */

static kanal_status complain(struct kanal_buffer *out, kanal_str path, const char *what)
{
    kanal_buffer_str(out, path);
    kanal_buffer_text(out, ": ");
    kanal_buffer_text(out, what);
    return KANAL_E_INVALID;
}

static int is_pointer(kanal_str text)
{
    if (text.len > 0 && text.ptr[0] == '@')
        text = kanal_str_from(text, 1);
    if (text.len > 0 && text.ptr[0] != '/')
        return 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '~' && (i + 1 == text.len || (text.ptr[i + 1] != '0' && text.ptr[i + 1] != '1')))
            return 0;
    }
    return 1;
}

kanal_status template_check_pointer(yyjson_val *pointer, kanal_str path, struct kanal_buffer *out)
{
    if (!yyjson_is_str(pointer) || !is_pointer(kanal_json_text(pointer)))
        return complain(out, path,
                        "a JSON pointer is expected: \"/order/id\", or \"@/id\" in the element at hand");
    return KANAL_OK;
}

/* An object that stands for something has only the members that its kind knows. */
static kanal_status check_members(yyjson_val *object, const char *const *known, kanal_str path,
                                  struct kanal_buffer *out)
{
    yyjson_obj_iter members = yyjson_obj_iter_with(object);
    yyjson_val *key;
    while ((key = yyjson_obj_iter_next(&members)) != NULL) {
        const char *const *name = known;
        while (*name && !kanal_str_is(kanal_json_text(key), *name))
            name++;
        if (*name == NULL)
            return complain(out, path, "an object with a $ member has a member that does not belong to it");
    }
    return KANAL_OK;
}

static kanal_status check_lookup(yyjson_val *object, kanal_str path, struct kanal_buffer *out)
{
    static const char *const known[] = { "$", "as", "map", "default", NULL };
    yyjson_val *as = kanal_json_at(object, "as"), *map = kanal_json_at(object, "map");
    kanal_status status = check_members(object, known, path, out);
    if (status == KANAL_OK)
        status = template_check_pointer(kanal_json_at(object, "$"), path, out);
    if (status == KANAL_OK && as != NULL && form_of(as) == FORM_NONE)
        status = complain(out, path,
                          "`as` is one of any, text, number, boolean, money, time, tel, mail, url, encoded");
    if (status == KANAL_OK && map != NULL && (!yyjson_is_obj(map) || as != NULL))
        status = complain(out, path, "`map` is an object, and there is no `as` beside it");
    return status;
}

static kanal_status check_value(yyjson_val *template, struct kanal_buffer *path, uint32_t depth,
                                struct kanal_buffer *out);

/* One step down: path/name. */
static kanal_status check_below(yyjson_val *template, kanal_str name, struct kanal_buffer *path,
                                uint32_t depth, struct kanal_buffer *out)
{
    size_t len = path->len;
    kanal_buffer_byte(path, '/');
    kanal_buffer_str(path, name);
    kanal_status status = check_value(template, path, depth, out);
    path->len = len;
    return status;
}

static kanal_status check_array(yyjson_val *array, struct kanal_buffer *path, uint32_t depth,
                                struct kanal_buffer *out)
{
    kanal_status status = KANAL_OK;
    for (size_t i = 0; status == KANAL_OK && i < yyjson_arr_size(array); i++) {
        struct kanal_buffer number = { 0 };
        kanal_buffer_uint(&number, i);
        status = check_below(yyjson_arr_get(array, i), kanal_buffer_view(&number), path, depth, out);
        kanal_buffer_release(&number);
    }
    return status;
}

static kanal_status check_object(yyjson_val *object, struct kanal_buffer *path, uint32_t depth,
                                 struct kanal_buffer *out)
{
    static const char *const join[] = { "$join", NULL }, *const each[] = { "$each", "do", NULL };
    kanal_str here = kanal_buffer_view(path);
    kanal_status status = KANAL_OK;
    if (kanal_json_at(object, "$") != NULL)
        return check_lookup(object, here, out);
    if (kanal_json_at(object, "$join") != NULL) {
        if (!yyjson_is_arr(kanal_json_at(object, "$join")))
            return complain(out, here, "$join is an array");
        status = check_members(object, join, here, out);
    } else if (kanal_json_at(object, "$each") != NULL) {
        status = check_members(object, each, here, out);
        if (status == KANAL_OK)
            status = template_check_pointer(kanal_json_at(object, "$each"), here, out);
        return status == KANAL_OK
                   ? check_below(kanal_json_at(object, "do"), KANAL_LIT("do"), path, depth, out)
                   : status;
    } else if (kanal_json_at(object, "$if") != NULL) {
        if (!yyjson_is_obj(kanal_json_at(object, "$if"))) /* else it is checked as the members are */
            status = template_check_pointer(kanal_json_at(object, "$if"), here, out);
    }
    yyjson_obj_iter members = yyjson_obj_iter_with(object);
    yyjson_val *key;
    while (status == KANAL_OK && (key = yyjson_obj_iter_next(&members)) != NULL) {
        kanal_str name = kanal_json_text(key);
        if (kanal_str_starts(name, "$") && !kanal_str_is(name, "$if") && !kanal_str_is(name, "$join"))
            status = complain(out, here, "an unknown $ member; there are $, $join, $each and $if");
        else
            status = check_below(yyjson_obj_iter_get_val(key), name, path, depth, out);
    }
    return status;
}

static kanal_status check_value(yyjson_val *template, struct kanal_buffer *path, uint32_t depth,
                                struct kanal_buffer *out)
{
    if (path->failed)
        return KANAL_E_INTERNAL;
    if (template == NULL)
        return complain(out, kanal_buffer_view(path), "is missing");
    if (depth == TEMPLATE_DEPTH_MAX)
        return complain(out, kanal_buffer_view(path), "more than 16 levels");
    if (yyjson_is_arr(template))
        return check_array(template, path, depth + 1, out);
    return yyjson_is_obj(template) ? check_object(template, path, depth + 1, out) : KANAL_OK;
}

kanal_status template_check(yyjson_val *template, kanal_str path, struct kanal_buffer *out)
{
    struct kanal_buffer here = { 0 };
    kanal_buffer_str(&here, path);
    kanal_status status = check_value(template, &here, 0, out);
    kanal_buffer_release(&here);
    return status;
}

/* ---- Finding ---- */

yyjson_val *template_find(yyjson_val *pointer, const struct template_scope *scope)
{
    kanal_str text = kanal_json_text(pointer);
    if (text.len == 0)
        return scope->root;
    if (text.ptr[0] != '@')
        return yyjson_ptr_getn(scope->root, text.ptr, text.len);
    return text.len == 1 ? scope->element : yyjson_ptr_getn(scope->element, text.ptr + 1, text.len - 1);
}

/* ---- Texts ---- */

/* A string, number or boolean as text, in the value itself or in scratch; absent if it is none. */
static kanal_str scalar_view(yyjson_val *value, struct kanal_buffer *scratch)
{
    struct kanal_json json;
    if (yyjson_is_str(value))
        return kanal_json_text(value);
    if (yyjson_is_bool(value))
        return kanal_str_c(yyjson_get_bool(value) ? "true" : "false");
    if (!yyjson_is_num(value))
        return kanal_str_of(NULL, 0);
    kanal_buffer_clear(scratch);
    kanal_json_init(&json, scratch);
    kanal_json_value(&json, value);
    return kanal_buffer_view(scratch);
}

/* Appended; 0: it is none. */
static int scalar_text(struct kanal_buffer *out, yyjson_val *value)
{
    struct kanal_buffer scratch = { 0 };
    kanal_str text = scalar_view(value, &scratch);
    kanal_buffer_str(out, text);
    kanal_buffer_release(&scratch);
    return text.ptr != NULL && !out->failed;
}

/* Seconds or milliseconds since 1970, by their size, or RFC 3339. */
static int append_time(struct kanal_buffer *out, kanal_str text)
{
    int64_t ms, number;
    if (kanal_str_int(text, &number) == 0) {
        if (number <= 0 || number > INT64_C(253402300799999))
            return 0;
        ms = number < INT64_C(100000000000) ? number * 1000 : number; /* 10^11 s is the year 5138 */
    } else if (kanal_time_parse_rfc3339(text, &ms) != KANAL_OK) {
        return 0;
    }
    kanal_time_rfc3339(out, ms);
    return 1;
}

/* "19.90", "-5"; at most 15 digits before the point and 6 behind it. */
static int append_money(struct kanal_buffer *out, kanal_str text)
{
    size_t i = text.len > 0 && text.ptr[0] == '-', start = i, point = 0;
    for (; i < text.len; i++) {
        if (text.ptr[i] == '.' && point == 0 && i > start)
            point = i;
        else if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return 0;
    }
    size_t before = (point ? point : text.len) - start, after = point ? text.len - point - 1 : 0;
    if (before == 0 || before > 15 || after > 6 || (point && after == 0))
        return 0;
    kanal_buffer_str(out, text);
    return 1;
}

/* The text in the form; 0: it has none. */
static int append_as(struct kanal_buffer *out, enum form form, kanal_str text,
                     const struct template_scope *scope)
{
    switch (form) {
    case FORM_MONEY:
        return append_money(out, text);
    case FORM_TIME:
        return append_time(out, text);
    case FORM_TEL:
        return kanal_phone_address(text, scope->default_country, out) == 1;
    case FORM_MAIL:
        return kanal_mail_address(text, out) == 1;
    case FORM_ENCODED:
        kanal_url_encode(out, text);
        return text.len > 0;
    case FORM_URL:
        return kanal_url_clean(out, text, URL_BYTES_MAX) == KANAL_OK;
    case FORM_NONE:
    case FORM_ANY:
    case FORM_TEXT:
    case FORM_NUMBER:
    case FORM_BOOLEAN:
    case FORMS:
        break;
    }
    kanal_buffer_str(out, text);
    return 1;
}

/* ---- Values ---- */

static int write_number(struct kanal_json *json, kanal_str text)
{
    yyjson_doc *doc = kanal_json_parse(text);
    yyjson_val *number = yyjson_doc_get_root(doc);
    int right = yyjson_is_num(number);
    if (right)
        kanal_json_value(json, number);
    yyjson_doc_free(doc);
    return right;
}

static int write_boolean(struct kanal_json *json, kanal_str text)
{
    int yes = kanal_str_is(text, "true") || kanal_str_is(text, "1");
    if (!yes && !kanal_str_is(text, "false") && !kanal_str_is(text, "0"))
        return 0;
    kanal_json_bool(json, yes);
    return 1;
}

static int write_as(struct kanal_json *json, yyjson_val *value, enum form form,
                    const struct template_scope *scope)
{
    struct kanal_buffer scratch = { 0 }, formed = { 0 };
    kanal_str text = scalar_view(value, &scratch);
    int done = text.ptr != NULL;
    if (!done) {
        done = 0;
    } else if (form == FORM_TEXT) {
        kanal_json_str(json, text);
    } else if (form == FORM_NUMBER) {
        done = write_number(json, text);
    } else if (form == FORM_BOOLEAN) {
        done = write_boolean(json, text);
    } else if ((done = append_as(&formed, form, text, scope) && !formed.failed)) {
        kanal_json_str(json, kanal_buffer_view(&formed));
    }
    kanal_buffer_release(&scratch);
    kanal_buffer_release(&formed);
    return done;
}

/* What the map has for the value; NULL: nothing. */
static yyjson_val *mapped(yyjson_val *map, yyjson_val *value)
{
    struct kanal_buffer scratch = { 0 };
    kanal_str text = scalar_view(value, &scratch);
    yyjson_val *found = text.ptr ? yyjson_obj_getn(map, text.ptr, text.len) : NULL;
    kanal_buffer_release(&scratch);
    return found;
}

/* The value that a lookup means before it is brought to its form; NULL: absent. */
static yyjson_val *look_up(yyjson_val *template, const struct template_scope *scope, enum form *ret_form)
{
    yyjson_val *value = template_find(kanal_json_at(template, "$"), scope),
               *map = kanal_json_at(template, "map");
    *ret_form = form_of(kanal_json_at(template, "as"));
    if (map != NULL)
        value = mapped(map, value);
    if (*ret_form != FORM_NONE)
        return value;
    *ret_form = scope->is_free || map != NULL ? FORM_ANY : FORM_TEXT;
    return *ret_form == FORM_TEXT && yyjson_equals_str(value, "")
               ? NULL
               : value; /* the contract's texts are not empty */
}

static int write_lookup(struct kanal_json *json, yyjson_val *template, const struct template_scope *scope)
{
    enum form form;
    yyjson_val *value = look_up(template, scope, &form), *otherwise = kanal_json_at(template, "default");
    if (value != NULL && form == FORM_ANY) {
        kanal_value_copy(json, value);
        return 1;
    }
    if (value != NULL && write_as(json, value, form, scope))
        return 1;
    if (otherwise == NULL)
        return 0;
    kanal_value_copy(json, otherwise);
    return 1;
}

static int append_join(struct kanal_buffer *out, yyjson_val *pieces, const struct template_scope *scope)
{
    size_t before = out->len;
    for (size_t i = 0; i < yyjson_arr_size(pieces); i++) {
        if (!template_text(out, yyjson_arr_get(pieces, i), scope)) {
            out->len = before;
            return 0;
        }
    }
    return 1;
}

/* A lookup as text. */
static int append_lookup(struct kanal_buffer *out, yyjson_val *template, const struct template_scope *scope)
{
    enum form form;
    struct kanal_buffer scratch = { 0 };
    yyjson_val *value = look_up(template, scope, &form);
    kanal_str text = scalar_view(value, &scratch);
    int is_plain = form == FORM_NUMBER || form == FORM_BOOLEAN; /* as a text they are as they stand */
    int done = text.ptr != NULL && append_as(out, is_plain ? FORM_TEXT : form, text, scope) && !out->failed;
    kanal_buffer_release(&scratch);
    return done ? 1 : scalar_text(out, kanal_json_at(template, "default"));
}

int template_text(struct kanal_buffer *out, yyjson_val *template, const struct template_scope *scope)
{
    if (!yyjson_is_obj(template))
        return scalar_text(out, template);
    if (kanal_json_at(template, "$") != NULL)
        return append_lookup(out, template, scope);
    return kanal_json_at(template, "$join") != NULL &&
           append_join(out, kanal_json_at(template, "$join"), scope);
}

static int write_join(struct kanal_json *json, yyjson_val *pieces, const struct template_scope *scope)
{
    struct kanal_buffer text = { 0 };
    int done = append_join(&text, pieces, scope) && !text.failed;
    if (done)
        kanal_json_str(json, text.data ? kanal_buffer_view(&text) : KANAL_LIT(""));
    kanal_buffer_release(&text);
    return done;
}

static int write_each(struct kanal_json *json, yyjson_val *template, const struct template_scope *scope)
{
    yyjson_val *array = template_find(kanal_json_at(template, "$each"), scope);
    yyjson_arr_iter elements = yyjson_arr_iter_with(array);
    struct template_scope inner = *scope;
    if (!yyjson_is_arr(array))
        return 0;
    kanal_json_array(json);
    while (!json->out->failed && (inner.element = yyjson_arr_iter_next(&elements)) != NULL) {
        if (*scope->elements_left > 0) {
            --*scope->elements_left;
            template_write(json, kanal_json_at(template, "do"), &inner);
        } else {
            json->out->failed = 1;
        }
    }
    kanal_json_array_end(json);
    return 1;
}

void template_write_members(struct kanal_json *json, yyjson_val *template, const struct template_scope *scope)
{
    yyjson_obj_iter members = yyjson_obj_iter_with(template);
    yyjson_val *key;
    while ((key = yyjson_obj_iter_next(&members)) != NULL) {
        const struct kanal_json before = *json;
        size_t before_len = json->out->len;
        if (kanal_str_is(kanal_json_text(key), "$if"))
            continue;
        struct template_scope inner = *scope;
        inner.is_free |= is_free_form(kanal_json_text(key));
        kanal_json_key_str(json, kanal_json_text(key));
        if (!template_write(json, yyjson_obj_iter_get_val(key), &inner)) {
            *json = before;
            json->out->len = before_len;
        }
    }
}

/* The condition of an object: a pointer that leads somewhere, or a value that is not absent. */
static int is_wanted(yyjson_val *condition, const struct template_scope *scope)
{
    struct kanal_buffer text = { 0 };
    struct kanal_json json;
    if (!yyjson_is_obj(condition))
        return condition == NULL || template_find(condition, scope) != NULL;
    kanal_json_init(&json, &text);
    int yes = template_write(&json, condition, scope);
    kanal_buffer_release(&text);
    return yes;
}

int template_write(struct kanal_json *json, yyjson_val *template, const struct template_scope *scope)
{
    if (json->out->len > TEMPLATE_BYTES_MAX)
        json->out->failed = 1;
    if (yyjson_is_arr(template)) {
        yyjson_arr_iter elements = yyjson_arr_iter_with(template);
        yyjson_val *element;
        kanal_json_array(json);
        while ((element = yyjson_arr_iter_next(&elements)) != NULL)
            template_write(json, element, scope);
        kanal_json_array_end(json);
        return 1;
    }
    if (!yyjson_is_obj(template)) {
        kanal_json_value(json, template);
        return template != NULL;
    }
    if (kanal_json_at(template, "$") != NULL)
        return write_lookup(json, template, scope);
    if (kanal_json_at(template, "$join") != NULL)
        return write_join(json, kanal_json_at(template, "$join"), scope);
    if (kanal_json_at(template, "$each") != NULL)
        return write_each(json, template, scope);
    if (!is_wanted(kanal_json_at(template, "$if"), scope))
        return 0;
    kanal_json_object(json);
    template_write_members(json, template, scope);
    kanal_json_object_end(json);
    return 1;
}
