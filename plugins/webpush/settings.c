#include "settings.h"

#define ENDPOINT_BYTES_MAX 2048u

/* clang-format off */
const char settings_schema[] =
    "{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"public_key\",\"subject\"],\"properties\":{"
    "\"public_key\":{\"type\":\"string\",\"pattern\":\"^[A-Za-z0-9_-]{87}$\","
      "\"description\":\"The public half of the secret `vapid`, base64url: what pages subscribe with (applicationServerKey).\"},"
    "\"subject\":{\"type\":\"string\",\"maxLength\":256,\"pattern\":\"^(mailto:[^@ ]+@[^@ ]+|https://[^ ]+)$\","
      "\"description\":\"Where push services reach you: mailto:… or https://… (RFC 8292).\"},"
    "\"origins\":{\"type\":\"array\",\"maxItems\":256,\"default\":[],"
      "\"description\":\"Sites whose pages may subscribe: https://shop.example, https://*.shop.example, or * for any.\","
      "\"items\":" KANAL_ORIGIN_SCHEMA "},"
    "\"push_services\":{\"type\":\"array\",\"minItems\":1,\"maxItems\":32,"
      "\"default\":[\"fcm.googleapis.com\",\"*.push.services.mozilla.com\",\"*.notify.windows.com\",\"*.push.apple.com\"],"
      "\"description\":\"Hosts whose subscriptions are taken; a star stands for the first labels. Others than these need `egress` too.\","
      "\"items\":{\"type\":\"string\",\"maxLength\":255,\"pattern\":\"^(https?://)?([*][.])?[A-Za-z0-9.-]+(:[0-9]{1,5})?$\"}},"
    "\"title\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":120,\"description\":\"Heading of notifications that bring none.\"},"
    "\"icon\":{\"type\":\"string\",\"format\":\"uri\",\"pattern\":\"^https://\",\"maxLength\":1024},"
    "\"url\":{\"type\":\"string\",\"format\":\"uri\",\"pattern\":\"^https://\",\"maxLength\":1024,"
      "\"description\":\"Page that a click opens, if the message names none.\"},"
    "\"ttl_s\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":2419200,\"default\":86400,"
      "\"description\":\"How long a push service keeps a message for a browser that is away.\"},"
    "\"rate_per_minute\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":6000,\"default\":30,"
      "\"description\":\"Requests of one network address; 0: any number.\"},"
    "\"rate_burst\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":1000,\"default\":20}}}";
/* clang-format on */

static int read_key(struct settings *settings)
{
    struct kanal_buffer key = { 0 };
    int right = kanal_base64_decode(&key, settings->public_key_text,
                                    KANAL_BASE64_URL | KANAL_BASE64_UNPADDED) == KANAL_OK &&
                encrypt_is_public_key(kanal_buffer_view(&key));
    if (right)
        memcpy(settings->public_key, key.data, PUBLIC_KEY_BYTES);
    kanal_buffer_release(&key);
    return right;
}

kanal_status settings_read(struct settings *settings, kanal_str json, const char **ret_error)
{
    memset(settings, 0, sizeof *settings);
    *ret_error = "the settings cannot be read";
    settings->doc = kanal_json_parse(json);
    yyjson_val *root = yyjson_doc_get_root(settings->doc);
    if (root == NULL)
        return KANAL_E_INTERNAL;
    settings->origins = kanal_json_at(root, "origins");
    settings->push_services = kanal_json_at(root, "push_services");
    settings->public_key_text = kanal_json_text_at(root, "public_key");
    settings->subject = kanal_json_text_at(root, "subject");
    settings->title = kanal_json_text_at(root, "title");
    settings->icon = kanal_json_text_at(root, "icon");
    settings->url = kanal_json_text_at(root, "url");
    settings->ttl_s = kanal_json_int_at(root, "ttl_s", 86400);
    settings->rate_per_minute = (uint32_t)kanal_json_int_at(root, "rate_per_minute", 30);
    settings->rate_burst = (uint32_t)kanal_json_int_at(root, "rate_burst", 20);
    *ret_error = read_key(settings)
                     ? NULL
                     : "public_key is no point of P-256 (uncompressed, base64url, 87 characters)";
    return *ret_error ? KANAL_E_INVALID : KANAL_OK;
}

void settings_release(struct settings *settings)
{
    yyjson_doc_free(settings->doc);
    memset(settings, 0, sizeof *settings);
}

/* "host", "*.host", "host:8443", each perhaps behind "http://" (a stand-in) or "https://". */
static int matches(kanal_str pattern, const struct kanal_url *url)
{
    const char *scheme = kanal_str_starts(pattern, "http://") ? "http" : "https";
    const char *slashes = memmem(pattern.ptr, pattern.len, "://", 3);
    if (slashes != NULL)
        pattern = kanal_str_from(pattern, (size_t)(slashes - pattern.ptr) + 3);
    const char *colon = memchr(pattern.ptr, ':', pattern.len);
    kanal_str host = kanal_str_of(pattern.ptr, colon ? (size_t)(colon - pattern.ptr) : pattern.len);
    kanal_str port = colon ? kanal_str_from(pattern, host.len + 1) : kanal_str_of(NULL, 0);
    kanal_str actual_port = kanal_str_is(url->port, strcmp(scheme, "https") == 0 ? "443" : "80")
                                ? kanal_str_of(NULL, 0)
                                : url->port;
    if (!kanal_str_equal_nocase(url->scheme, kanal_str_c(scheme)) || !kanal_str_equal(port, actual_port))
        return 0;
    if (!kanal_str_starts(host, "*."))
        return kanal_str_equal_nocase(host, url->host);
    kanal_str tail = kanal_str_from(host, 1);
    return url->host.len > tail.len &&
           kanal_str_equal_nocase(tail, kanal_str_from(url->host, url->host.len - tail.len));
}

int settings_takes_endpoint(const struct settings *settings, kanal_str endpoint)
{
    struct kanal_url url;
    if (endpoint.len > ENDPOINT_BYTES_MAX || kanal_url_parse(endpoint, &url) != KANAL_OK ||
        url.userinfo.ptr != NULL || url.fragment.ptr != NULL || !kanal_str_ascii(endpoint))
        return 0;
    for (size_t i = 0; i < yyjson_arr_size(settings->push_services); i++) {
        if (matches(kanal_json_text(yyjson_arr_get(settings->push_services, i)), &url))
            return 1;
    }
    return 0;
}
