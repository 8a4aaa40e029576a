#include "handoff/url.h"

#include "kanal/sdk/str.h"
#include "kanal/sdk/url.h"

static size_t find(kanal_str text, const char *what)
{
    size_t at = 0;
    while (at < text.len && !kanal_str_starts(kanal_str_from(text, at), what))
        at++;
    return at;
}

int handoff_url(kanal_str uri_template, kanal_str reference, kanal_str text, struct kanal_buffer *out)
{
    size_t begun = out->len, at = find(uri_template, "{");
    kanal_str rest = kanal_str_from(uri_template, at);
    int with_text = kanal_str_starts(rest, "{text}");
    kanal_buffer_append(out, uri_template.ptr, at);
    if (with_text && text.len > 0) {
        kanal_url_encode(out, text);
        kanal_url_encode(out, KANAL_LIT(" "));
    }
    kanal_url_encode(out, reference);
    kanal_buffer_str(out, kanal_str_from(rest, find(rest, "}") + 1));
    if (!out->failed && out->len - begun <= HANDOFF_URL_MAX)
        return 0;
    int status = out->failed ? KANAL_E_INTERNAL : KANAL_E_TOO_LARGE;
    out->len = begun;
    return status;
}
