#include "payload.h"

#define ACTIONS_MAX 2u /* what browsers show (Notification.maxActions) */
#define TTL_MAX_S 2419200

struct notification {
    kanal_str title, body, image, url;
    yyjson_val *options;
};

/* Text after text: a line break between. */
static void take_text(struct notification *n, kanal_str text)
{
    if (n->body.len == 0)
        n->body = text;
}

static const char *read_content(struct notification *n, yyjson_val *content)
{
    yyjson_val *part;
    size_t index, max;
    if (!yyjson_is_arr(content))
        return "there is no content";
    yyjson_arr_foreach (content, index, max, part) {
        kanal_str type = kanal_json_text_at(part, "type");
        if (kanal_str_is(type, "text")) {
            take_text(n, kanal_json_text_at(part, "text"));
        } else if (kanal_str_is(type, "image")) {
            n->image = kanal_json_text_at(part, "url");
            take_text(n, kanal_json_text_at(part, "caption"));
        } else if (kanal_str_is(type, "choice")) {
            n->options = kanal_json_at(part, "options");
            take_text(n, kanal_json_text_at(part, "text"));
        } else {
            return "a notification shows text, an image and buttons";
        }
    }
    return n->body.len > 0 || n->image.len > 0 ? NULL : "there is nothing to show";
}

/* A button of itself tells its payload to the service worker; one with a URL opens it. */
static void write_actions(struct kanal_json *json, yyjson_val *options)
{
    yyjson_val *option;
    size_t index, max;
    kanal_json_key(json, "actions");
    kanal_json_array(json);
    yyjson_arr_foreach (options, index, max, option) {
        kanal_str payload = kanal_json_text_at(option, "payload"), text = kanal_json_text_at(option, "text");
        if (index == ACTIONS_MAX)
            break;
        kanal_json_object(json);
        kanal_json_member_str(json, "action", payload.len > 0 ? payload : text);
        kanal_json_member_str(json, "title", text);
        kanal_member_uri(json, "url", kanal_json_text_at(option, "url"));
        kanal_json_object_end(json);
    }
    kanal_json_array_end(json);
}

/* Members that are taken over as they are. */
static void write_provider(struct kanal_json *json, yyjson_val *provider)
{
    kanal_member_uri(json, "badge", kanal_json_text_at(provider, "badge"));
    kanal_member_text_of(json, "lang", provider, "lang", 35);
    kanal_member_text_of(json, "dir", provider, "dir", 4);
    kanal_member_true_of(json, "silent", provider, "silent");
    kanal_member_true_of(json, "requireInteraction", provider, "require_interaction");
    kanal_member_true_of(json, "renotify", provider, "renotify");
    if (kanal_json_at(provider, "data") != NULL) {
        kanal_json_key(json, "data");
        kanal_value_copy(json, kanal_json_at(provider, "data"));
    }
}

static kanal_str first_of(kanal_str told, kanal_str otherwise)
{
    return told.len > 0 ? told : otherwise;
}

static int is_topic(kanal_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        int right = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                    c == '_';
        if (!right)
            return 0;
    }
    return text.len >= 1 && text.len <= 32;
}

static const char *read_options(struct push_options *options, const struct settings *settings,
                                yyjson_val *provider)
{
    static const char *const urgencies[] = { "very-low", "low", "normal", "high" };
    kanal_str urgency = kanal_json_text_at(provider, "urgency"),
              topic = kanal_json_text_at(provider, "topic");
    memset(options, 0, sizeof *options);
    options->ttl_s = kanal_json_int_at(provider, "ttl", settings->ttl_s);
    if (options->ttl_s < 0 || options->ttl_s > TTL_MAX_S)
        return "provider.ttl has to be 0 to 2419200 seconds";
    for (size_t i = 0; i < 4; i++) {
        if (kanal_str_is(urgency, urgencies[i]))
            kanal_batch_text(options->urgency, sizeof options->urgency, urgency);
    }
    if (urgency.len > 0 && options->urgency[0] == 0)
        return "provider.urgency is one of very-low, low, normal, high";
    if (topic.len > 0 && !is_topic(topic))
        return "provider.topic has to be 1 to 32 of A-Z a-z 0-9 - _";
    kanal_batch_text(options->topic, sizeof options->topic, topic);
    return NULL;
}

const char *payload_write(struct kanal_buffer *out, struct push_options *options,
                          const struct settings *settings, kanal_str id, yyjson_val *data)
{
    struct notification n = { 0 };
    struct kanal_json json;
    yyjson_val *provider = kanal_json_at(data, "provider");
    if (kanal_json_at(provider, "webpush") != NULL)
        provider = kanal_json_at(provider, "webpush");
    const char *fault = read_options(options, settings, provider);
    if (fault == NULL)
        fault = read_content(&n, kanal_json_at(data, "content"));
    if (fault != NULL)
        return fault;
    kanal_json_init(&json, out);
    kanal_json_object(&json);
    kanal_json_member_str(&json, "id", id);
    kanal_member_text(&json, "title", first_of(kanal_json_text_at(provider, "title"), settings->title), 120);
    kanal_member_text(&json, "body", n.body, SIZE_MAX);
    kanal_member_uri(&json, "image", n.image);
    kanal_member_uri(&json, "icon", first_of(kanal_json_text_at(provider, "icon"), settings->icon));
    kanal_member_uri(&json, "url", first_of(kanal_json_text_at(provider, "url"), settings->url));
    kanal_member_text(&json, "tag", first_of(kanal_json_text_at(provider, "tag"), id), 128);
    if (yyjson_arr_size(n.options) > 0)
        write_actions(&json, n.options);
    write_provider(&json, provider);
    kanal_json_object_end(&json);
    return out->failed ? "out of memory" : NULL;
}
