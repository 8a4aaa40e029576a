#include "event/envelope.h"

#include "event/address.h"
#include "event/media_url.h"
#include "kanal/sdk/json.h"

struct writer {
    struct kanal_json json;
    const struct envelope_context *context;
    const struct envelope_source *source;
    const kanal_event *event;
    struct envelope *out;
    struct id node, customer;
    int has_customer;
    int64_t now_ms;
};

void envelope_release(struct envelope *envelope)
{
    kanal_buffer_release(&envelope->subject);
    kanal_buffer_release(&envelope->json);
    kanal_buffer_release(&envelope->address);
}

static int refuse(struct envelope *envelope, int status, const char *error)
{
    envelope->error = error;
    return status;
}

/* Free-form members: what a provider, a page or a consumer wrote, copied as it is. */
static int is_free_form(kanal_str name)
{
    static const char *const names[] = { "provider", "properties", "traits", "attributes", "context", NULL };
    for (const char *const *n = names; *n; n++)
        if (kanal_str_is(name, *n))
            return 1;
    return 0;
}

static void write_value(struct writer *w, yyjson_val *value);

/* object: that the member is of; its "mime" goes with a "ref". */
static void write_member(struct writer *w, yyjson_val *object, kanal_str name, yyjson_val *value)
{
    if (w->source->is_core || is_free_form(name)) {
        kanal_json_key_str(&w->json, name);
        kanal_json_value(&w->json, value);
    } else if (kanal_str_is(name, "ref") && yyjson_is_str(value)) {
        struct kanal_buffer url = { 0 };
        if (media_url_write(w->context->ids, w->context->base_url, w->source->channel, kanal_json_text(value),
                            kanal_json_text_at(object, "mime"), w->now_ms + MEDIA_URL_LIFE_MS, &url) == 0)
            kanal_json_member_str(&w->json, "url", kanal_buffer_view(&url));
        kanal_buffer_release(&url);
    } else {
        kanal_json_key_str(&w->json, name);
        write_value(w, value);
    }
}

/* A plugin's media references become URLs of the gateway; everything else is copied. */
static void write_value(struct writer *w, yyjson_val *value)
{
    size_t index, max;
    yyjson_val *key, *member;
    if (yyjson_is_arr(value)) {
        kanal_json_array(&w->json);
        yyjson_arr_foreach (value, index, max, member)
            write_value(w, member);
        kanal_json_array_end(&w->json);
    } else if (yyjson_is_obj(value)) {
        kanal_json_object(&w->json);
        yyjson_obj_foreach (value, index, max, key, member)
            write_member(w, value, kanal_json_text(key), member);
        kanal_json_object_end(&w->json);
    } else {
        kanal_json_value(&w->json, value);
    }
}

/* The plugin's members of an object, less those that are the core's. */
static void write_members(struct writer *w, yyjson_val *object, const char *const *reserved)
{
    size_t index, max;
    yyjson_val *key, *member;
    if (!object)
        return;
    yyjson_obj_foreach (object, index, max, key, member) {
        kanal_str name = kanal_json_text(key);
        const char *const *r = reserved;
        while (*r && !kanal_str_is(name, *r))
            r++;
        if (!*r)
            write_member(w, object, name, member);
    }
}

static void write_customer(struct writer *w, yyjson_val *said)
{
    static const char *const reserved[] = { "id", "node", "address", NULL };
    if (!w->has_customer)
        return;
    kanal_json_key(&w->json, "customer");
    kanal_json_object(&w->json);
    kanal_json_member_str(&w->json, "id", kanal_str_of(w->customer.text, ID_LEN));
    kanal_json_member_str(&w->json, "node", kanal_str_of(w->node.text, ID_LEN));
    if (w->out->address.len > 0)
        kanal_json_member_str(&w->json, "address", kanal_buffer_view(&w->out->address));
    write_members(w, said, reserved);
    kanal_json_object_end(&w->json);
}

static void write_chat(struct writer *w, yyjson_val *said)
{
    static const char *const reserved[] = { "id", NULL };
    if (w->event->chat.len == 0)
        return;
    kanal_json_key(&w->json, "chat");
    kanal_json_object(&w->json);
    kanal_json_member_str(&w->json, "id", w->event->chat);
    write_members(w, said, reserved);
    kanal_json_object_end(&w->json);
}

static void write_message(struct writer *w, yyjson_val *said)
{
    static const char *const reserved[] = { "id", "external_id", NULL };
    kanal_json_key(&w->json, "message");
    kanal_json_object(&w->json);
    if (w->out->type->flags & EVENT_OF_COMMAND) {
        if (w->event->command_id.len > 0)
            kanal_json_member_str(&w->json, "id", w->event->command_id);
    } else if (kanal_str_is(w->event->type, "message.received")) {
        kanal_json_member_str(&w->json, "id",
                              w->source->corrects.len > 0 ? w->source->corrects
                                                          : kanal_str_of(w->out->id.text, ID_LEN));
    }
    if (w->event->external_id.len > 0)
        kanal_json_member_str(&w->json, "external_id", w->event->external_id);
    write_members(w, said, reserved);
    kanal_json_object_end(&w->json);
}

