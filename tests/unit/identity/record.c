/* Links as the bucket has them: written, read, named; and ids back to bytes. */
#include "identity/record.h"

#include <criterion/criterion.h>

#include "kanal/sdk/str.h"

static struct ids *ids_of_test(void)
{
    struct ids *ids = NULL;
    cr_assert_eq(ids_new(&ids, KANAL_LIT("0123456789abcdef")), 0);
    return ids;
}

static struct identity_link link_of(struct ids *ids, const char *a, const char *b)
{
    struct identity_link link = { .addresses = { kanal_str_c(a), kanal_str_c(b) },
                                  .strength = IDENTITY_MANUAL,
                                  .evidence = { .kind = IDENTITY_BY_HAND, .text = KANAL_LIT("told \"so\"") },
                                  .reason = KANAL_LIT("why not"),
                                  .agent = { KANAL_LIT("{\"kind\":\"person\",\"id\":\"u-1\"}") },
                                  .time_ms = 1000 };
    cr_assert_eq(ids_node(ids, link.addresses[0], &link.nodes[0]), 0);
    cr_assert_eq(ids_node(ids, link.addresses[1], &link.nodes[1]), 0);
    return link;
}

Test(record, what_is_written_is_read)
{
    struct ids *ids = ids_of_test();
    struct identity_link link = link_of(ids, "telegram:1", "tel:+79161234567");
    struct link_draft draft, again = { 0 };
    struct link_record record;
    struct kanal_buffer text = { 0 }, second = { 0 };
    struct id id;
    cr_assert_eq(link_draft_init(&draft, ids, &link, 2000, &id), 0);
    draft.state = GRAPH_LINKED;
    draft.count = 3;
    draft.customer_count = 2;
    ids_customer(&link.nodes[0], &draft.customers[0]);
    ids_customer(&link.nodes[1], &draft.customers[1]);
    link_draft_write(&draft, 0, &text);
    cr_assert_eq(link_record_read(&record, ids, kanal_str_c(id.text), kanal_buffer_view(&text)), 0);
    cr_expect_eq(record.state, GRAPH_LINKED);
    cr_expect_eq(record.count, 3);
    cr_expect_eq(record.changed_ms, 1000);
    cr_expect_eq(record.kind, IDENTITY_BY_HAND);
    cr_expect(!record.is_told);
    cr_expect_str_eq(record.nodes[0].text, link.nodes[0].text, "in the order in which it was said");
    cr_expect(kanal_str_is(record.addresses[1], "tel:+79161234567"));
    cr_assert_eq(link_draft_take(&again, &record), 0);
    link_draft_write(&again, 0, &second);
    cr_expect(kanal_str_equal(kanal_buffer_view(&text), kanal_buffer_view(&second)),
              "taken and written anew it is the same");
    link_record_release(&record);
    link_draft_release(&draft);
    link_draft_release(&again);
    kanal_buffer_release(&text);
    kanal_buffer_release(&second);
    ids_free(ids);
}

Test(record, a_link_has_one_id_whoever_says_it)
{
    struct ids *ids = ids_of_test();
    struct identity_link link = link_of(ids, "telegram:1", "tel:+79161234567");
    struct id turned[2] = { link.nodes[1], link.nodes[0] }, one, two, other;
    cr_assert_eq(link_id_of(ids, link.nodes, IDENTITY_CONTACT, &one), 0);
    cr_assert_eq(link_id_of(ids, turned, IDENTITY_CONTACT, &two), 0);
    cr_assert_eq(link_id_of(ids, turned, IDENTITY_TOKEN, &other), 0);
    cr_expect_str_eq(one.text, two.text);
    cr_expect_str_neq(one.text, other.text, "another kind of evidence is another link");
    cr_expect_eq(one.text[0], 'l');
    /* Pinned: with another one, what a person has undone would come back. */
    cr_expect_str_eq(one.text, "l_u7g4rqeegvbu37vfw2pmktrz2i");
    ids_free(ids);
}

Test(record, nonsense_is_no_record)
{
    struct ids *ids = ids_of_test();
    struct identity_link link = link_of(ids, "telegram:1", "tel:+79161234567");
    struct link_draft draft;
    struct link_record record;
    struct kanal_buffer text = { 0 };
    struct id id;
    cr_assert_eq(link_draft_init(&draft, ids, &link, 0, &id), 0);
    draft.state = GRAPH_UNDONE;
    draft.count = 1;
    draft.customer_count = 1;
    ids_customer(&link.nodes[0], &draft.customers[0]);
    link_draft_write(&draft, 1, &text);
    kanal_str key = kanal_str_c(id.text);
    cr_assert_eq(link_record_read(&record, ids, key, kanal_buffer_view(&text)), 0);
    cr_expect(record.is_told && record.state == GRAPH_UNDONE);
    link_record_release(&record);
    cr_expect_eq(
        link_record_read(&record, ids, KANAL_LIT("l_aaaaaaaaaaaaaaaaaaaaaaaaaa"), kanal_buffer_view(&text)),
        KANAL_E_INVALID, "a record that was copied to another key");
    for (size_t cut = 0; cut < text.len; cut++)
        cr_assert_eq(link_record_read(&record, ids, key, kanal_str_of(text.data, cut)), KANAL_E_INVALID);
    link.nodes[1] = link.nodes[0];
    link_draft_release(&draft);
    cr_expect_eq(link_draft_init(&draft, ids, &link, 0, &id), KANAL_E_INVALID, "a node with itself");
    link_draft_release(&draft);
    kanal_buffer_release(&text);
    ids_free(ids);
}
