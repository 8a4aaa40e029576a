#include "api/message_log.h"

#include <stdio.h>
#include <stdlib.h>

#include "broker/jetstream.h"
#include "broker/topology.h"
#include "kanal/sdk/json.h"
#include "outbound/outbound.h"

#define ENTRIES_MAX 10000u
#define LOOKS_MAX 5000u
#define BYTES_MAX (768u * 1024) /* an answer fits into the broker's default max_payload */

static api_handler_fn message_log;

const struct api_endpoint api_message_log_endpoints[] = {
    { "message-log", "What the provider was asked and answered for a message.", message_log },
};
const size_t api_message_log_endpoint_count =
    sizeof api_message_log_endpoints / sizeof *api_message_log_endpoints;

void api_message_log_init(struct api_message_log *api, struct broker *broker, const char *prefix)
{
    api->broker = broker;
    snprintf(api->prefix, sizeof api->prefix, "%s", prefix);
    topology_stream_name(prefix, "LOG", api->stream);
}

struct reading {
    const struct api_message_log *api;
    struct api_request *request;
    char id[257], subject[64];
    struct kanal_buffer body;
    struct kanal_json json;
    size_t entries, looks;
};

static void reading_free(struct reading *reading)
{
    kanal_buffer_release(&reading->body);
    free(reading);
}

static void end(struct reading *reading)
{
    kanal_json_array_end(&reading->json);
    kanal_json_object_end(&reading->json);
    if (reading->entries > 0)
        api_answer(reading->request, kanal_buffer_view(&reading->body));
    else
        api_refuse(
            reading->request, 404, "not_found",
            KANAL_LIT("nothing is kept of this message: it is unknown, too old, or went well at once on a "
                      "channel without `log: all`"),
            (kanal_str){ 0 });
    reading_free(reading);
}

/* 1: there is room for more. */
static int take(struct reading *reading, yyjson_val *record)
{
    size_t index, count;
    yyjson_val *entry;
    if (!kanal_str_is(kanal_json_text_at(record, "id"), reading->id))
        return 1;
    yyjson_arr_foreach (kanal_json_at(record, "entries"), index, count, entry) {
        if (reading->entries >= ENTRIES_MAX || reading->body.len >= BYTES_MAX)
            return 0;
        kanal_json_value(&reading->json, entry);
        reading->entries++;
    }
    return 1;
}

static void on_record(void *user, kanal_status status, const struct js_message *message)
{
    struct reading *reading = user;
    if (status == KANAL_E_NOT_FOUND) {
        end(reading);
        return;
    }
    if (status != KANAL_OK) {
        api_unavailable(reading->request, status);
        reading_free(reading);
        return;
    }
    yyjson_doc *document = kanal_json_parse(message->payload);
    int goes_on = take(reading, yyjson_doc_get_root(document)) && ++reading->looks < LOOKS_MAX;
    yyjson_doc_free(document);
    if (goes_on)
        js_get_next(reading->api->broker, reading->api->stream, kanal_str_c(reading->subject),
                    message->sequence + 1, on_record, reading);
    else
        end(reading);
}

static void message_log(void *user, struct api_request *request, kanal_str body)
{
    const struct api_message_log *api = user;
    yyjson_doc *document = api_read_body(request, body);
    if (!document)
        return;
    kanal_str id = kanal_json_text_at(yyjson_doc_get_root(document), "id");
    struct reading *reading = id.len > 0 && id.len < sizeof reading->id ? calloc(1, sizeof *reading) : NULL;
    if (reading) {
        reading->api = api;
        reading->request = request;
        memcpy(reading->id, id.ptr, id.len);
        log_subject(api->prefix, id, reading->subject);
        kanal_json_init(&reading->json, &reading->body);
        kanal_json_object(&reading->json);
        kanal_json_key(&reading->json, "entries");
        kanal_json_array(&reading->json);
        js_get_next(api->broker, api->stream, kanal_str_c(reading->subject), 1, on_record, reading);
    } else {
        api_refuse(request, 400, "invalid_request", KANAL_LIT("`id` must be the id of a command"),
                   (kanal_str){ 0 });
    }
    yyjson_doc_free(document);
}