static void write_call(struct writer *w, yyjson_val *said)
{
    static const char *const reserved[] = { "id", "external_id", NULL };
    struct id id; /* of the call, the same in all its events */
    kanal_json_key(&w->json, "call");
    kanal_json_object(&w->json);
    if (ids_event(w->context->ids, w->source->channel, KANAL_LIT("call"), w->event->external_id, &id) == 0)
        kanal_json_member_text(&w->json, "id", id.text);
    if (w->event->external_id.len > 0)
        kanal_json_member_str(&w->json, "external_id", w->event->external_id);
    write_members(w, said, reserved);
    kanal_json_object_end(&w->json);
}

static void write_data(struct writer *w, yyjson_val *said)
{
    static const char *const reserved[] = { "channel", "customer", "chat", "message", "call", NULL };
    kanal_json_key(&w->json, "data");
    kanal_json_object(&w->json);
    if (!kanal_str_is(w->source->plugin, "_")) {
        kanal_json_key(&w->json, "channel");
        kanal_json_object(&w->json);
        kanal_json_member_str(&w->json, "id", w->source->channel);
        kanal_json_member_str(&w->json, "plugin", w->source->plugin);
        kanal_json_object_end(&w->json);
    }
    write_customer(w, kanal_json_at(said, "customer"));
    write_chat(w, kanal_json_at(said, "chat"));
    if (w->out->type->flags & EVENT_HAS_MESSAGE)
        write_message(w, kanal_json_at(said, "message"));
    if (w->out->type->flags & EVENT_HAS_CALL)
        write_call(w, kanal_json_at(said, "call"));
    write_members(w, said, reserved);
    kanal_json_object_end(&w->json);
}

static void write_envelope(struct writer *w, yyjson_val *said)
{
    struct kanal_buffer *out = &w->out->json;
    kanal_json_init(&w->json, out);
    kanal_json_object(&w->json);
    kanal_json_member_str(&w->json, "specversion", KANAL_LIT("1.0"));
    kanal_json_member_str(&w->json, "id", kanal_str_of(w->out->id.text, ID_LEN));
    kanal_json_member_str(&w->json, "type", w->event->type);
    kanal_json_key(&w->json, "source"); /* of checked characters only */
    kanal_json_raw(&w->json, KANAL_LIT("\"urn:kanal:"));
    kanal_buffer_str(out, w->context->prefix);
    kanal_buffer_byte(out, ':');
    kanal_buffer_str(out, w->source->channel);
    kanal_buffer_byte(out, '"');
    if (w->has_customer)
        kanal_json_member_str(&w->json, "subject", kanal_str_of(w->node.text, ID_LEN));
    kanal_json_member_time(&w->json, "time", w->event->time_ms > 0 ? w->event->time_ms : w->now_ms);
    kanal_json_member_time(&w->json, "recordedtime", w->now_ms);
    kanal_json_member_str(&w->json, "datacontenttype", KANAL_LIT("application/json"));
    kanal_json_key(&w->json, "dataschema");
    kanal_json_raw(&w->json, KANAL_LIT("\"urn:kanal:schema:"));
    kanal_buffer_str(out, w->event->type);
    kanal_buffer_text(out, ":1\"");
    if (w->source->traceparent.len > 0)
        kanal_json_member_str(&w->json, "traceparent", w->source->traceparent);
    if (w->source->corrects.len > 0)
        kanal_json_member_str(&w->json, "corrects", w->source->corrects);
    write_data(w, said);
    kanal_json_object_end(&w->json);
}

static void write_subject(struct writer *w)
{
    static const char *const families[] = { ".events.", ".activity.", ".live." };
    struct kanal_buffer *out = &w->out->subject;
    kanal_buffer_str(out, w->context->prefix);
    kanal_buffer_text(out, families[w->out->type->class]);
    kanal_buffer_str(out, w->source->plugin);
    kanal_buffer_byte(out, '.');
    kanal_buffer_str(out, w->source->channel);
    kanal_buffer_byte(out, '.');
    kanal_buffer_str(out, w->event->type);
    kanal_buffer_byte(out, '.');
    if (!w->has_customer) {
        kanal_buffer_byte(out, '_');
    } else if (w->out->type->class == EVENT_ACTIVITY) {
        char bucket[4];
        ids_bucket(&w->node, bucket);
        kanal_buffer_text(out, bucket);
    } else {
        kanal_buffer_append(out, w->node.text, ID_LEN);
    }
}

