#include "expect.h"
#include "kanal/sdk/visitor.h"

/* HMAC-SHA256 of what stands before the last dot under 0123456789abcdef0123456789abcdef, made with Python's hmac. */
#define TOKEN "v1.aaaaaaaaaaaaaaaaaaaaaaaaaa.iCApu94R85Pp6pNeX-Cc3BvJ1omLDuAggX3xrUzdO3Q"

Test(visitor, taken_apart_and_put_together)
{
    struct kanal_visitor visitor;
    struct kanal_buffer token = { 0 };
    cr_assert_eq(kanal_visitor_parse(KANAL_LIT(TOKEN), &visitor), KANAL_OK);
    cr_assert_str_eq(visitor.id, "aaaaaaaaaaaaaaaaaaaaaaaaaa");
    EXPECT_STR(visitor.signed_text, "v1.aaaaaaaaaaaaaaaaaaaaaaaaaa");
    kanal_visitor_begin(&token, visitor.id);
    kanal_visitor_seal(&token, kanal_str_of(visitor.mac, KANAL_VISITOR_MAC_BYTES));
    EXPECT_STR(kanal_buffer_view(&token), TOKEN);
    kanal_buffer_release(&token);
}

Test(visitor, what_is_none)
{
    struct kanal_visitor visitor;
    static const char *const wrong[] = {
        "v2.aaaaaaaaaaaaaaaaaaaaaaaaaa.iCApu94R85Pp6pNeX-Cc3BvJ1omLDuAggX3xrUzdO3Q",
        "v1.aaaaaaaaaaaaaaaaaaaaaaaaa1.iCApu94R85Pp6pNeX-Cc3BvJ1omLDuAggX3xrUzdO3Q",
        "v1.AAAAAAAAAAAAAAAAAAAAAAAAAA.iCApu94R85Pp6pNeX-Cc3BvJ1omLDuAggX3xrUzdO3Q",
        "v1.aaaaaaaaaaaaaaaaaaaaaaaaaaa.iCApu94R85Pp6pNeX-Cc3BvJ1omLDuAggX3xrUzdO3Q",
        TOKEN "AAAA",
    };
    for (size_t len = 0; len < sizeof TOKEN - 1; len++)
        cr_assert_eq(kanal_visitor_parse(kanal_str_of(TOKEN, len), &visitor), KANAL_E_INVALID, "%zu", len);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        cr_assert_eq(kanal_visitor_parse(kanal_str_c(wrong[i]), &visitor), KANAL_E_INVALID, "%s", wrong[i]);
    cr_assert(kanal_visitor_is_id(KANAL_LIT("abcdefghijklmnopqrstuvwxyz")));
    cr_assert_not(kanal_visitor_is_id(KANAL_LIT("abcdefghijklmnopqrstuvwxy")));
    cr_assert_not(kanal_visitor_is_id(kanal_str_of(NULL, 0)));
}
