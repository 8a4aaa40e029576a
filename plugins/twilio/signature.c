#include "signature.h"

#include <openssl/evp.h>

#include "kanal/sdk/base64.h"
#include "kanal/sdk/url.h"

int tw_signature_read(unsigned char out[TW_MAC_BYTES], kanal_str header)
{
    struct kanal_buffer mac = { 0 };
    int is_mac = header.len <= 64 && kanal_base64_decode(&mac, header, 0) == 0 && mac.len == TW_MAC_BYTES;
    if (is_mac)
        memcpy(out, mac.data, TW_MAC_BYTES);
    kanal_buffer_release(&mac);
    return is_mac ? 0 : -1;
}

/* With the scheme's port where there is none, else without it. */
static void append_other_port(struct kanal_buffer *out, kanal_str url, const struct kanal_url *parsed)
{
    size_t end = parsed->scheme.len + 3; /* of the authority */
    while (end < url.len && !strchr("/?#", url.ptr[end]))
        end++;
    if (parsed->port.len > 0) {
        kanal_buffer_append(out, url.ptr, end - parsed->port.len - 1);
    } else {
        kanal_buffer_append(out, url.ptr, end);
        kanal_buffer_text(out, kanal_str_is(parsed->scheme, "https") ? ":443" : ":80");
    }
    kanal_buffer_str(out, kanal_str_from(url, end));
}

kanal_status tw_signature_url(struct kanal_buffer *out, kanal_str url, unsigned form)
{
    struct kanal_url parsed;
    if (kanal_url_parse(url, &parsed) != 0)
        return KANAL_E_INVALID;
    if (form & 1)
        append_other_port(out, url, &parsed);
    else
        kanal_buffer_str(out, url);
    if (form & 2)
        kanal_buffer_text(out, TW_URL_AGAIN);
    return KANAL_OK;
}

static int order(kanal_str a, kanal_str b)
{
    size_t least = a.len < b.len ? a.len : b.len;
    int difference = least > 0 ? memcmp(a.ptr, b.ptr, least) : 0;
    return difference != 0 ? difference : (a.len > b.len) - (a.len < b.len);
}

static int by_name(const void *a, const void *b)
{
    const struct tw_param *one = a, *other = b;
    int difference = order(one->name, other->name);
    return difference != 0 ? difference : order(one->value, other->value);
}

void tw_signature_params(struct kanal_buffer *out, const struct tw_params *params)
{
    struct tw_param sorted[TW_PARAMS_MAX];
    if (params->count == 0)
        return;
    memcpy(sorted, params->all, params->count * sizeof *sorted);
    qsort(sorted, params->count, sizeof *sorted, by_name);
    for (size_t i = 0; i < params->count; i++) {
        if (i > 0 && by_name(&sorted[i], &sorted[i - 1]) == 0)
            continue;
        kanal_buffer_str(out, sorted[i].name);
        kanal_buffer_str(out, sorted[i].value);
    }
}

int tw_signature_body_is(kanal_str digest, kanal_str body)
{
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    struct kanal_buffer told = { 0 };
    int is_same = kanal_hex_decode(&told, digest) == 0 &&
                  EVP_Digest(body.len > 0 ? body.ptr : "", body.len, hash, &len, EVP_sha256(), NULL) == 1 &&
                  told.len == len && memcmp(told.data, hash, len) == 0;
    kanal_buffer_release(&told);
    return is_same;
}
