#include "address.h"

#include "kanal/sdk/member.h"
#include "kanal/sdk/phone.h"
#include "kanal/sdk/url.h"

/* What Twilio puts in the place of a number that is not shown: the letters of a word on a telephone's keys.
 * https://www.twilio.com/docs/voice/api (caller ID). */
static int is_hidden(kanal_str party)
{
    static const char *const words[] = { "+266696687",   /* ANONYMOUS */
                                         "+7378742833",  /* RESTRICTED */
                                         "+2562533",     /* BLOCKED */
                                         "+8656696",     /* UNKNOWN */
                                         "+86282452253", /* UNAVAILABLE */
                                         "Anonymous",    "anonymous" };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (kanal_str_is(party, words[i]))
            return 1;
    return 0;
}

/* Text without controls: what can be asked for again as it stands. */
static int is_party(kanal_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] < ' ' || text.ptr[i] == 0x7f)
            return 0;
    return text.len > 0 && text.len <= TW_PARTY_BYTES_MAX && kanal_str_utf8(text);
}

static int is_number(kanal_str party)
{
    for (size_t i = 1; i < party.len; i++)
        if (party.ptr[i] < '0' || party.ptr[i] > '9')
            return 0;
    return kanal_str_starts(party, "+");
}

int tw_address_write(char out[TW_ADDRESS_BYTES], kanal_str party)
{
    struct kanal_buffer text = { 0 };
    out[0] = 0;
    if (!is_party(party) || is_hidden(party))
        return 0;
    if (!is_number(party) || kanal_phone_e164(kanal_str_from(party, 1), &text) != 1) {
        kanal_buffer_clear(&text);
        kanal_buffer_text(&text, "twilio:");
        kanal_url_encode(&text, party);
    }
    int fits = !text.failed && text.len < TW_ADDRESS_BYTES;
    if (fits) {
        memcpy(out, text.data, text.len);
        out[text.len] = 0;
    }
    kanal_buffer_release(&text);
    return fits;
}

int tw_address_read(char out[TW_PARTY_BYTES_MAX + 1], kanal_str address)
{
    struct kanal_buffer text = { 0 };
    int status = -1;
    out[0] = 0;
    if (kanal_str_starts(address, "tel:")) {
        if (kanal_str_starts(address, "tel:+") && kanal_phone_e164(kanal_str_from(address, 5), &text) == 1)
            status = 4; /* without its scheme */
    } else if (kanal_str_starts(address, "twilio:") &&
               kanal_url_decode(&text, kanal_str_from(address, 7), 0) == 0 && text.len > 0) {
        status = 0;
    }
    kanal_str party = kanal_str_from(kanal_buffer_view(&text), status > 0 ? 4 : 0);
    if (status >= 0 && is_party(party)) {
        memcpy(out, party.ptr, party.len);
        out[party.len] = 0;
        status = 0;
    } else {
        status = -1;
    }
    kanal_buffer_release(&text);
    return status;
}
