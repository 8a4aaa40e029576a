#include "settings.h"
#include "mapping.h"

/* clang-format off */
#define POINTER "{\"type\":\"string\",\"maxLength\":1024,\"pattern\":\"^@?(/.*)?$\"}"
#define TEXT_TEMPLATE "{\"type\":[\"string\",\"object\"]}"

const char settings_schema[] =
    "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"
    "\"events\":{\"type\":\"array\",\"maxItems\":64,\"default\":[],"
      "\"description\":\"Rules: which payload becomes which event. Every rule whose `when` holds makes one, or one for each element.\","
      "\"items\":{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"type\",\"data\"],\"properties\":{"
        "\"when\":{\"type\":\"object\",\"maxProperties\":16,"
          "\"description\":\"What stands at each pointer: a value, one of a list, {exists: true}, {not: value}, {prefix: text}.\"},"
        "\"type\":{\"enum\":[\"message.received\",\"message.edited\",\"message.deleted\",\"message.reacted\",\"message.sent\","
          "\"message.delivered\",\"message.read\",\"message.failed\",\"typing.started\",\"conversation.started\",\"call.started\","
          "\"call.answered\",\"call.ended\",\"call.missed\",\"form.submitted\",\"activity.tracked\",\"profile.observed\","
          "\"consent.given\",\"consent.withdrawn\"]},"
        "\"each\":" POINTER ","
        "\"address\":" TEXT_TEMPLATE ",\"chat\":" TEXT_TEMPLATE ",\"external_id\":" TEXT_TEMPLATE ",\"command_id\":" TEXT_TEMPLATE ","
        "\"dedupe\":" TEXT_TEMPLATE ",\"time\":" TEXT_TEMPLATE ","
        "\"data\":{\"type\":\"object\",\"description\":\"The event's own members, as templates.\"}}}},"
    "\"unmatched\":{\"enum\":[\"accept\",\"refuse\"],\"default\":\"accept\","
      "\"description\":\"A payload for which no rule holds: taken and counted, or answered with 422.\"},"
    "\"tolerance_s\":{\"type\":\"integer\",\"minimum\":10,\"maximum\":3600,\"default\":300,"
      "\"description\":\"How old, or how far in the future, webhook-timestamp may be.\"},"
    "\"default_country\":{\"type\":\"string\",\"pattern\":\"^[A-Z]{2}$\",\"x-kanal-default\":\"identity.default_region\","
      "\"description\":\"Whose national phone numbers `as: tel` understands.\"},"
    "\"url\":{\"type\":\"string\",\"format\":\"uri\",\"pattern\":\"^https?://\",\"maxLength\":2048,"
      "\"description\":\"Where deliveries are posted to. Absent: nothing goes out.\"},"
    "\"body\":{\"type\":\"object\",\"description\":\"The body of outgoing requests, as a template over the delivery. Absent: all of the delivery.\"},"
    "\"headers\":{\"type\":\"object\",\"maxProperties\":16,\"propertyNames\":{\"pattern\":\"^[a-z][a-z0-9-]{0,63}$\"},"
      "\"additionalProperties\":{\"type\":\"string\",\"maxLength\":1024,\"pattern\":\"^[ -~]*$\"},"
      "\"description\":\"More headers of outgoing requests, in lower case.\"},"
    "\"bearer\":{\"type\":\"boolean\",\"default\":false,"
      "\"description\":\"Send the secret `token` as Authorization: Bearer.\"},"
    "\"external_id\":{\"type\":\"string\",\"maxLength\":1024,\"pattern\":\"^/\","
      "\"description\":\"Where the answer's JSON has the other system's id of the message. Absent: webhook-id.\"}}}";
/* clang-format on */

static kanal_status complain(struct kanal_buffer *why, const char *what)
{
    kanal_buffer_text(why, what);
    return KANAL_E_INVALID;
}

/* Headers that the signature, the body or the connection own. */
static int is_own_header(kanal_str name)
{
    static const char *const own[] = { "authorization", "connection", "content-length",
                                       "content-type",  "host",       "transfer-encoding" };
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        if (kanal_str_is(name, own[i]))
            return 1;
    }
    return kanal_str_starts(name, "webhook-");
}

static kanal_status check_out(const struct settings *settings, struct kanal_buffer *why)
{
    struct kanal_url url;
    yyjson_obj_iter headers = yyjson_obj_iter_with(settings->headers);
    yyjson_val *key;
    if (settings->url.len > 0 && kanal_url_parse(settings->url, &url) != KANAL_OK)
        return complain(why, "url is no absolute http or https URL");
    if (settings->url.len == 0 &&
        (settings->body != NULL || settings->headers != NULL || settings->external_id != NULL))
        return complain(why, "body, headers and external_id say how to send, but there is no url");
    if (settings->url.len == 0 && yyjson_arr_size(settings->events) == 0)
        return complain(why, "there is neither a rule in `events` nor a `url`: the channel would do nothing");
    while ((key = yyjson_obj_iter_next(&headers)) != NULL) {
        if (is_own_header(kanal_json_text(key)))
            return complain(why, "headers: authorization (use bearer), webhook-* and those of the connection "
                                 "are not yours to set");
    }
    if (settings->external_id != NULL &&
        template_check_pointer(settings->external_id, KANAL_LIT("external_id"), why) != KANAL_OK)
        return KANAL_E_INVALID;
    return settings->body ? template_check(settings->body, KANAL_LIT("body"), why) : KANAL_OK;
}

kanal_status settings_read(struct settings *settings, kanal_str json, struct kanal_buffer *why)
{
    memset(settings, 0, sizeof *settings);
    settings->doc = kanal_json_parse(json);
    yyjson_val *root = yyjson_doc_get_root(settings->doc);
    if (root == NULL)
        return complain(why, "the settings are nested too deeply");
    settings->events = kanal_json_at(root, "events");
    settings->body = kanal_json_at(root, "body");
    settings->headers = kanal_json_at(root, "headers");
    settings->external_id = kanal_json_at(root, "external_id");
    settings->url = kanal_json_text_at(root, "url");
    settings->default_country = kanal_json_text_at(root, "default_country");
    settings->tolerance_s = kanal_json_int_at(root, "tolerance_s", 300);
    settings->refuses_unmatched = kanal_str_is(kanal_json_text_at(root, "unmatched"), "refuse");
    settings->uses_bearer = kanal_json_bool_at(root, "bearer");
    kanal_status status = mapping_check(settings->events, why);
    return status == KANAL_OK ? check_out(settings, why) : status;
}

void settings_release(struct settings *settings)
{
    yyjson_doc_free(settings->doc);
    memset(settings, 0, sizeof *settings);
}
