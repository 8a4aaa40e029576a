/* An event as the streams have it, read. */
#include "kanal/sdk/time.h"
#include "project/projector.h"

/* "<prefix>.events.<plugin>.<channel>.<object>.<verb>.<node>": the tokens after the family. The prefix has no dot. */
static int read_subject(struct projected *event)
{
    kanal_str rest = event->subject, tokens[7];
    size_t n = 0;
    for (; n < 7; n++) {
        const char *dot = rest.len > 0 ? memchr(rest.ptr, '.', rest.len) : NULL;
        tokens[n] = dot ? kanal_str_of(rest.ptr, (size_t)(dot - rest.ptr)) : rest;
        rest = kanal_str_from(rest, tokens[n].len + 1);
        if (tokens[n].len == 0)
            return KANAL_E_INVALID;
    }
    event->plugin = tokens[2];
    event->channel = tokens[3];
    return rest.len == 0 ? 0 : KANAL_E_INVALID;
}

void projected_subject(kanal_str prefix, const char *family, kanal_str plugin, kanal_str channel,
                       kanal_str type, struct kanal_buffer *out)
{
    const kanal_str tokens[] = { prefix, kanal_str_c(family), plugin, channel, type };
    for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++) {
        kanal_buffer_str(out, tokens[i]);
        kanal_buffer_byte(out, '.');
    }
}

static void keep_id(struct id *ret_id, kanal_str text, char kind)
{
    ret_id->text[0] = '\0';
    if (text.len == ID_LEN && text.ptr[0] == kind && text.ptr[1] == '_')
        kanal_str_keep(ret_id->text, sizeof ret_id->text, text);
}

static int read_envelope(struct projected *event, yyjson_val *root)
{
    yyjson_val *customer;
    event->root = root;
    event->data = kanal_json_at(root, "data");
    event->id = kanal_json_text_at(root, "id");
    event->type = kanal_json_text_at(root, "type");
    if (!yyjson_is_obj(event->data) || event->id.len != ID_LEN || !event_type_find(event->type) ||
        kanal_time_parse_rfc3339(kanal_json_text_at(root, "time"), &event->time_ms) != 0 ||
        kanal_time_parse_rfc3339(kanal_json_text_at(root, "recordedtime"), &event->recorded_ms) != 0)
        return KANAL_E_INVALID;
    /* A clock that is ahead, or somebody who says so: else their word would stay the latest for ever. */
    if (event->time_ms > event->recorded_ms)
        event->time_ms = event->recorded_ms;
    customer = kanal_json_at(event->data, "customer");
    keep_id(&event->node, kanal_json_text_at(customer, "node"), 'a');
    keep_id(&event->customer, kanal_json_text_at(customer, "id"), 'c');
    event->address = kanal_json_text_at(customer, "address");
    return 0;
}

int projected_read(struct projected *ret, enum projected_stream stream, kanal_str subject, kanal_str json,
                   yyjson_doc **ret_document)
{
    struct projected event = { .stream = stream, .subject = subject, .json = json };
    yyjson_doc *document = kanal_json_parse(json);
    if (!document || read_subject(&event) != 0 || read_envelope(&event, yyjson_doc_get_root(document)) != 0) {
        yyjson_doc_free(document);
        return KANAL_E_INVALID;
    }
    *ret = event;
    *ret_document = document;
    return 0;
}
