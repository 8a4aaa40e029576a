/* The record of a route, and the keys of its steps. */
#include "outbound/route.h"

#include <stdio.h>

#include "kanal/sdk/str.h"

void route_step_key(const struct outbound *o, const struct id *message, uint32_t step, struct id *ret_key)
{
    char text[64];
    int length = snprintf(text, sizeof text, "%s~%u", message->text, step);
    if (ids_event(o->host->envelope.ids, KANAL_LIT("_"), KANAL_LIT("step"),
                  kanal_str_of(text, (size_t)length), ret_key) != 0)
        *ret_key = (struct id){ "" };
}

uint32_t route_step_read(kanal_str header)
{
    int64_t step = 0;
    return kanal_str_int(header, &step) == 0 && step >= 1 && step <= ROUTE_STEP_MAX ? (uint32_t)step : 0;
}

static void write_step(struct kanal_json *json, const struct route_taken *taken)
{
    kanal_json_object(json);
    kanal_json_member_int(json, "step", taken->step);
    kanal_json_member_str(json, "channel", taken->channel);
    kanal_json_member_str(json, "address", taken->address);
    kanal_json_member_int(json, "started", taken->started_ms);
    if (taken->deadline_ms > 0) {
        kanal_json_member_int(json, "deadline", taken->deadline_ms);
        kanal_json_member_str(json, "unless", taken->unless);
    }
    kanal_json_member_nonempty(json, "from", taken->from);
    kanal_json_member_nonempty(json, "reason", taken->reason);
    if (taken->error) {
        kanal_json_key(json, "error");
        kanal_json_value(json, taken->error);
    }
    if (taken->cause > 0)
        kanal_json_member_int(json, "cause", (int64_t)taken->cause);
    kanal_json_object_end(json);
}

void route_state_write(struct kanal_buffer *out, yyjson_val *before, const struct command *command,
                       const struct route_taken *taken)
{
    struct kanal_json json;
    size_t index, max;
    yyjson_val *step, *steps = kanal_json_at(before, "steps");
    kanal_json_init(&json, out);
    kanal_json_object(&json);
    kanal_json_member_str(&json, "subject", command->subject);
    kanal_json_member_nonempty(&json, "replay", command->report.replay);
    kanal_json_key(&json, "command");
    kanal_json_value(&json, command->root);
    kanal_json_key(&json, "steps");
    kanal_json_array(&json);
    if (yyjson_is_arr(steps))
        yyjson_arr_foreach (steps, index, max, step)
            kanal_json_value(&json, step);
    write_step(&json, taken);
    kanal_json_array_end(&json);
    kanal_json_object_end(&json);
}

int route_state_last(yyjson_val *record, struct route_taken *ret_taken)
{
    yyjson_val *last = yyjson_arr_get_last(kanal_json_at(record, "steps"));
    int64_t step = kanal_json_int_at(last, "step", 0);
    if (step < 1 || step > ROUTE_STEP_MAX)
        return -1;
    *ret_taken = (struct route_taken){ .step = (uint32_t)step,
                                       .channel = kanal_json_text_at(last, "channel"),
                                       .address = kanal_json_text_at(last, "address"),
                                       .started_ms = kanal_json_int_at(last, "started", 0),
                                       .deadline_ms = kanal_json_int_at(last, "deadline", 0),
                                       .unless = kanal_json_text_at(last, "unless"),
                                       .from = kanal_json_text_at(last, "from"),
                                       .reason = kanal_json_text_at(last, "reason"),
                                       .error = kanal_json_at(last, "error"),
                                       .cause = (uint64_t)kanal_json_int_at(last, "cause", 0) };
    return 0;
}

size_t route_state_tried(yyjson_val *record, struct route_tried ret_tried[ROUTE_STEP_MAX])
{
    size_t index, max, count = 0;
    yyjson_val *step, *steps = kanal_json_at(record, "steps");
    if (yyjson_is_arr(steps))
        yyjson_arr_foreach (steps, index, max, step)
            if (count < ROUTE_STEP_MAX)
                ret_tried[count++] = (struct route_tried){ kanal_json_text_at(step, "channel"),
                                                           kanal_json_text_at(step, "address") };
    return count;
}
