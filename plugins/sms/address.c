#include "address.h"

#include "kanal/sdk/phone.h"
#include "kanal/sdk/url.h"

#define INTERNATIONAL_DIGITS_MIN                                                                             \
    11u /* without a type, a number of so many digits has its country code with it */
#define E164_DIGITS_MAX 15u
#define SHORT_DIGITS_MAX 20u
#define NAME_BYTES_MAX 11u

static int is_digits(kanal_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return 0;
    return text.len > 0;
}

static int write_tel(struct kanal_buffer *out, uint8_t ton, kanal_str number, kanal_str region)
{
    if (ton == SMS_TON_ALPHANUMERIC)
        return 0;
    if (ton == SMS_TON_INTERNATIONAL && is_digits(number))
        return kanal_phone_e164(number, out) == 1;
    if (kanal_str_starts(number, "+"))
        return kanal_phone_e164(kanal_str_from(number, 1), out) == 1;
    if (kanal_phone_address(number, region, out) == 1)
        return 1;
    if (ton == SMS_TON_NATIONAL || !is_digits(number))
        return 0;
    if (kanal_str_starts(number, "00"))
        return kanal_phone_e164(kanal_str_from(number, 2), out) == 1;
    return number.len >= INTERNATIONAL_DIGITS_MIN && number.len <= E164_DIGITS_MAX &&
           kanal_phone_e164(number, out) == 1;
}

int sms_uri_write(char out[SMS_URI_BYTES_MAX + 1], uint8_t ton, kanal_str number, kanal_str region)
{
    struct kanal_buffer text = { 0 };
    out[0] = 0;
    if (number.len > 0 && !write_tel(&text, ton, number, region)) {
        kanal_buffer_text(&text, "sms:");
        kanal_url_encode(&text, number);
    }
    int fits = !text.failed && text.len > 0 && text.len <= SMS_URI_BYTES_MAX;
    if (fits) {
        memcpy(out, text.data, text.len);
        out[text.len] = 0;
    }
    kanal_buffer_release(&text);
    return fits;
}

static void set_place(struct sms_place *place, uint8_t ton, uint8_t npi, kanal_str number)
{
    place->ton = ton;
    place->npi = npi;
    memcpy(place->number, number.ptr, number.len);
    place->number[number.len] = 0;
}

kanal_status sms_destination(struct sms_place *place, kanal_str uri, kanal_str region)
{
    struct kanal_buffer text = { 0 }, tel = { 0 };
    kanal_status status = KANAL_E_INVALID;
    int is_tel = kanal_str_starts(uri, "tel:"), is_sms = kanal_str_starts(uri, "sms:");
    memset(place, 0, sizeof *place);
    if ((is_tel || is_sms) && kanal_url_decode(&text, kanal_str_from(uri, 4), 0) == 0) {
        kanal_str number = kanal_buffer_view(&text);
        int is_global = is_tel && kanal_str_starts(number, "+");
        if ((is_global && kanal_phone_e164(kanal_str_from(number, 1), &tel) == 1) ||
            (is_tel && !is_global && kanal_phone_address(number, region, &tel) == 1)) {
            set_place(place, SMS_TON_INTERNATIONAL, 1, kanal_str_from(kanal_buffer_view(&tel), 5));
            status = KANAL_OK;
        } else if (is_sms && is_digits(number) && number.len <= SHORT_DIGITS_MAX) {
            set_place(place, SMS_TON_UNKNOWN, 1, number);
            status = KANAL_OK;
        }
    }
    kanal_buffer_release(&text);
    kanal_buffer_release(&tel);
    return status;
}

kanal_status sms_sender(struct sms_place *place, kanal_str text)
{
    int has_plus = kanal_str_starts(text, "+");
    kanal_str digits = kanal_str_from(text, has_plus ? 1 : 0);
    memset(place, 0, sizeof *place);
    if (is_digits(digits) && digits.len <= E164_DIGITS_MAX) {
        /* Seven digits and less are a code of the provider's own network. */
        int is_international = has_plus || digits.len > 7;
        set_place(place, is_international ? SMS_TON_INTERNATIONAL : SMS_TON_UNKNOWN, is_international ? 1 : 0,
                  digits);
        return KANAL_OK;
    }
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] < 0x20 || text.ptr[i] > 0x7e)
            return KANAL_E_INVALID;
    if (text.len == 0 || text.len > NAME_BYTES_MAX || has_plus)
        return KANAL_E_INVALID;
    set_place(place, SMS_TON_ALPHANUMERIC, 0, text);
    return KANAL_OK;
}
