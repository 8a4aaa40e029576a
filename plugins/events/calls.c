#include "calls.h"

#define MESSAGE_ID_MAX 512u
#define NAME_MAX_CHARS 256u
#define PROPERTIES_MAX 511u /* one more may be written */
#define TRAITS_MAX 256u

static const char out_of_memory[] = "out of memory";

/* ---- The data of one event ---- */

static void write_activity(struct kanal_json *json, const struct call *call)
{
    char scratch[24];
    kanal_str session = kanal_json_id_at(call->context, "sessionId", scratch);
    yyjson_val *properties = kanal_json_at(call->body, "properties");
    kanal_json_key(json, "activity");
    kanal_json_object(json);
    kanal_json_member_str(json, "name", kanal_str_cut(call->name, NAME_MAX_CHARS));
    kanal_json_member_text(json, "kind", call->kind);
    kanal_member_text(json, "category", kanal_json_text_at(call->body, "category"), 256);
    kanal_json_key(json, "properties");
    if (strcmp(call->kind, "group") == 0) {
        char group[24];
        kanal_json_object(json);
        kanal_json_member_str(json, "group_id", kanal_json_id_at(call->body, "groupId", group));
        kanal_json_key(json, "traits");
        properties_write(json, kanal_json_at(call->body, "traits"), kanal_str_of(NULL, 0));
        kanal_json_object_end(json);
    } else if (strcmp(call->kind, "alias") == 0) {
        kanal_json_object(json);
        kanal_json_member_str(json, "previous_id", call->previous_id);
        kanal_json_member_str(json, "user_id", call->user_id);
        kanal_json_object_end(json);
    } else {
        properties_write(json, properties, kanal_json_text_at(call->body, "name"));
    }
    kanal_member_text(json, "session", session, 128);
    kanal_member_text(json, "external_id", call->message_id, MESSAGE_ID_MAX);
    kanal_json_object_end(json);
}

static const char *write_data(struct kanal_buffer *out, const struct call *call, kanal_str original_name)
{
    struct kanal_json json;
    kanal_json_init(&json, out);
    kanal_json_object(&json);
    people_write_customer(&json, call);
    if (strcmp(call->kind, "identify") == 0) {
        people_write_profile(&json, kanal_json_at(call->body, "traits"));
    } else {
        write_activity(&json, call);
        context_write(&json, call);
        context_write_consent(&json, call);
    }
    context_write_provider(&json, call, original_name);
    kanal_json_object_end(&json);
    return out->failed ? out_of_memory : NULL;
}

/* ---- One call ---- */

/* When it happened, by our clock: the sender's clock may be wrong, but it was the same one that wrote `sentAt`. */
static int64_t time_of(const struct call *call, int64_t sent_ms)
{
    int64_t told_ms, now_ms = call->intake->now_ms;
    kanal_str timestamp = kanal_json_text_at(call->body, "timestamp");
    if (timestamp.len == 0)
        timestamp = kanal_json_text_at(call->body, "originalTimestamp");
    if (kanal_time_parse_rfc3339(timestamp, &told_ms) != KANAL_OK)
        return now_ms;
    if (sent_ms >= told_ms)
        told_ms += now_ms - sent_ms;
    if (told_ms <= 0) /* before 1970: the clock was never set */
        return 0;
    return told_ms > now_ms ? now_ms : told_ms;
}

static const struct kind {
    const char *name, *short_name, *activity;
} kinds[] = {
    { "identify", "i", NULL },          { "track", "t", NULL },           { "page", "p", "Page Viewed" },
    { "screen", "s", "Screen Viewed" }, { "group", "g", "Group Joined" }, { "alias", "a", "Identity Merged" },
};

static const struct kind *find_kind(kanal_str name)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (kanal_str_is(name, kinds[i].name) || kanal_str_is(name, kinds[i].short_name))
            return &kinds[i];
    }
    return NULL;
}

/* What a call of its kind must have. NULL, or what is wrong. */
static const char *check_call(struct call *call, const struct kind *kind)
{
    char scratch[24];
    if (call->message_id.len > MESSAGE_ID_MAX)
        return "messageId is over 512 bytes";
    if (strcmp(kind->name, "track") == 0) {
        call->name = kanal_json_text_at(call->body, "event");
        if (call->name.len == 0)
            return "a track call needs the name of its event";
    }
    if (strcmp(kind->name, "group") == 0 && kanal_json_id_at(call->body, "groupId", scratch).len == 0)
        return "a group call needs groupId";
    if (strcmp(kind->name, "alias") == 0 && (call->previous_id.len == 0 || call->user_id.len == 0))
        return "an alias call needs previousId and userId";
    if (yyjson_obj_size(kanal_json_at(call->body, "properties")) > PROPERTIES_MAX)
        return "more than 511 properties";
    if (yyjson_obj_size(kanal_json_at(call->body, "traits")) > TRAITS_MAX)
        return "more than 256 traits";
    return NULL;
}

