#include <criterion/criterion.h>

#include "event/ids.h"
#include "kanal/sdk/str.h"

static struct ids *make(const char *salt)
{
    struct ids *ids = NULL;
    cr_assert_eq(ids_new(&ids, kanal_str_c(salt)), 0);
    return ids;
}

Test(ids, a_short_salt_is_refused)
{
    struct ids *ids = NULL;
    cr_assert_eq(ids_new(&ids, KANAL_LIT("fifteen bytes..")), KANAL_E_INVALID);
    cr_assert_null(ids);
}

Test(ids, an_event_id_is_a_function_of_channel_type_and_key)
{
    struct ids *ids = make("0123456789abcdef");
    struct id a, b;
    ids_event(ids, KANAL_LIT("shop"), KANAL_LIT("message.received"), KANAL_LIT("1"), &a);
    ids_event(ids, KANAL_LIT("shop"), KANAL_LIT("message.received"), KANAL_LIT("1"), &b);
    cr_assert_str_eq(a.text, b.text);
    cr_assert_eq(strlen(a.text), ID_LEN);
    cr_assert_eq(strncmp(a.text, "e_", 2), 0);
    cr_assert_eq(strspn(a.text + 2, "abcdefghijklmnopqrstuvwxyz234567"), 26);
    ids_free(ids);
}

Test(ids, the_parts_cannot_be_shifted_into_one_another)
{
    struct ids *ids = make("0123456789abcdef");
    struct id a, b, c;
    ids_event(ids, KANAL_LIT("ab"), KANAL_LIT("c"), KANAL_LIT("d"), &a);
    ids_event(ids, KANAL_LIT("a"), KANAL_LIT("bc"), KANAL_LIT("d"), &b);
    ids_event(ids, KANAL_LIT("ab"), KANAL_LIT("cd"), KANAL_LIT(""), &c);
    cr_assert_str_neq(a.text, b.text);
    cr_assert_str_neq(a.text, c.text);
    ids_free(ids);
}

Test(ids, another_salt_gives_other_nodes_and_another_fingerprint)
{
    struct ids *one = make("0123456789abcdef"), *two = make("0123456789abcdeg");
    struct id a, b;
    char print_a[33], print_b[33];
    ids_node(one, KANAL_LIT("tel:+79161234567"), &a);
    ids_node(two, KANAL_LIT("tel:+79161234567"), &b);
    cr_assert_str_neq(a.text, b.text);
    ids_fingerprint(one, print_a);
    ids_fingerprint(two, print_b);
    cr_assert_str_neq(print_a, print_b);
    ids_customer(&a, &b);
    cr_assert_eq(b.text[0], 'c');
    cr_assert_str_eq(a.text + 1, b.text + 1);
    ids_free(one);
    ids_free(two);
}

Test(ids, node_ids_are_those_of_the_first_release)
{
    /* A change here makes every known customer a stranger. The values were computed with Python's hmac and hashlib. */
    struct ids *ids = make("0123456789abcdef");
    struct id node, event;
    ids_node(ids, KANAL_LIT("tel:+79161234567"), &node);
    ids_event(ids, KANAL_LIT("shop"), KANAL_LIT("message.received"), KANAL_LIT("1"), &event);
    cr_assert_str_eq(node.text, "a_wf6f7utyybqixatzbni7thpjmm");
    cr_assert_str_eq(event.text, "e_64lhp7jxeadpwpjjmuxyjmf3eq");
    ids_free(ids);
}

Test(ids, a_signature_holds_for_its_purpose_and_text_only)
{
    struct ids *ids = make("0123456789abcdef");
    unsigned char signature[16];
    cr_assert_eq(ids_sign(ids, "media", KANAL_LIT("x"), signature), 0);
    cr_assert(ids_verify(ids, "media", KANAL_LIT("x"), signature));
    cr_assert_not(ids_verify(ids, "link", KANAL_LIT("x"), signature));
    cr_assert_not(ids_verify(ids, "media", KANAL_LIT("y"), signature));
    signature[15] ^= 1;
    cr_assert_not(ids_verify(ids, "media", KANAL_LIT("x"), signature));
    ids_free(ids);
}

Test(ids, random_ids_differ)
{
    struct id a, b;
    cr_assert_eq(ids_random("b_", &a), 0);
    cr_assert_eq(ids_random("b_", &b), 0);
    cr_assert_str_neq(a.text, b.text);
}

Test(ids, to_bytes_and_back)
{
    static const char *const wrong[] = { "",
                                         "a_",
                                         "a_aaaaaaaaaaaaaaaaaaaaaaaaaaa",
                                         "a_aaaaaaaaaaaaaaaaaaaaaaaaa1",
                                         "a_AAAAAAAAAAAAAAAAAAAAAAAAAA",
                                         "a-aaaaaaaaaaaaaaaaaaaaaaaaaa",
                                         "a_aaaaaaaaaaaaaaaaaaaaaaaaab" /* the two bits that are over */ };
    unsigned char bytes[16];
    struct id id, again;
    for (int i = 0; i < 1000; i++) {
        cr_assert_eq(ids_random("a_", &id), 0);
        cr_assert_eq(ids_bytes(kanal_str_of(id.text, ID_LEN), bytes), 0);
        ids_text("a_", bytes, &again);
        cr_assert_str_eq(id.text, again.text);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        cr_expect_eq(ids_bytes(kanal_str_c(wrong[i]), bytes), KANAL_E_INVALID, "%s", wrong[i]);
}
