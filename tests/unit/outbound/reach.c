#include <criterion/criterion.h>

#include "kanal/sdk/str.h"
#include "outbound/reach.h"

static const char profile[] =
    "{\"id\":\"c_x\",\"profile\":{\"timezone\":\"Asia/Tokyo\"},"
    "\"addresses\":[{\"node\":\"a_1\",\"address\":\"telegram:1\",\"channels\":[\"tg\"]},"
    "{\"node\":\"a_2\"},{\"node\":\"a_3\",\"address\":\"tel:+1\",\"channels\":[\"wa\"]},"
    "{\"node\":\"a_4\",\"address\":\"telegram:2\"}],"
    "\"touches\":[{\"channel\":\"tg\",\"type\":\"message.received\",\"count\":3,\"last\":\"2026-11-22T10:00:"
    "00Z\"},"
    "{\"channel\":\"wa\",\"type\":\"message.read\",\"count\":1,\"last\":\"2026-11-22T12:00:00Z\"}],"
    "\"last_inbound\":{\"time\":\"2026-11-22T11:00:00Z\",\"channel\":\"tg\",\"address\":\"telegram:1\"},"
    "\"preferred_channel\":\"wa\",\"quiet_hours\":{\"from\":\"22:30\",\"to\":\"08:00\",\"timezone\":\"Europe/"
    "Berlin\"},"
    "\"consent\":[{\"given\":false,\"channel\":\"wa\",\"time\":\"2026-11-22T09:00:00Z\"},"
    "{\"given\":true,\"purpose\":\"marketing\",\"time\":\"2026-11-22T09:30:00Z\"}]}";

static yyjson_doc *document;
static struct reach reach;

static void set_up(void)
{
    document = kanal_json_parse(kanal_str_c(profile));
    cr_assert_not_null(document);
    cr_assert_eq(reach_read(&reach, yyjson_doc_get_root(document)), 0);
    yyjson_doc_free(document); /* what was read is a copy */
}

static void tear_down(void)
{
    reach_release(&reach);
}

TestSuite(reach, .init = set_up, .fini = tear_down);

Test(reach, reads_what_a_profile_says)
{
    cr_assert(kanal_str_is(reach.customer, "c_x"));
    cr_assert_eq(reach.address_count, 3, "a node without an address is no way to anybody");
    cr_assert(kanal_str_is(reach.addresses[1].address, "tel:+1"));
    cr_assert(kanal_str_is(reach.preferred_channel, "wa"));
    cr_assert(kanal_str_is(reach.last_channel, "tg"));
    cr_assert(kanal_str_is(reach.timezone, "Europe/Berlin"),
              "that of the quiet hours goes before the customer's");
    cr_assert(reach.quiet.is_set);
    cr_assert_eq(reach.quiet.from_min, 22 * 60 + 30);
    cr_assert_eq(reach.quiet.to_min, 8 * 60);
    cr_assert_eq(reach.consent_count, 2);
    cr_assert_not(reach.consents[0].is_given);
    cr_assert(kanal_str_is(reach.consents[0].channel, "wa"));
    cr_assert_eq(reach.consents[0].purpose.len, 0);
    cr_assert(reach.consents[1].is_given);
    cr_assert_eq(reach.consents[1].time_ms - reach.consents[0].time_ms, 30 * 60 * 1000);
}

Test(reach, when_they_wrote_there)
{
    const struct reach_address *telegram = &reach.addresses[0], *tel = &reach.addresses[1];
    cr_assert_eq(reach_last_in_ms(&reach, telegram, KANAL_LIT("tg")), INT64_C(1795345200000));
    cr_assert_eq(reach_last_in_ms(&reach, telegram, KANAL_LIT("wa")), 0, "this address was never seen there");
    cr_assert_eq(reach_last_in_ms(&reach, tel, KANAL_LIT("wa")), 0, "to read is not to write");
}

Test(reach, nothing_is_known)
{
    struct reach nobody;
    cr_assert_eq(reach_read(&nobody, NULL), 0);
    cr_assert_eq(nobody.address_count, 0);
    cr_assert_not(nobody.quiet.is_set);
    reach_release(&nobody);
}

Test(reach, nonsense_is_nothing)
{
    static const char *const texts[] = {
        "{}",
        "[]",
        "7",
        "{\"addresses\":7,\"consent\":{},\"quiet_hours\":[]}",
        ("{\"addresses\":[7,{\"address\":9}],\"quiet_hours\":{\"from\":\"25:00\",\"to\":\"08:00\"},"
         "\"touches\":[3]}"),
        "{\"quiet_hours\":{\"from\":\"8:00\",\"to\":\"0800x\"},\"consent\":[1,{\"given\":\"yes\"}]}"
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct reach other;
        yyjson_doc *doc = kanal_json_parse(kanal_str_c(texts[i]));
        cr_assert_eq(reach_read(&other, yyjson_doc_get_root(doc)), 0, "%s", texts[i]);
        cr_expect_eq(other.address_count, 0, "%s", texts[i]);
        cr_expect_not(other.quiet.is_set, "%s", texts[i]);
        reach_release(&other);
        yyjson_doc_free(doc);
    }
}

/* ---- Which channel reaches which address ---- */

static void deliver(kanal_channel *channel, kanal_op op, const kanal_delivery *delivery)
{
    (void)channel, (void)op, (void)delivery;
}

static int fits(const char *id, const char *plugin_id, kanal_caps caps, size_t address, int named)
{
    struct plugin plugin = { .descriptor = { .id = plugin_id, .caps = caps, .deliver = deliver } };
    struct channel channel = { .id = kanal_str_c(id), .plugin = &plugin };
    return reach_fits(&channel, &reach.addresses[address], named);
}

Test(reach, which_channel_reaches_which_address)
{
    cr_assert_eq(fits("tg", "telegram", 0, 0, 0), ROUTE_SEEN);
    cr_assert_eq(fits("tg-2", "telegram", 0, 0, 0), -1, "another bot cannot write first");
    cr_assert_eq(fits("tg-2", "telegram", 0, 0, 1), ROUTE_BY_PLUGIN, "but the command may say so");
    cr_assert_eq(fits("tg-2", "telegram", 0, 2, 0), ROUTE_BY_PLUGIN, "an address that was seen nowhere");
    cr_assert_eq(fits("vk", "vk", 0, 0, 1), -1);
    cr_assert_eq(fits("sms", "sms", KANAL_CAP_TO_TEL, 1, 0), ROUTE_BY_KIND);
    cr_assert_eq(fits("sms", "sms", 0, 1, 0), -1);
    cr_assert_eq(fits("mail", "email", KANAL_CAP_TO_MAILTO, 1, 0), -1);
    cr_assert_eq(fits("wa", "whatsapp", KANAL_CAP_TO_TEL, 1, 0), ROUTE_SEEN);
    struct plugin deaf = { .descriptor = { .id = "telegram" } };
    struct channel channel = { .id = KANAL_LIT("tg"), .plugin = &deaf };
    cr_assert_eq(reach_fits(&channel, &reach.addresses[0], 1), -1, "it only receives");
}