static const char *take_call(struct calls *calls, struct call *call, const struct kind *kind, int64_t sent_ms)
{
    struct call_event event = { .type = kind == &kinds[0] ? "profile.observed" : "activity.tracked",
                                .dedupe = call->message_id };
    kanal_str original_name = { NULL, 0 };
    const char *fault = check_call(call, kind);
    if (fault != NULL)
        return fault;
    call->kind = kind->name;
    if (kind->activity != NULL) {
        call->name = kanal_str_c(kind->activity);
    } else if (call->name.len > 0) {
        kanal_str name = properties_name(call->name);
        if (!kanal_str_equal(name, call->name) || call->name.len > NAME_MAX_CHARS)
            original_name = call->name;
        call->name = name;
    }
    event.address_at = calls->text.len;
    fault = people_address(&calls->text, call);
    event.address_len = calls->text.len - event.address_at;
    event.data_at = calls->text.len;
    if (fault == NULL)
        fault = write_data(&calls->text, call, original_name);
    event.data_len = calls->text.len - event.data_at;
    event.time_ms = time_of(call, sent_ms);
    if (fault == NULL)
        calls->events[calls->count++] = event;
    else
        calls->text.len = event.address_at;
    return fault;
}

/* An alias names two ids; the first is nobody's own any more. */
static void init_call(struct call *call, const struct intake *intake, yyjson_val *body,
                      yyjson_val *shared_context)
{
    yyjson_val *context = kanal_json_at(body, "context");
    *call = (struct call){ .intake = intake, .body = body, .context = context ? context : shared_context };
    call->user_id = kanal_json_id_at(body, "userId", call->user_scratch);
    call->anonymous_id = kanal_json_id_at(body, "anonymousId", call->anonymous_scratch);
    call->previous_id = kanal_json_id_at(body, "previousId", call->previous_scratch);
    call->message_id = kanal_json_text_at(body, "messageId");
}

/* ---- Many calls ---- */

static void reject(struct calls *calls, size_t index, const char *reason)
{
    if (calls->rejected_count++ >= REJECTED_TOLD_MAX)
        return;
    if (calls->rejected_count == 1) {
        kanal_json_init(&calls->rejected_list, &calls->rejected);
        kanal_json_array(&calls->rejected_list);
    }
    kanal_json_object(&calls->rejected_list);
    kanal_json_member_int(&calls->rejected_list, "index", (int64_t)index);
    kanal_json_member_text(&calls->rejected_list, "reason", reason);
    kanal_json_object_end(&calls->rejected_list);
}

/* As the SDKs measure it: the bytes of its JSON without spaces. */
static int is_too_large(yyjson_val *body)
{
    size_t bytes = 0;
    char *text = yyjson_val_write(body, YYJSON_WRITE_ALLOW_INVALID_UNICODE, &bytes);
    free(text);
    return bytes > CALL_BYTES_MAX;
}

static int64_t sent_of(yyjson_val *body, int64_t otherwise)
{
    int64_t sent_ms;
    kanal_str text = kanal_json_text_at(body, "sentAt");
    return kanal_time_parse_rfc3339(text, &sent_ms) == KANAL_OK ? sent_ms : otherwise;
}

static const char *read_one(struct calls *calls, const struct intake *intake, kanal_str kind_name,
                            yyjson_val *root)
{
    struct call call;
    init_call(&call, intake, root, NULL);
    const struct kind *kind = find_kind(kind_name);
    return kind ? take_call(calls, &call, kind, sent_of(root, INT64_MIN)) : "unknown kind of call";
}

static const char *read_batch(struct calls *calls, const struct intake *intake, yyjson_val *root,
                              yyjson_val *batch, int may_be_large)
{
    int64_t sent_ms = sent_of(root, INT64_MIN);
    const char *fault = NULL;
    size_t index, max;
    yyjson_val *body;
    yyjson_arr_foreach (batch, index, max, body) {
        const struct kind *kind = find_kind(kanal_json_text_at(body, "type"));
        struct call call;
        if (may_be_large && is_too_large(body))
            return "an event of the batch is over 32 KB";
        init_call(&call, intake, body, kanal_json_at(root, "context"));
        fault = kind ? take_call(calls, &call, kind, sent_of(body, sent_ms)) : "unknown type of call";
        if (fault == out_of_memory)
            return fault;
        if (fault != NULL)
            reject(calls, index, fault);
    }
    return calls->count == 0 && calls->rejected_count > 0 ? fault : NULL;
}

const char *calls_read(struct calls *calls, const struct intake *intake, kanal_str kind, yyjson_val *root)
{
    memset(calls, 0, sizeof *calls);
    yyjson_val *batch = kanal_json_at(root, "batch");
    int is_batch = kanal_str_is(kind, "batch") || kanal_str_is(kind, "b") || kanal_str_is(kind, "import");
    if (is_batch && !yyjson_is_arr(batch))
        return "'batch' must be an array of calls";
    calls->capacity = is_batch ? yyjson_arr_size(batch) : 1;
    calls->events = calloc(calls->capacity + 1, sizeof *calls->events);
    if (calls->events == NULL)
        return out_of_memory;
    const char *fault = is_batch ? read_batch(calls, intake, root, batch, intake->body_bytes > CALL_BYTES_MAX)
                                 : read_one(calls, intake, kind, root);
    if (calls->rejected_count > 0)
        kanal_json_array_end(&calls->rejected_list);
    calls->has_failed = fault == out_of_memory || calls->text.failed || calls->rejected.failed;
    return fault;
}

void calls_release(struct calls *calls)
{
    kanal_buffer_release(&calls->text);
    kanal_buffer_release(&calls->rejected);
    free(calls->events);
    memset(calls, 0, sizeof *calls);
}
