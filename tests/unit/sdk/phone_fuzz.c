/* Whatever is typed: no number is read that address_normalise() would refuse, and what was read is read again as itself. */
#include <stdlib.h>
#include "kanal/sdk/phone.h"

static void check(int fine)
{
    if (!fine)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kanal_buffer out = { 0 };
    struct kanal_phone phone, again;
    const char *why = NULL;
    if (size < 2)
        return 0;
    kanal_str region = kanal_str_of((const char *)data, 2),
              text = kanal_str_of((const char *)data + 2, size - 2);
    int status = kanal_phone_read(text, region, &phone, &why);
    check(status == 1 || why != NULL);
    if (status == 1) {
        size_t len = strlen(phone.number);
        check(phone.number[0] == '+' && phone.number[1] != '0' && len >= 4 && len <= 16);
        for (size_t i = 1; i < len; i++)
            check(phone.number[i] >= '0' && phone.number[i] <= '9');
        if (kanal_phone_read(kanal_str_c(phone.number), kanal_str_of(NULL, 0), &again, NULL) == 1)
            check(strlen(again.number) <= len);
    }
    check(kanal_phone_address(text, region, &out) != 1 || status == 1);
    kanal_buffer_clear(&out);
    check(kanal_mail_address(text, &out) != 1 || memchr(out.data, '@', out.len) != NULL);
    kanal_buffer_clear(&out);
    check(kanal_phone_e164(text, &out) != 1 || out.len <= 20);
    kanal_buffer_release(&out);
    return 0;
}
