#include "api.h"

#include <string.h>

#define NS_PER_MS INT64_C(1000000)

kanal_str js_status_reason(kanal_status status)
{
    switch (status) {
    case KANAL_OK:
        return KANAL_LIT("");
    case KANAL_E_TIMEOUT:
        return KANAL_LIT("the broker did not answer in time");
    case KANAL_E_MAYBE:
        return KANAL_LIT("the connection to the broker broke before the answer came");
    case KANAL_E_NETWORK:
        return KANAL_LIT("the broker is away");
    case KANAL_E_BUSY:
        return KANAL_LIT("too many requests to the broker are under way");
    case KANAL_E_NOT_FOUND:
        return KANAL_LIT("nobody answers: there is no such stream or consumer, or JetStream is not enabled");
    case KANAL_E_CANCELLED:
        return KANAL_LIT("cancelled");
    case KANAL_E_TOO_LARGE:
        return KANAL_LIT("larger than the broker accepts (max_payload)");
    default:
        return KANAL_LIT("malformed request");
    }
}

int js_name_valid(kanal_str name)
{
    if (name.len == 0 || name.len > 128)
        return 0;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];

        if (c <= ' ' || c == 127 || strchr(".*>/\\", c))
            return 0;
    }
    return 1;
}

yyjson_doc *js_answer_parse(kanal_str payload, struct js_answer *ret_answer)
{
    yyjson_doc *doc = kanal_json_parse(payload);
    yyjson_val *error;

    memset(ret_answer, 0, sizeof *ret_answer);
    ret_answer->root = yyjson_doc_get_root(doc);
    if (!yyjson_is_obj(ret_answer->root)) {
        ret_answer->root = NULL;
        ret_answer->status = KANAL_E_INTERNAL;
        ret_answer->reason = KANAL_LIT("the broker's answer is not a JSON object");
        return doc;
    }
    error = kanal_json_at(ret_answer->root, "error");
    if (!error)
        return doc;
    /* 503: for the moment (no leader, no resources); everything else is a refusal. */
    ret_answer->status = kanal_json_int_at(error, "code", 0) == 503 ? KANAL_E_BUSY : KANAL_E_REJECTED;
    ret_answer->err_code = kanal_json_int_at(error, "err_code", 0);
    ret_answer->reason = kanal_json_text_at(error, "description");
    if (ret_answer->reason.len == 0)
        ret_answer->reason = KANAL_LIT("refused without a reason");
    return doc;
}

static void api_answer(const struct broker_asker *asker, kanal_status status, const struct broker_in *in)
{
    js_api_fn *fn = (js_api_fn *)asker->fn;
    struct js_answer answer = { .status = status };
    yyjson_doc *doc = NULL;

    if (status == KANAL_OK)
        doc = js_answer_parse(in->payload, &answer);
    else
        answer.reason = js_status_reason(status);
    fn(asker->user, &answer);
    yyjson_doc_free(doc);
}

void js_api(struct broker *b, const char *subject, kanal_str body, js_api_fn *fn, void *user)
{
    js_api_within(b, 0, subject, body, fn, user);
}

void js_api_within(struct broker *b, uint32_t timeout_ms, const char *subject, kanal_str body, js_api_fn *fn,
                   void *user)
{
    struct broker_asker asker = { api_answer, (void (*)(void))fn, user };
    struct kanal_buffer full;
    struct broker_out out = { .payload = body };

    kanal_buffer_init(&full);
    kanal_buffer_text(&full, "$JS.API.");
    kanal_buffer_text(&full, subject);
    out.subject = kanal_buffer_view(&full);
    if (full.failed)
        broker_defer(b, &asker, KANAL_E_BUSY);
    else
        broker_ask(b, &out, timeout_ms, &asker);
    kanal_buffer_release(&full);
}

/* ---- Differences ---- */

static int is_duration(const char *key)
{
    static const char *const keys[] = { "max_age", "duplicate_window", "ack_wait", "inactive_threshold" };

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (strcmp(key, keys[i]) == 0)
            return 1;
    return 0;
}

static void append_duration(struct kanal_buffer *out, int64_t ns)
{
    static const struct {
        const char *unit;
        int64_t ms;
    } units[] = { { "d", 86400000 }, { "h", 3600000 }, { "m", 60000 }, { "s", 1000 }, { "ms", 1 } };

    if (ns == 0 || ns % NS_PER_MS != 0) {
        kanal_buffer_int(out, ns);
        if (ns != 0)
            kanal_buffer_text(out, "ns");
        return;
    }
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (ns / NS_PER_MS % units[i].ms == 0) {
            kanal_buffer_int(out, ns / NS_PER_MS / units[i].ms);
            kanal_buffer_text(out, units[i].unit);
            return;
        }
}

static void append_value(struct kanal_buffer *out, const char *key, yyjson_val *value, yyjson_val *like)
{
    struct kanal_json json;

    kanal_json_init(&json, out);
    if (yyjson_is_num(like) && is_duration(key))
        append_duration(out, yyjson_get_sint(value));
    else if (value)
        kanal_json_value(&json, value);
    else
        kanal_buffer_text(out, yyjson_is_num(like) ? "0" : yyjson_is_bool(like) ? "false" : "absent");
}

static int contains(yyjson_val *array, yyjson_val *wanted)
{
    size_t i, max;
    yyjson_val *value;

    yyjson_arr_foreach (array, i, max, value)
        if (kanal_str_equal(kanal_json_text(value), kanal_json_text(wanted)))
            return 1;
    return 0;
}

/* Arrays are sets of strings here (subjects). */
static int same(yyjson_val *actual, yyjson_val *expected)
{
    size_t i, max;
    yyjson_val *value;

    if (yyjson_is_arr(expected)) {
        if (yyjson_arr_size(actual) != yyjson_arr_size(expected))
            return 0;
        yyjson_arr_foreach (expected, i, max, value)
            if (!contains(actual, value))
                return 0;
        return 1;
    }
    if (yyjson_is_str(expected))
        return kanal_str_equal(kanal_json_text(actual), kanal_json_text(expected));
    if (yyjson_is_bool(expected))
        return yyjson_get_bool(actual) == yyjson_get_bool(expected);
    return yyjson_get_sint(actual) == yyjson_get_sint(expected);
}

int js_config_differences(yyjson_val *actual, yyjson_val *expected, struct kanal_buffer *out)
{
    size_t i, max;
    yyjson_val *key, *value;
    int count = 0;

    if (!yyjson_is_obj(expected))
        return 0;
    yyjson_obj_foreach (expected, i, max, key, value) {
        const char *name = yyjson_get_str(key);
        yyjson_val *found = kanal_json_at(actual, name);

        /* A durable made by an old client bears its name only as durable_name. */
        if (same(found, value) || (!found && strcmp(name, "name") == 0))
            continue;
        if (count++ > 0)
            kanal_buffer_text(out, "; ");
        kanal_buffer_text(out, name);
        kanal_buffer_text(out, " is ");
        append_value(out, name, found, value);
        kanal_buffer_text(out, ", expected ");
        append_value(out, name, value, value);
    }
    return count;
}
