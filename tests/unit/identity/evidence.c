/* What events say of other addresses, and which of it counts. */
#include "identity/evidence.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "kanal/sdk/str.h"

static const char *const trusted[] = { "telegram", "email", NULL };

struct read {
    struct ids *ids;
    yyjson_doc *document;
    struct projected event;
    struct evidence evidence;
};

/* An event of a plugin; address: the customer's. */
static struct read read_event(const char *plugin, const char *type, const char *address, const char *data)
{
    struct read r = { .ids = NULL };
    struct evidence_rules rules = { trusted, "RU" };
    cr_assert_eq(ids_new(&r.ids, KANAL_LIT("0123456789abcdef")), 0);
    r.document = kanal_json_parse(kanal_str_c(data));
    r.event = (struct projected){ .root = yyjson_doc_get_root(r.document),
                                  .data = yyjson_doc_get_root(r.document),
                                  .type = kanal_str_c(type),
                                  .plugin = kanal_str_c(plugin),
                                  .channel = KANAL_LIT("shop"),
                                  .address = kanal_str_c(address) };
    cr_assert_eq(ids_node(r.ids, r.event.address, &r.event.node), 0);
    cr_assert_eq(evidence_read(&r.evidence, r.ids, &rules, &r.event), 0);
    return r;
}

static void release(struct read *r)
{
    evidence_release(&r->evidence);
    yyjson_doc_free(r->document);
    ids_free(r->ids);
}

#define IDENTIFIER(address, verified, source)                                                                \
    "{\"customer\":{\"identifiers\":[{\"address\":\"" address "\",\"verified\":" verified                    \
    ",\"source\":\"" source "\"}]}}"

static void expect_one(const char *plugin, const char *address, const char *data, const char *other,
                       int is_proved, enum identity_kind kind)
{
    struct read r = read_event(plugin, "message.received", address, data);
    cr_assert_eq(r.evidence.count, 1, "%s %s: %zu items", plugin, data, r.evidence.count);
    cr_expect(kanal_str_is(r.evidence.items[0].address, other), "%s", data);
    cr_expect_eq(r.evidence.items[0].is_proved, is_proved, "%s %s", plugin, data);
    cr_expect_eq(r.evidence.items[0].kind, kind, "%s", data);
    release(&r);
}

Test(evidence, proved_only_by_a_plugin_that_the_operator_trusts)
{
    expect_one("telegram", "telegram:1", IDENTIFIER("tel:+79161234567", "true", "contact"),
               "tel:+79161234567", 1, IDENTITY_CONTACT);
    expect_one("telegram", "telegram:1", IDENTIFIER("tel:+79161234567", "false", "contact"),
               "tel:+79161234567", 0, IDENTITY_CONTACT);
    expect_one("sms", "tel:+79161234568", IDENTIFIER("telegram:1", "true", "contact"), "telegram:1", 0,
               IDENTITY_CONTACT);
    expect_one("telegra", "telegram:1", IDENTIFIER("tel:+79161234567", "true", "x"), "tel:+79161234567", 0,
               IDENTITY_TRANSPORT);
}

Test(evidence, words_that_are_not_a_plugins_to_say)
{
    expect_one("telegram", "telegram:1", IDENTIFIER("tel:+79161234567", "true", "manual"), "tel:+79161234567",
               1, IDENTITY_OTHER);
    expect_one("telegram", "telegram:1", IDENTIFIER("tel:+79161234567", "true", "handoff"),
               "tel:+79161234567", 1, IDENTITY_OTHER);
    expect_one("telegram", "telegram:1", IDENTIFIER("tel:+79161234567", "true", "number_change"),
               "tel:+79161234567", 1, IDENTITY_TRANSPORT);
}

Test(evidence, a_mail_proves_only_with_its_own_address)
{
    expect_one("email", "mailto:a@b.ru", IDENTIFIER("tel:+79161234567", "true", "x"), "tel:+79161234567", 0,
               IDENTITY_TRANSPORT);
    expect_one("email", "mailto:a@b.ru",
               "{\"customer\":{\"identifiers\":[{\"address\":\"mailto:a@b.ru\",\"verified\":true,\"source\":"
               "\"dmarc\"},"
               "{\"address\":\"tel:+79161234567\",\"verified\":true}]}}",
               "tel:+79161234567", 1, IDENTITY_TRANSPORT);
    expect_one("email", "mailto:a@b.ru",
               "{\"customer\":{\"identifiers\":[{\"address\":\"mailto:a@b.ru\",\"verified\":false,\"source\":"
               "\"dmarc\"},"
               "{\"address\":\"tel:+79161234567\",\"verified\":true}]}}",
               "tel:+79161234567", 0, IDENTITY_TRANSPORT);
}

Test(evidence, each_address_once_and_the_proof_counts)
{
    expect_one("telegram", "telegram:1",
               "{\"customer\":{\"identifiers\":[{\"address\":\"tel:+79161234567\",\"verified\":false,"
               "\"source\":\"form\"},"
               "{\"address\":\"TEL:+79161234567\",\"verified\":true,\"source\":\"contact\"},"
               "{\"address\":\"telegram:1\",\"verified\":true},{\"address\":\"nonsense\",\"verified\":true},"
               "{\"address\":7},null,[],{\"address\":\"tel:+7916\",\"verified\":\"yes\"}]}}",
               "tel:+79161234567", 1, IDENTITY_CONTACT);
}

Test(evidence, fields_of_a_form_are_claims)
{
    struct read r = read_event(
        "telegram", "form.submitted", "visitor:1",
        "{\"form\":{\"id\":\"callback\",\"fields\":[{\"name\":\"phone\",\"type\":\"tel\",\"value\":\"8 (916) "
        "123-45-67\"},"
        "{\"name\":\"m\",\"type\":\"email\",\"value\":\"a@B.ru\"},{\"type\":\"tel\",\"value\":\"no\"},"
        "{\"name\":\"t\",\"type\":\"text\",\"value\":\"+79161234500\"},null]},"
        "\"customer\":{\"identifiers\":[{\"address\":\"tel:+79161234567\",\"verified\":false,\"source\":"
        "\"form\"}]}}");
    cr_assert_eq(r.evidence.count, 2);
    cr_expect(kanal_str_is(r.evidence.items[0].address, "tel:+79161234567"));
    cr_expect(kanal_str_is(r.evidence.items[0].text, "field phone of the form callback"));
    cr_expect(kanal_str_is(r.evidence.items[1].address, "mailto:a@b.ru"));
    cr_expect(!r.evidence.items[0].is_proved && !r.evidence.items[1].is_proved, "whoever the plugin is");
    release(&r);
}

Test(evidence, no_more_than_there_is_room_for)
{
    struct kanal_buffer data = { 0 };
    char one[128];
    kanal_buffer_text(&data, "{\"customer\":{\"identifiers\":[{}");
    for (int i = 0; i < 200; i++) {
        snprintf(one, sizeof one, ",{\"address\":\"tel:+7916%07d\",\"verified\":true,\"source\":\"%064d\"}",
                 i, i);
        kanal_buffer_text(&data, one);
    }
    kanal_buffer_append(&data, "]}}", 4);
    struct read r = read_event("telegram", "message.received", "telegram:1", data.data);
    cr_expect_eq(r.evidence.count, EVIDENCE_MAX);
    release(&r);
    kanal_buffer_release(&data);
}
