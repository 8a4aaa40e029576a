/* Event Streams (https://www.twilio.com/docs/events): CloudEvents in an array, as JSON. Those of messages say what the webhooks say, with
 * the same ids, so a message that is told both ways is one event. */
#include "events.h"

#define STATUS "com.twilio.messaging.message."
#define MEMBER "MessageStatus"
#define INCOMING "com.twilio.messaging.inbound-message.received"

/* The type names the status, which the data need not repeat. */
static kanal_status read_data(struct tw_params *params, yyjson_val *event, kanal_str type)
{
    kanal_status status = tw_params_read_json(params, kanal_json_at(event, "data"));
    int is_status = kanal_str_starts(type, STATUS) && tw_param(params, MEMBER).len == 0;
    if (status == KANAL_OK && is_status && params->count < TW_PARAMS_MAX)
        params->all[params->count++] =
            (struct tw_param){ KANAL_LIT(MEMBER), kanal_str_from(type, strlen(STATUS)) };
    return status;
}

static kanal_status read_event(struct tw_told *told, const struct tw_source *source, struct tw_params *params,
                               yyjson_val *event)
{
    struct tw_source here = *source;
    kanal_str type = kanal_json_text_at(event, "type");
    kanal_status status = read_data(params, event, type);
    if (status != KANAL_OK)
        return status;
    here.params = params;
    if (kanal_str_is(type, INCOMING))
        tw_read_message(told, &here);
    else if (kanal_str_starts(type, STATUS))
        tw_read_status(told, &here);
    else
        tw_ignore(told, "an event of another kind", type);
    return KANAL_OK;
}

kanal_status tw_read_stream(struct tw_told *told, const struct tw_source *source, yyjson_val *root)
{
    struct tw_params *params = calloc(1, sizeof *params);
    kanal_status status = params ? KANAL_OK : KANAL_E_INTERNAL;
    yyjson_val *event;
    size_t index, max;
    if (!yyjson_is_arr(root) && status == KANAL_OK) {
        status = yyjson_is_obj(root) ? read_event(told, source, params, root) : KANAL_E_INVALID;
    } else if (status == KANAL_OK) {
        yyjson_arr_foreach (root, index, max, event)
            if (status == KANAL_OK)
                status = read_event(told, source, params, event);
    }
    if (params)
        tw_params_release(params);
    free(params);
    return told->batch.failed ? KANAL_E_INTERNAL : status;
}
