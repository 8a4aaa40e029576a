#include "mapping.h"

/* What the contract requires of a type, so that a rule that forgets it is refused at start and not at the first payload.
 * members: pointers into data. */
static const struct requirement {
    const char *type;
    const char *members[3];
    int address, external_id, status; /* status: external_id or command_id says of which message */
    int may_be_empty;                 /* an array among the members */
} requirements[] = {
    { "message.received", { "/message/content" }, 1, 0, 0, 0 },
    { "message.edited", { "/message/content" }, 1, 1, 0, 0 },
    { "message.deleted", { NULL }, 0, 1, 0, 0 },
    { "message.reacted", { "/reactions" }, 0, 1, 0, 1 },
    { "message.sent", { NULL }, 0, 0, 1, 0 },
    { "message.delivered", { NULL }, 0, 0, 1, 0 },
    { "message.read", { NULL }, 0, 0, 1, 0 },
    { "message.failed", { "/error/code", "/error/scope" }, 0, 0, 1, 0 },
    { "typing.started", { NULL }, 1, 0, 0, 0 },
    { "conversation.started", { NULL }, 1, 0, 0, 0 },
    { "call.started", { "/call/direction" }, 0, 1, 0, 0 },
    { "call.answered", { "/call/direction" }, 0, 1, 0, 0 },
    { "call.ended", { "/call/direction", "/call/reason" }, 0, 1, 0, 0 },
    { "call.missed", { "/call/direction", "/call/reason" }, 0, 1, 0, 0 },
    { "form.submitted", { "/form/id", "/form/fields" }, 1, 0, 0, 1 },
    { "activity.tracked", { "/activity/name", "/activity/properties" }, 0, 0, 0, 0 },
    { "profile.observed", { "/profile" }, 1, 0, 0, 0 },
    { "consent.given", { "/consent", "/reason" }, 1, 0, 0, 0 },
    { "consent.withdrawn", { "/consent", "/reason" }, 1, 0, 0, 0 },
};
#define REQUIREMENTS (sizeof requirements / sizeof requirements[0])

static const struct requirement *requirement_of(kanal_str type)
{
    for (size_t i = 0; i < REQUIREMENTS; i++) {
        if (kanal_str_is(type, requirements[i].type))
            return &requirements[i];
    }
    return NULL;
}

/* ---- Checking ---- */

static void write_place(struct kanal_buffer *path, size_t rule, const char *member)
{
    kanal_buffer_clear(path);
    kanal_buffer_text(path, "events[");
    kanal_buffer_uint(path, rule);
    kanal_buffer_text(path, "].");
    kanal_buffer_text(path, member);
}

static kanal_status complain(struct kanal_buffer *out, size_t rule, const char *member, const char *what,
                             const char *more)
{
    struct kanal_buffer path = { 0 };
    write_place(&path, rule, member);
    kanal_buffer_str(out, kanal_buffer_view(&path));
    kanal_buffer_text(out, ": ");
    kanal_buffer_text(out, what);
    kanal_buffer_text(out, more);
    kanal_buffer_release(&path);
    return KANAL_E_INVALID;
}

static int is_condition(yyjson_val *value)
{
    if (yyjson_obj_size(value) != 1)
        return !yyjson_is_obj(value);
    yyjson_val *not = kanal_json_at(value, "not");
    return yyjson_is_bool(kanal_json_at(value, "exists")) || yyjson_is_str(kanal_json_at(value, "prefix")) ||
           (not != NULL && !yyjson_is_obj(not ));
}

static kanal_status check_when(yyjson_val *when, size_t rule, struct kanal_buffer *out)
{
    yyjson_obj_iter members = yyjson_obj_iter_with(when);
    yyjson_val *key;
    while ((key = yyjson_obj_iter_next(&members)) != NULL) {
        if (!kanal_str_starts(kanal_json_text(key), "/"))
            return complain(out, rule, "when", "a member is a JSON pointer from the root: \"/type\"", "");
        if (!is_condition(yyjson_obj_iter_get_val(key)))
            return complain(
                out, rule, "when",
                "a condition is a value, a list of values, {exists: true or false}, {not: …} or {prefix: …}",
                "");
    }
    return KANAL_OK;
}

/* A member of data that a type needs has to be written by the template, or be inside of something that is looked up whole. */
static int promises(yyjson_val *template, const char *pointer)
{
    while (*pointer == '/') {
        size_t len = strcspn(pointer + 1, "/");
        if (!yyjson_is_obj(template))
            return 0;
        if (kanal_json_at(template, "$") != NULL || kanal_json_at(template, "$each") != NULL)
            return 1;
        template = yyjson_obj_getn(template, pointer + 1, len);
        pointer += 1 + len;
    }
    return template != NULL;
}

