#include "media.h"

#include "api.h"

#define REFERENCE_BYTES_MAX 200u

static int is_reference(kanal_str text)
{
    if (!kanal_str_starts(text, "Messages/") && !kanal_str_starts(text, "Recordings/"))
        return 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        int plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '/';
        if (!plain && (c != '.' || text.ptr[i - 1] == '/' || text.ptr[i - 1] == '.'))
            return 0;
    }
    return text.len <= REFERENCE_BYTES_MAX;
}

kanal_str tw_media_reference(kanal_str url, const char *account)
{
    static const char place[] = "/Accounts/";
    const char *found = url.len > 0 ? memmem(url.ptr, url.len, place, sizeof place - 1) : NULL;
    if (!found || (!kanal_str_starts(url, "https://") && !kanal_str_starts(url, "http://")))
        return kanal_str_of(NULL, 0);
    kanal_str rest = kanal_str_from(url, (size_t)(found - url.ptr) + sizeof place - 1);
    size_t len = strlen(account);
    if (!kanal_str_starts(rest, account) || rest.len <= len || rest.ptr[len] != '/')
        return kanal_str_of(NULL, 0);
    rest = kanal_str_from(rest, len + 1);
    return is_reference(rest) ? rest : kanal_str_of(NULL, 0);
}

void tw_media_write(struct kanal_json *json, kanal_str url, const char *account, const char *suffix)
{
    struct kanal_buffer text = { 0 };
    kanal_str reference = tw_media_reference(url, account);
    kanal_buffer_str(&text, reference);
    kanal_buffer_text(&text, suffix ? suffix : "");
    if (reference.len > 0 && !text.failed)
        kanal_json_member_str(json, "ref", kanal_buffer_view(&text));
    else
        kanal_json_member_text(json, "unavailable", "failed");
    kanal_buffer_release(&text);
}

void tw_media(struct kanal_channel *channel, kanal_op op, kanal_str reference)
{
    const kanal_host *host = channel->host;
    struct kanal_buffer url = { 0 };
    const kanal_secret_use secret = tw_api_secret(&channel->settings);
    tw_api_url(&url, &channel->settings, reference);
    kanal_http_request request = {
        .struct_size = sizeof request,
        .method = KANAL_LIT("GET"),
        .url = kanal_buffer_view(&url),
        .secrets = &secret,
        .secret_count = 1,
    };
    if (!is_reference(reference))
        host->locate(host, op, KANAL_E_NOT_FOUND, NULL);
    else if (url.failed)
        host->locate(host, op, KANAL_E_INTERNAL, NULL);
    else
        host->locate(host, op, KANAL_OK, &request);
    kanal_buffer_release(&url);
}