static void find_person(struct writer *w)
{
    const struct envelope_context *context = w->context;
    if (context->customer)
        context->customer(context->customer_user, &w->node, &w->customer);
    else
        ids_customer(&w->node, &w->customer);
    w->has_customer = 1;
}

static int take_node(struct writer *w)
{
    unsigned char bytes[16];
    if (ids_bytes(w->source->node, bytes) != 0)
        return refuse(w->out, KANAL_E_INVALID, "the node is no id");
    ids_text("a_", bytes, &w->node);
    find_person(w);
    return 0;
}

/* Who: the address in its normal form, and the node and customer that it stands for. */
static int find_customer(struct writer *w)
{
    if (w->event->address.len == 0 && w->source->is_core && w->source->node.len > 0)
        return take_node(w);
    if (w->event->address.len == 0)
        return w->out->type->flags & EVENT_NEEDS_ADDRESS
                   ? refuse(w->out, KANAL_E_INVALID, "this type of event needs the customer's address")
                   : 0;
    if (address_normalise(w->event->address, &w->out->address) != 0)
        return refuse(w->out, KANAL_E_INVALID,
                      "the address is no URI of a known form with percent-encoded parts");
    if (ids_node(w->context->ids, kanal_buffer_view(&w->out->address), &w->node) != 0)
        return refuse(w->out, KANAL_E_INTERNAL, "hashing failed");
    find_person(w);
    return 0;
}

static int check(struct writer *w)
{
    const kanal_event *event = w->event;
    w->out->type = event_type_find(event->type);
    if (!w->out->type)
        return refuse(w->out, KANAL_E_INVALID, "unknown event type");
    if (!w->source->is_core && !(w->out->type->flags & EVENT_BY_PLUGIN))
        return refuse(w->out, KANAL_E_DENIED, "plugins may not publish this type");
    if (event->dedupe.len == 0 || event->dedupe.len > 1024)
        return refuse(w->out, KANAL_E_INVALID, "a dedupe key of 1 to 1024 bytes is required");
    if (event->data.len > ENVELOPE_DATA_MAX)
        return refuse(w->out, KANAL_E_TOO_LARGE, "data is over 512 KiB");
    if (event->chat.len > 512 || event->external_id.len > 512 || event->command_id.len > 256)
        return refuse(w->out, KANAL_E_INVALID, "chat, external_id or command_id is too long");
    if (ids_event(w->context->ids, w->source->channel, event->type, event->dedupe, &w->out->id) != 0)
        return refuse(w->out, KANAL_E_INTERNAL, "hashing failed");
    if ((w->out->type->flags & EVENT_HAS_CALL) && event->external_id.len == 0)
        return refuse(w->out, KANAL_E_INVALID, "a call needs the provider's id of it as external_id");
    return find_customer(w);
}

/* What the customer's message is an answer to: the document with that, or the one that was given. */
static yyjson_doc *answered(const struct writer *w, yyjson_doc *document)
{
    const struct envelope_context *context = w->context;
    struct kanal_buffer text = { 0 };
    if (!context->answer || w->source->is_core || !kanal_str_is(w->event->type, "message.received"))
        return document;
    struct envelope_incoming incoming = { .id = kanal_str_of(w->out->id.text, ID_LEN),
                                          .channel = w->source->channel,
                                          .address = kanal_buffer_view(&w->out->address),
                                          .chat = w->event->chat };
    yyjson_doc *other = context->answer(context->answer_user, &incoming, yyjson_doc_get_root(document), &text)
                            ? kanal_json_parse(kanal_buffer_view(&text))
                            : NULL;
    kanal_buffer_release(&text);
    if (!other)
        return document;
    yyjson_doc_free(document);
    return other;
}

int envelope_write(struct envelope *envelope, const struct envelope_context *context,
                   const struct envelope_source *source, const kanal_event *event, int64_t now_ms)
{
    struct writer w = {
        .context = context, .source = source, .event = event, .out = envelope, .now_ms = now_ms
    };
    kanal_buffer_clear(&envelope->subject);
    kanal_buffer_clear(&envelope->json);
    kanal_buffer_clear(&envelope->address);
    envelope->error = NULL;
    int status = check(&w);
    if (status != 0)
        return status;
    char memory[KANAL_JSON_MEMORY];
    yyjson_doc *document =
        kanal_json_parse_in(event->data.len > 0 ? event->data : KANAL_LIT("{}"), memory, sizeof memory);
    yyjson_val *said = yyjson_doc_get_root(document);
    if (!yyjson_is_obj(said)) {
        yyjson_doc_free(document);
        return refuse(envelope, KANAL_E_INVALID, "data is not one JSON object");
    }
    document = answered(&w, document);
    said = yyjson_doc_get_root(document);
    write_envelope(&w, said);
    write_subject(&w);
    yyjson_doc_free(document);
    if (envelope->json.failed || envelope->subject.failed)
        return refuse(envelope, KANAL_E_INTERNAL, "out of memory");
    return 0;
}
