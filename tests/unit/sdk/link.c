#include <criterion/criterion.h>
#include "kanal/sdk/buffer.h"
#include "kanal/sdk/link.h"

static void expect(const char *text, int wanted)
{
    cr_assert_eq(kanal_link_template_is_valid(kanal_str_c(text)), wanted, "%s", text);
}

Test(link, templates)
{
    expect("https://t.me/shopbot?start={ref}", 1);
    expect("https://wa.me/79161234567?text={text}", 1);
    expect("viber://pa?chatURI=shop&context={ref}", 1);
    expect("mailto:shop@example.com?subject={text}", 1);
    expect("x-app+1.0:{ref}", 1);
    expect("https://example.com/%D0%BA?kanal={ref}#top", 1);
}

Test(link, no_templates)
{
    expect("", 0);
    expect("https://t.me/shopbot", 0);                      /* nowhere to put it */
    expect("https://t.me/{ref}?start={ref}", 0);            /* twice */
    expect("https://t.me/shopbot?start={ref}&t={text}", 0); /* both */
    expect("https://t.me/shopbot?start={token}", 0);
    expect("https://t.me/shopbot?start={ref", 0);
    expect("t.me/shopbot?start={ref}", 0);
    expect(":{ref}", 0);
    expect("1https:{ref}", 0);
    expect("https://t.me/shop bot?start={ref}", 0);
    expect("https://t.me/shop\"bot?start={ref}", 0);
    expect("https://t.me/shop<bot?start={ref}", 0);
    expect("https://t.me/\xD0\xBA?start={ref}", 0);
    expect("https://t.me/%4?start={ref}", 0);
    expect("https://t.me/%zz?start={ref}", 0);
    cr_assert_not(kanal_link_template_is_valid(KANAL_LIT("https://t.me/\0?start={ref}")));
    cr_assert_not(kanal_link_template_is_valid(kanal_str_of(NULL, 0)));
}

/* A link is clicked: what runs, or carries its page with it, is none. */
Test(link, harmful_schemes)
{
    expect("javascript:alert('{ref}')", 0);
    expect("JavaScript:alert('{ref}')", 0);
    expect("data:text/html,{ref}", 0);
    expect("vbscript:{ref}", 0);
    expect("file:///{ref}", 0);
}

Test(link, length)
{
    struct kanal_buffer text = { 0 };
    kanal_buffer_text(&text, "https://t.me/?start={ref}");
    while (text.len < KANAL_LINK_TEMPLATE_MAX)
        kanal_buffer_byte(&text, 'a');
    cr_assert(kanal_link_template_is_valid(kanal_buffer_view(&text)));
    kanal_buffer_byte(&text, 'a');
    cr_assert_not(kanal_link_template_is_valid(kanal_buffer_view(&text)));
    kanal_buffer_release(&text);
}

struct listener {
    kanal_host table; /* first */
    int count;
    char said[128];
};

static void listen(const kanal_host *host, kanal_str uri_template)
{
    struct listener *listener = (struct listener *)(uintptr_t)host;
    listener->count++;
    kanal_str_keep(listener->said, sizeof listener->said, uri_template);
}

static const void *find(const kanal_host *host, const char *id)
{
    static const kanal_link_host links = { .struct_size = sizeof links, .offer = listen };
    (void)host;
    return strcmp(id, KANAL_EXT_LINK) == 0 ? &links : NULL;
}

static const void *find_nothing(const kanal_host *host, const char *id)
{
    (void)host;
    (void)id;
    return NULL;
}

Test(link, offering)
{
    struct listener listener = { .table = { .struct_size = sizeof listener.table, .extension = find } };
    kanal_link_offer(&listener.table, "https://t.me/", KANAL_LIT("shop bot"), "?start={ref}");
    cr_assert_str_eq(listener.said, "https://t.me/shop%20bot?start={ref}");
    kanal_link_offer(&listener.table, "https://t.me/", kanal_str_of(NULL, 0), "?start={ref}");
    cr_assert_str_eq(listener.said, "");
    cr_assert_eq(listener.count, 2);
    listener.table.extension = find_nothing; /* an older host */
    kanal_link_offer(&listener.table, "https://t.me/", KANAL_LIT("bot"), "?start={ref}");
    cr_assert_eq(listener.count, 2);
}
