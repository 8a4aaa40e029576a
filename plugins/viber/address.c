#include "address.h"

#include "kanal/sdk/url.h"

int viber_address_write(char *out, size_t size, const char *account, kanal_str user)
{
    struct kanal_buffer text = { 0 };
    out[0] = 0;
    if (user.len == 0 || user.len > VIBER_USER_BYTES_MAX)
        return 0;
    kanal_buffer_text(&text, "viber:");
    kanal_url_encode(&text, kanal_str_c(account));
    kanal_buffer_byte(&text, '/');
    kanal_url_encode(&text, user);
    int fits = !text.failed && text.len < size;
    if (fits) {
        memcpy(out, text.data, text.len);
        out[text.len] = 0;
    }
    kanal_buffer_release(&text);
    return fits;
}

static int decode(struct kanal_buffer *out, kanal_str text)
{
    kanal_buffer_clear(out);
    return kanal_url_decode(out, text, 0) == 0 && !out->failed ? 0 : -1;
}

int viber_address_read(char out[VIBER_USER_BYTES_MAX + 1], const char *account, kanal_str address)
{
    struct kanal_buffer text = { 0 };
    int status = -1;
    size_t slash = 6;
    out[0] = 0;
    if (!kanal_str_starts(address, "viber:"))
        return -1;
    while (slash < address.len && address.ptr[slash] != '/')
        slash++;
    if (slash < address.len && decode(&text, kanal_str_of(address.ptr + 6, slash - 6)) == 0 &&
        kanal_str_is(kanal_buffer_view(&text), account) &&
        decode(&text, kanal_str_from(address, slash + 1)) == 0 && text.len > 0 &&
        text.len <= VIBER_USER_BYTES_MAX) {
        memcpy(out, text.data, text.len);
        out[text.len] = 0;
        status = 0;
    }
    kanal_buffer_release(&text);
    return status;
}