static kanal_status check_needs(yyjson_val *rule, size_t index, struct kanal_buffer *out)
{
    const struct requirement *needs = requirement_of(kanal_json_text_at(rule, "type"));
    int has_id = kanal_json_at(rule, "external_id") != NULL;
    if (needs == NULL)
        return complain(out, index, "type", "an unknown type", "");
    if (needs->address && kanal_json_at(rule, "address") == NULL)
        return complain(out, index, "address", "is required of ", needs->type);
    if (needs->external_id && !has_id)
        return complain(out, index, "external_id", "is required of ", needs->type);
    if (needs->status && !has_id && kanal_json_at(rule, "command_id") == NULL)
        return complain(out, index, "external_id", "or command_id is required of ", needs->type);
    for (size_t i = 0; i < 3 && needs->members[i] != NULL; i++) {
        if (!promises(kanal_json_at(rule, "data"), needs->members[i]))
            return complain(out, index, "data", "there has to be ", needs->members[i]);
    }
    return KANAL_OK;
}

static kanal_status check_rule(yyjson_val *rule, size_t index, struct kanal_buffer *out)
{
    static const char *const templates[] = { "address", "chat", "external_id", "command_id",
                                             "dedupe",  "time", "data" };
    struct kanal_buffer path = { 0 };
    kanal_status status = check_when(kanal_json_at(rule, "when"), index, out);
    for (size_t i = 0; status == KANAL_OK && i < sizeof templates / sizeof templates[0]; i++) {
        yyjson_val *template = kanal_json_at(rule, templates[i]);
        write_place(&path, index, templates[i]);
        if (template != NULL)
            status = template_check(template, kanal_buffer_view(&path), out);
    }
    if (status == KANAL_OK && kanal_json_at(rule, "each") != NULL) {
        write_place(&path, index, "each");
        status = template_check_pointer(kanal_json_at(rule, "each"), kanal_buffer_view(&path), out);
    }
    kanal_buffer_release(&path);
    return status == KANAL_OK ? check_needs(rule, index, out) : status;
}

kanal_status mapping_check(yyjson_val *rules, struct kanal_buffer *out)
{
    kanal_status status = KANAL_OK;
    for (size_t i = 0; status == KANAL_OK && i < yyjson_arr_size(rules); i++)
        status = check_rule(yyjson_arr_get(rules, i), i, out);
    return status;
}

/* ---- Conditions ---- */

/* Equal as JSON: 1 and 1.0 are the same number. */
static int same(yyjson_val *a, yyjson_val *b)
{
    if (yyjson_is_num(a) && yyjson_is_num(b) && (yyjson_is_real(a) || yyjson_is_real(b)))
        return !(yyjson_get_num(a) < yyjson_get_num(b)) && !(yyjson_get_num(a) > yyjson_get_num(b));
    return yyjson_equals(a, b);
}

static int is_one_of(yyjson_val *value, yyjson_val *wanted)
{
    if (!yyjson_is_arr(wanted))
        return value != NULL && same(value, wanted);
    for (size_t i = 0; value != NULL && i < yyjson_arr_size(wanted); i++) {
        if (same(value, yyjson_arr_get(wanted, i)))
            return 1;
    }
    return 0;
}

static int holds(yyjson_val *value, yyjson_val *condition)
{
    yyjson_val *exists = kanal_json_at(condition, "exists"), *not = kanal_json_at(condition, "not"),
               *prefix = kanal_json_at(condition, "prefix");
    if (exists != NULL)
        return (value != NULL) == yyjson_get_bool(exists);
    if (not != NULL)
        return !is_one_of(value, not );
    if (prefix != NULL)
        return kanal_str_starts(kanal_json_text(value), yyjson_get_str(prefix));
    return is_one_of(value, condition);
}

static int all_hold(yyjson_val *when, yyjson_val *root)
{
    yyjson_obj_iter members = yyjson_obj_iter_with(when);
    yyjson_val *key;
    while ((key = yyjson_obj_iter_next(&members)) != NULL) {
        kanal_str pointer = kanal_json_text(key);
        if (!holds(yyjson_ptr_getn(root, pointer.ptr, pointer.len), yyjson_obj_iter_get_val(key)))
            return 0;
    }
    return 1;
}

/* ---- One event ---- */

struct making {
    struct kanal_batch *batch;
    const struct settings *settings;
    kanal_str id;
    struct kanal_buffer *why;
    size_t elements_left;
};

/* what: is copied. */
static const char *refuse(struct making *making, size_t index, const char *member, const char *what)
{
    complain(making->why, index, member, what, "");
    kanal_buffer_byte(making->why, 0);
    return making->why->failed ? "out of memory" : making->why->data;
}

/* A text of the rule into an item's own place. 1: it is there; 0: absent; -1: too long, or with a NUL. */
static int take_text(char *out, size_t size, yyjson_val *template, const struct template_scope *scope)
{
    struct kanal_buffer text = { 0 };
    int state = template != NULL && template_text(&text, template, scope) && text.len > 0;
    if (state && memchr(text.data, 0, text.len) != NULL)
        state = -1;
    if (state > 0 && !kanal_batch_text(out, size, kanal_buffer_view(&text)))
        state = -1;
    kanal_buffer_release(&text);
    return state;
}

