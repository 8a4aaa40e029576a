/* What a scanner makes of them: tests/integration/gateway/handoff.test.mjs. */
#include <criterion/criterion.h>

#include "handoff/qr.h"
#include "kanal/sdk/str.h"

static int (*const writers[])(kanal_str, struct kanal_buffer *) = { qr_svg, qr_png, qr_terminal };

Test(qr, too_long_or_empty)
{
    struct kanal_buffer text = { 0 }, out = { 0 };
    while (text.len < 2331)
        kanal_buffer_byte(&text, 'a');
    kanal_buffer_text(&out, "before");
    for (size_t i = 0; i < sizeof writers / sizeof *writers; i++) {
        out.len = 6;
        cr_expect_eq(writers[i](kanal_buffer_view(&text), &out), 0);
        cr_expect_gt(out.len, 6);
        out.len = 6;
        kanal_buffer_byte(&text, 'a');
        cr_expect_eq(writers[i](kanal_buffer_view(&text), &out), KANAL_E_TOO_LARGE);
        text.len--;
        cr_expect_eq(writers[i](kanal_str_of(NULL, 0), &out), KANAL_E_INVALID);
        cr_expect(kanal_str_is(kanal_buffer_view(&out), "before"));
    }
    kanal_buffer_release(&text);
    kanal_buffer_release(&out);
}

/* Version 1: 21 modules and the quiet zone. */
Test(qr, sizes)
{
    struct kanal_buffer out = { 0 };
    cr_assert_eq(qr_png(KANAL_LIT("abc"), &out), 0);
    cr_expect_eq(memcmp(out.data + 12, "IHDR\0\0\0\xE8\0\0\0\xE8\1\0\0\0\0", 17), 0, "232 pixels of one bit");
    cr_expect_eq(memcmp(out.data + out.len - 8, "IEND\xAE\x42\x60\x82", 8), 0);
    kanal_buffer_clear(&out);
    cr_assert_eq(qr_svg(KANAL_LIT("abc"), &out), 0);
    cr_expect(kanal_str_starts(kanal_buffer_view(&out),
                               "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 29 29\""));
    kanal_buffer_clear(&out);
    cr_assert_eq(qr_terminal(KANAL_LIT("abc"), &out), 0);
    size_t lines = 0;
    for (size_t i = 0; i < out.len; i++)
        lines += out.data[i] == '\n';
    cr_expect_eq(lines, 15);
    kanal_buffer_release(&out);
}
