#include "outbound/parts.h"

#include "kanal/sdk/str.h"

static int is_strict(yyjson_val *command)
{
    return kanal_str_is(kanal_json_text_at(command, "adapt"), "strict");
}

static void whole(struct parts *parts)
{
    uint32_t size = (uint32_t)yyjson_arr_size(parts->content);
    parts->count = size > 0;
    parts->ranges[0] = (struct adapt_range){ 0, size };
}

void parts_make(struct parts *parts, yyjson_val *command, kanal_str verb, const struct adapt_target *target)
{
    parts->content = adapt_content(command, target, &parts->variant);
    parts->is_adapted = parts->is_mixed = 0;
    parts->adapted = (struct adapted){ 0 };
    parts->error = NULL;
    parts->count = 0;
    if (!parts->content)
        return;
    parts->is_mixed = (target->caps & KANAL_CAP_MIXED) != 0;
    if (kanal_str_is(verb, "call.start")) { /* said in one go, however many parts it has */
        whole(parts);
    } else if (adapt_fits(parts->content, target)) {
        if (parts->is_mixed)
            whole(parts);
        else
            parts->count = adapt_ranges(parts->content, target->caps, parts->ranges);
    } else {
        parts->is_adapted = 1;
        adapt(&parts->adapted, parts->content, target);
        parts->count = parts->is_mixed ? parts->adapted.part_count > 0 : parts->adapted.part_count;
        parts->error = parts->adapted.error;
        if (!parts->error && parts->adapted.loss_count > 0 && is_strict(command))
            parts->error = "unsupported_content";
    }
    if (!parts->error && parts->count > 1 && kanal_str_is(verb, "message.edit"))
        parts->error = "unsupported_content";
}

void parts_release(struct parts *parts)
{
    adapted_release(&parts->adapted);
    parts->content = NULL;
    parts->count = 0;
    parts->is_adapted = 0;
}

static void explain_losses(const struct adapted *adapted, struct kanal_buffer *out)
{
    for (uint32_t i = 0; i < adapted->loss_count; i++) {
        const struct adapt_loss *loss = &adapted->losses[i];
        kanal_buffer_text(out, i > 0 ? "; content/" : "content/");
        kanal_buffer_uint(out, loss->index);
        kanal_buffer_text(out, " (");
        kanal_buffer_str(out, loss->type);
        kanal_buffer_text(out, "): ");
        kanal_buffer_text(out, loss->detail);
    }
}

void parts_explain(const struct parts *parts, struct kanal_buffer *out)
{
    const struct adapted *adapted = &parts->adapted;
    if (adapted->error && adapted->error_type.len > 0 && strcmp(adapted->error, "unsupported_content") == 0) {
        kanal_buffer_text(out, "the channel cannot show a part of type ");
        kanal_buffer_str(out, adapted->error_type);
        kanal_buffer_text(out, ", nor a replacement of it: ");
    } else if (adapted->error && strcmp(adapted->error, "payload_too_large") == 0) {
        kanal_buffer_text(out, "on this channel it would be more than 256 messages, or its messages hold no "
                               "text at all: ");
    } else if (parts->error && parts->count > 1 && adapted->loss_count == 0) {
        kanal_buffer_text(out, "on this channel it would be several messages, and an edit has one");
    }
    explain_losses(adapted, out);
}

/* ---- What the plugin gets ---- */

/* What was split, in one array again. */
static void write_joined(const struct parts *parts, struct kanal_json *json)
{
    kanal_json_array(json);
    for (uint32_t i = 0; i < parts->adapted.part_count; i++) {
        const struct adapt_part *bytes = &parts->adapted.parts[i];
        yyjson_doc *doc = kanal_json_parse(
            kanal_str_of(parts->adapted.json.data + bytes->first, bytes->end - bytes->first));
        size_t index, max;
        yyjson_val *value;
        yyjson_arr_foreach (yyjson_doc_get_root(doc), index, max, value)
            kanal_json_value(json, value);
        yyjson_doc_free(doc);
    }
    kanal_json_array_end(json);
}

static void write_content(const struct parts *parts, uint32_t part, struct kanal_json *json)
{
    if (part == 0 || part > parts->count)
        return;
    kanal_json_key(json, "content");
    if (parts->is_adapted && parts->is_mixed) {
        write_joined(parts, json);
        return;
    }
    if (parts->is_adapted) {
        const struct adapt_part *bytes = &parts->adapted.parts[part - 1];
        kanal_json_raw(json,
                       kanal_str_of(parts->adapted.json.data + bytes->first, bytes->end - bytes->first));
        return;
    }
    kanal_json_array(json);
    for (uint32_t i = parts->ranges[part - 1].first; i < parts->ranges[part - 1].end; i++)
        kanal_json_value(json, yyjson_arr_get(parts->content, i));
    kanal_json_array_end(json);
}

void parts_write(const struct parts *parts, uint32_t part, yyjson_val *command, struct kanal_buffer *out)
{
    /* These are the core's business, not the provider's. `expires` goes along: an SMS centre keeps a message, and wants
     * to know for how long. */
    static const char *const skipped[] = { "id",       "type",       "to",           "content",     "class",
                                           "purpose",  "at",         "reference",    "variants",    "route",
                                           "adapt",    "on_unknown", "conversation", "traceparent", "message",
                                           "reply_to", NULL };
    struct kanal_json json;
    size_t index, max;
    yyjson_val *key, *value;
    kanal_json_init(&json, out);
    kanal_json_object(&json);
    write_content(parts, part, &json);
    if (yyjson_is_obj(command))
        yyjson_obj_foreach (command, index, max, key, value) {
            kanal_str name = kanal_json_text(key);
            const char *const *skip = skipped;
            while (*skip && !kanal_str_is(name, *skip))
                skip++;
            if (*skip)
                continue;
            kanal_json_key_str(&json, name);
            kanal_json_value(&json, value);
        }
    kanal_json_object_end(&json);
}