/* webhook-id, and a number behind it for all but the first event: so the same request is always the same events. */
static void default_dedupe(struct making *making, struct kanal_batch_item *item)
{
    struct kanal_buffer text = { 0 };
    kanal_buffer_str(&text, making->id);
    if (making->batch->count > 1) {
        kanal_buffer_byte(&text, '.');
        kanal_buffer_uint(&text, making->batch->count - 1);
    }
    kanal_batch_text(item->dedupe, sizeof item->dedupe, kanal_buffer_view(&text));
    kanal_buffer_release(&text);
}

static int64_t time_of(yyjson_val *template, const struct template_scope *scope)
{
    struct kanal_buffer text = { 0 };
    int64_t ms = 0, number;
    if (template != NULL && template_text(&text, template, scope)) {
        if (kanal_str_int(kanal_buffer_view(&text), &number) == 0)
            ms = number > 0 && number < INT64_C(100000000000) ? number * 1000 : number;
        else if (kanal_time_parse_rfc3339(kanal_buffer_view(&text), &ms) != KANAL_OK)
            ms = 0;
    }
    kanal_buffer_release(&text);
    return ms > 0 && ms <= INT64_C(253402300799999) ? ms : 0;
}

/* What the contract requires, now that it is written. */
static const char *find_missing(const struct requirement *needs, const struct kanal_batch_item *item)
{
    const char *missing = NULL;
    char memory[KANAL_JSON_MEMORY];
    if (needs->members[0] == NULL)
        return NULL;
    yyjson_doc *doc = kanal_json_parse_in(kanal_buffer_view(&item->data), memory, sizeof memory);
    for (size_t i = 0; missing == NULL && i < 3 && needs->members[i] != NULL; i++) {
        yyjson_val *value = yyjson_ptr_get(yyjson_doc_get_root(doc), needs->members[i]);
        if (value == NULL || (yyjson_is_arr(value) && yyjson_arr_size(value) == 0 && !needs->may_be_empty))
            missing = needs->members[i];
    }
    yyjson_doc_free(doc);
    return missing;
}

static const char *make_event(struct making *making, yyjson_val *rule, size_t index,
                              const struct template_scope *scope)
{
    const struct requirement *needs = requirement_of(kanal_json_text_at(rule, "type"));
    struct kanal_batch_item *item = kanal_batch_begin(making->batch, needs->type);
    if (item == NULL)
        return refuse(making, index, "each", "more than 128 events of one payload");
    int address = take_text(item->address, sizeof item->address, kanal_json_at(rule, "address"), scope);
    int chat = take_text(item->chat, sizeof item->chat, kanal_json_at(rule, "chat"), scope);
    int id =
        take_text(item->external_id, sizeof item->external_id, kanal_json_at(rule, "external_id"), scope);
    int dedupe = take_text(item->dedupe, sizeof item->dedupe, kanal_json_at(rule, "dedupe"), scope);
    int command =
        take_text(item->command_id, sizeof item->command_id, kanal_json_at(rule, "command_id"), scope);
    if (address < 0 || chat < 0 || id < 0 || dedupe < 0 || command < 0)
        return refuse(making, index, "address",
                      "(or chat, external_id, command_id, dedupe) is too long, or has a NUL");
    if (needs->address && !address)
        return refuse(making, index, "address", "the payload has none");
    if (needs->external_id && !id)
        return refuse(making, index, "external_id", "the payload has none");
    if (needs->status && !id && !command)
        return refuse(making, index, "external_id", "the payload has neither it nor command_id");
    if (dedupe == 0)
        default_dedupe(making, item);
    item->event.time_ms = time_of(kanal_json_at(rule, "time"), scope);
    template_write_members(&item->json, kanal_json_at(rule, "data"), scope);
    kanal_batch_end(making->batch, item);
    if (making->batch->failed)
        return refuse(making, index, "data", "over 512 KiB or 4,096 elements");
    const char *missing = find_missing(needs, item);
    return missing ? refuse(making, index, "data has no", missing) : NULL;
}

/* ---- All of them ---- */

static const char *apply(struct making *making, yyjson_val *rule, size_t index, yyjson_val *root)
{
    struct template_scope scope = { .root = root,
                                    .default_country = making->settings->default_country,
                                    .elements_left = &making->elements_left };
    yyjson_val *each = kanal_json_at(rule, "each");
    const char *fault = NULL;
    if (each == NULL)
        return make_event(making, rule, index, &scope);
    yyjson_arr_iter elements = yyjson_arr_iter_with(template_find(each, &scope));
    while (fault == NULL && (scope.element = yyjson_arr_iter_next(&elements)) != NULL)
        fault = make_event(making, rule, index, &scope);
    return fault;
}

const char *mapping_read(struct kanal_batch *batch, const struct settings *settings, kanal_str id,
                         yyjson_val *root, struct kanal_buffer *scratch)
{
    struct making making = { batch, settings, id, scratch, TEMPLATE_ELEMENTS_MAX };
    const char *fault = NULL;
    for (size_t i = 0; fault == NULL && i < yyjson_arr_size(settings->events); i++) {
        yyjson_val *rule = yyjson_arr_get(settings->events, i);
        if (all_hold(kanal_json_at(rule, "when"), root))
            fault = apply(&making, rule, i, root);
    }
    return fault;
}
