/* Commands and lines as they come, a line each; what is kept stays in its bounds and is printable. */
#include "kanal/sdk/str.h"
#include "mail/mail.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct mail_reply *reply)
{
    if (reply->len > MAIL_REPLY_MAX || (reply->code != 0 && (reply->code < 200 || reply->code > 599)))
        __builtin_trap();
    for (size_t i = 0; i < reply->len; i++)
        if (reply->text[i] < ' ' || reply->text[i] >= 0x7f)
            __builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mail_reply recipients[2] = { { 0 } };
    struct mail_dialogue d = { .recipients = recipients, .recipient_count = 2 };
    kanal_str rest = kanal_str_of((const char *)data, size);
    while (rest.len > 0) {
        const char *end = memchr(rest.ptr, '\n', rest.len);
        size_t len = end ? (size_t)(end - rest.ptr) + 1 : rest.len;
        if (rest.ptr[0] == '>')
            mail_dialogue_sent(&d, kanal_str_of(rest.ptr + 1, len - 1));
        else
            mail_dialogue_heard(&d, kanal_str_of(rest.ptr, len));
        rest = kanal_str_from(rest, len);
    }
    check(&d.last);
    check(&d.refusal);
    check(&recipients[0]);
    check(&recipients[1]);
    return 0;
}
