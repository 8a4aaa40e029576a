#include <criterion/criterion.h>

#include "handoff/url.h"
#include "kanal/sdk/str.h"

static void expect(const char *uri_template, const char *text, const char *wanted)
{
    struct kanal_buffer out = { 0 };
    kanal_buffer_text(&out, "<");
    cr_assert_eq(handoff_url(kanal_str_c(uri_template), KANAL_LIT("k_abc"), kanal_str_c(text), &out), 0);
    cr_expect(kanal_str_is(kanal_str_from(kanal_buffer_view(&out), 1), wanted), "%.*s", (int)out.len,
              out.data);
    kanal_buffer_release(&out);
}

Test(url, reference)
{
    expect("https://t.me/shopbot?start={ref}", NULL, "https://t.me/shopbot?start=k_abc");
    expect("https://t.me/shopbot?start={ref}", "not used", "https://t.me/shopbot?start=k_abc");
    expect("https://shop.example/?kanal={ref}#chat", NULL, "https://shop.example/?kanal=k_abc#chat");
    expect("{ref}:x", NULL, "k_abc:x");
}

Test(url, text)
{
    expect("https://wa.me/79161234567?text={text}", NULL, "https://wa.me/79161234567?text=k_abc");
    expect(
        "https://wa.me/79161234567?text={text}", "Мой заказ & счёт",
        "https://wa.me/79161234567?text=%D0%9C%D0%BE%D0%B9%20%D0%B7%D0%B0%D0%BA%D0%B0%D0%B7%20%26%20%D1%81%D1"
        "%87%D1%91%D1%82%20k_abc");
    expect("mailto:a@b.ru?subject={text}&body=x", "{ref} {text}\r\nBcc: c@d.ru",
           "mailto:a@b.ru?subject=%7Bref%7D%20%7Btext%7D%0D%0ABcc%3A%20c%40d.ru%20k_abc&body=x");
}

Test(url, too_long)
{
    struct kanal_buffer out = { 0 };
    char text[HANDOFF_URL_MAX];
    memset(text, 'a', sizeof text);
    kanal_buffer_text(&out, "before");
    cr_assert_eq(
        handoff_url(KANAL_LIT("x:{text}"), KANAL_LIT("k_abc"), kanal_str_of(text, sizeof text - 10), &out),
        0);
    cr_assert_eq(out.len, 6 + HANDOFF_URL_MAX);
    out.len = 6;
    cr_assert_eq(
        handoff_url(KANAL_LIT("x:{text}"), KANAL_LIT("k_abc"), kanal_str_of(text, sizeof text - 9), &out),
        KANAL_E_TOO_LARGE);
    cr_assert_eq(out.len, 6);
    kanal_buffer_release(&out);
}
