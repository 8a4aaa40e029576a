#include <criterion/criterion.h>

#include "event/envelope.h"
#include "kanal/sdk/json.h"

#define NOW INT64_C(1795294385412)

static struct ids *ids;
static struct envelope envelope;
static yyjson_doc *document;

static void begin(void)
{
    cr_assert_eq(ids_new(&ids, KANAL_LIT("0123456789abcdef")), 0);
}

static void end(void)
{
    yyjson_doc_free(document);
    envelope_release(&envelope);
    ids_free(ids);
}

TestSuite(envelope, .init = begin, .fini = end);

static int write_as(int is_core, const kanal_event *event)
{
    struct envelope_context context = { .ids = ids,
                                        .prefix = KANAL_LIT("kanal"),
                                        .base_url = KANAL_LIT("https://hub.example.com") };
    struct envelope_source source = { .channel = KANAL_LIT("shop"),
                                      .plugin = KANAL_LIT("telegram"),
                                      .is_core = is_core };
    int status = envelope_write(&envelope, &context, &source, event, NOW);
    yyjson_doc_free(document);
    document = status == 0 ? kanal_json_parse(kanal_buffer_view(&envelope.json)) : NULL;
    kanal_buffer_byte(&envelope.json, 0); /* for strstr() */
    if (status == 0)
        cr_assert_not_null(document);
    return status;
}

static kanal_event message(const char *data)
{
    return (kanal_event){ .struct_size = sizeof(kanal_event),
                          .type = KANAL_LIT("message.received"),
                          .dedupe = KANAL_LIT("1"),
                          .external_id = KANAL_LIT("77/5"),
                          .address = KANAL_LIT("telegram:77"),
                          .chat = KANAL_LIT("77"),
                          .time_ms = NOW - 1000,
                          .data = kanal_str_c(data) };
}

static const char *text_at(const char *pointer)
{
    const char *text = yyjson_get_str(yyjson_doc_ptr_get(document, pointer));
    return text ? text : "(absent)";
}

Test(envelope, has_the_form_of_the_contract)
{
    kanal_event event = message(
        "{\"customer\":{\"name\":\"Анна\"},\"message\":{\"content\":[{\"type\":\"text\",\"text\":\"hi\"}]}}");
    cr_assert_eq(write_as(0, &event), 0);
    cr_assert_str_eq(text_at("/specversion"), "1.0");
    cr_assert_str_eq(text_at("/type"), "message.received");
    cr_assert_str_eq(text_at("/source"), "urn:kanal:kanal:shop");
    cr_assert_str_eq(text_at("/dataschema"), "urn:kanal:schema:message.received:1");
    cr_assert_str_eq(text_at("/time"), "2026-11-21T20:53:04.412Z");
    cr_assert_str_eq(text_at("/recordedtime"), "2026-11-21T20:53:05.412Z");
    cr_assert_str_eq(text_at("/id"), envelope.id.text);
    cr_assert_str_eq(text_at("/data/message/id"), envelope.id.text);
    cr_assert_str_eq(text_at("/data/message/external_id"), "77/5");
    cr_assert_str_eq(text_at("/data/customer/address"), "telegram:77");
    cr_assert_str_eq(text_at("/data/customer/name"), "Анна");
    cr_assert_str_eq(text_at("/data/chat/id"), "77");
    cr_assert_str_eq(text_at("/data/channel/plugin"), "telegram");
    cr_assert_str_eq(text_at("/subject"), text_at("/data/customer/node"));
}

Test(envelope, the_subject_ends_with_the_node)
{
    kanal_event event = message("{}");
    char expected[128];
    cr_assert_eq(write_as(0, &event), 0);
    snprintf(expected, sizeof expected, "kanal.events.telegram.shop.message.received.%s",
             text_at("/subject"));
    cr_assert(kanal_str_is(kanal_buffer_view(&envelope.subject), expected));
}

Test(envelope, what_is_the_cores_cannot_be_forged)
{
    kanal_event event =
        message("{\"channel\":{\"id\":\"bank\"},\"customer\":{\"id\":\"c_x\",\"node\":\"a_x\",\"address\":"
                "\"tel:+1\",\"id\":\"c_y\"},"
                "\"message\":{\"id\":\"e_x\",\"external_id\":\"0\"},\"chat\":{\"id\":\"1\"},\"channel\":{}}");
    cr_assert_eq(write_as(0, &event), 0);
    cr_assert_str_eq(text_at("/data/channel/id"), "shop");
    cr_assert_str_eq(text_at("/data/customer/address"), "telegram:77");
    cr_assert_str_eq(text_at("/data/message/external_id"), "77/5");
    cr_assert_str_eq(text_at("/data/chat/id"), "77");
    cr_assert_null(strstr(envelope.json.data, "bank"));
    cr_assert_null(strstr(envelope.json.data, "c_y"));
    cr_assert_null(strstr(envelope.json.data, "e_x"));
}

Test(envelope, a_media_reference_becomes_a_signed_url_and_nothing_else_does)
{
    kanal_event event = message("{\"message\":{\"content\":[{\"type\":\"card\",\"items\":[{\"mime\":\"image/"
                                "png\",\"ref\":\"FILE1\"}],\"provider\":{\"ref\":\"kept\"}}]},"
                                "\"customer\":{\"avatar\":{\"ref\":\"FILE2\"}},\"activity\":{\"properties\":{"
                                "\"avatar\":{\"ref\":\"kept\"}}}}");
    cr_assert_eq(write_as(0, &event), 0);
    cr_assert_eq(
        strncmp(text_at("/data/message/content/0/items/0/url"), "https://hub.example.com/m/shop/", 31), 0);
    cr_assert_str_eq(text_at("/data/message/content/0/provider/ref"), "kept");
    cr_assert_eq(strncmp(text_at("/data/customer/avatar/url"), "https://hub.example.com/m/shop/", 31), 0);
    cr_assert_str_eq(text_at("/data/activity/properties/avatar/ref"), "kept");
    /* A consumer's command is echoed by the core: it must not make the gateway sign anything. */
    event.type = KANAL_LIT("message.accepted");
    event.command_id = KANAL_LIT("crm-1");
    cr_assert_eq(write_as(1, &event), 0);
    cr_assert_str_eq(text_at("/data/message/content/0/items/0/ref"), "FILE1");
}

Test(envelope, equal_message_ids_of_two_chats_and_every_receipt_are_different_events)
{
    static const char *const types[] = { "message.received", "message.edited", "message.sent",
                                         "message.delivered", "message.read" };
    static const char *const keys[] = { "chat1/5", "chat2/5" };
    char seen[10][32];
    size_t count = 0;
    for (size_t t = 0; t < 5; t++)
        for (size_t k = 0; k < 2; k++) {
            kanal_event event = message("{}");
            event.type = kanal_str_c(types[t]);
            event.dedupe = kanal_str_c(keys[k]);
            cr_assert_eq(write_as(0, &event), 0);
            for (size_t i = 0; i < count; i++)
                cr_assert_str_neq(seen[i], envelope.id.text);
            memcpy(seen[count++], envelope.id.text, sizeof envelope.id.text);
        }
}

Test(envelope, a_step_carries_the_commands_id)
{
    kanal_event event = message("{\"message\":{\"reference\":\"order-5\"}}");
    event.type = KANAL_LIT("message.delivered");
    event.command_id = KANAL_LIT("crm-1");
    cr_assert_eq(write_as(0, &event), 0);
    cr_assert_str_eq(text_at("/data/message/id"), "crm-1");
    cr_assert_str_eq(text_at("/data/message/reference"), "order-5");
}

Test(envelope, the_events_of_one_call_name_the_same_call)
{
    char first[32];
    kanal_event event = message("{\"call\":{\"id\":\"forged\",\"direction\":\"inbound\"}}");
    event.type = KANAL_LIT("call.started");
    event.address = (kanal_str){ 0 }; /* a withheld number */
    cr_assert_eq(write_as(0, &event), 0);
    snprintf(first, sizeof first, "%s", text_at("/data/call/id"));
    cr_assert(
        kanal_str_starts(kanal_buffer_view(&envelope.subject), "kanal.events.telegram.shop.call.started._"));
    event.type = KANAL_LIT("call.ended");
    cr_assert_eq(write_as(0, &event), 0);
    cr_assert_str_eq(first, text_at("/data/call/id"));
    event.external_id = (kanal_str){ 0 };
    cr_assert_eq(write_as(0, &event), KANAL_E_INVALID);
}

Test(envelope, activity_goes_to_buckets_and_typing_is_live)
{
    kanal_event event = message("{\"activity\":{\"name\":\"Product Added\"}}");
    event.type = KANAL_LIT("activity.tracked");
    cr_assert_eq(write_as(0, &event), 0);
    cr_assert(kanal_str_starts(kanal_buffer_view(&envelope.subject),
                               "kanal.activity.telegram.shop.activity.tracked.b"));
    cr_assert_eq(envelope.subject.len, strlen("kanal.activity.telegram.shop.activity.tracked.b00"));
    event.type = KANAL_LIT("typing.started");
    cr_assert_eq(write_as(0, &event), 0);
    cr_assert(
        kanal_str_starts(kanal_buffer_view(&envelope.subject), "kanal.live.telegram.shop.typing.started.a_"));
}

Test(envelope, what_breaks_the_contract_is_refused_with_a_reason)
{
    struct {
        const char *type, *dedupe, *address, *data;
        int status;
    } wrong[] = {
        { "message.recieved", "1", "telegram:1", "{}", KANAL_E_INVALID },
        { "message.accepted", "1", "telegram:1", "{}", KANAL_E_DENIED },
        { "channel.up", "1", "telegram:1", "{}", KANAL_E_DENIED },
        { "message.received", "", "telegram:1", "{}", KANAL_E_INVALID },
        { "message.received", "1", "", "{}", KANAL_E_INVALID },
        { "message.received", "1", "Anna", "{}", KANAL_E_INVALID },
        { "message.received", "1", "telegram:1", "[]", KANAL_E_INVALID },
        { "message.received", "1", "telegram:1", "{", KANAL_E_INVALID },
        { "message.received", "1", "telegram:1", "{} {}", KANAL_E_INVALID },
        { "message.received", "1", "telegram:1", "{\"a\":\"\xff\"}", KANAL_E_INVALID },
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        kanal_event event = message(wrong[i].data);
        event.type = kanal_str_c(wrong[i].type);
        event.dedupe = kanal_str_c(wrong[i].dedupe);
        event.address = kanal_str_c(wrong[i].address);
        cr_expect_eq(write_as(0, &event), wrong[i].status, "case %zu", i);
        cr_expect_not_null(envelope.error);
    }
}

Test(envelope, is_bounded)
{
    char *data = malloc(ENVELOPE_DATA_MAX + 2);
    memset(data, ' ', ENVELOPE_DATA_MAX + 1);
    data[ENVELOPE_DATA_MAX + 1] = 0;
    kanal_event event = message(data);
    cr_assert_eq(write_as(0, &event), KANAL_E_TOO_LARGE);
    free(data);
}

/* ---- Whom a node belongs to ---- */

static void smallest(void *user, const struct id *node, struct id *ret_customer)
{
    (void)node;
    *ret_customer = *(const struct id *)user;
}

static int write_source(const struct envelope_source *source, const struct id *customer,
                        const kanal_event *event)
{
    struct id copy = *customer;
    struct envelope_context context = {
        .ids = ids, .prefix = KANAL_LIT("kanal"), .customer = smallest, .customer_user = &copy
    };
    int status = envelope_write(&envelope, &context, source, event, NOW);
    yyjson_doc_free(document);
    document = status == 0 ? kanal_json_parse(kanal_buffer_view(&envelope.json)) : NULL;
    return status;
}

Test(envelope, the_customer_is_asked_for_and_the_node_stays)
{
    struct id customer = { "c_aaaaaaaaaaaaaaaaaaaaaaaaaa" }, node;
    kanal_event event = message("{}");
    struct envelope_source source = { .channel = KANAL_LIT("shop"), .plugin = KANAL_LIT("telegram") };
    cr_assert_eq(ids_node(ids, KANAL_LIT("telegram:77"), &node), 0);
    cr_assert_eq(write_source(&source, &customer, &event), 0);
    cr_expect_str_eq(text_at("/data/customer/id"), customer.text);
    cr_expect_str_eq(text_at("/data/customer/node"), node.text);
    cr_expect_str_eq(text_at("/subject"), node.text);
}

Test(envelope, the_core_may_know_a_node_without_its_address)
{
    struct id customer = { "c_aaaaaaaaaaaaaaaaaaaaaaaaaa" }, node = { "a_dvczqxhxz6iv43xch3xmi6msri" };
    kanal_event event = message("{}");
    struct envelope_source source = {
        .channel = KANAL_LIT("_"), .plugin = KANAL_LIT("_"), .node = kanal_str_c(node.text), .is_core = 1
    };
    event.type = KANAL_LIT("identity.linked");
    event.address = (kanal_str){ 0 };
    cr_assert_eq(write_source(&source, &customer, &event), 0);
    cr_expect_str_eq(text_at("/data/customer/node"), node.text);
    cr_expect_str_eq(text_at("/data/customer/address"), "(absent)");
    cr_expect_str_eq(text_at("/data/channel/id"), "(absent)");
    cr_expect(kanal_str_is(kanal_buffer_view(&envelope.subject),
                           "kanal.events._._.identity.linked.a_dvczqxhxz6iv43xch3xmi6msri"));
    source.node = KANAL_LIT("a_nonsense");
    cr_expect_eq(write_source(&source, &customer, &event), KANAL_E_INVALID);
    source.node = kanal_str_c(node.text);
    source.is_core = 0;
    event.type = KANAL_LIT("message.received");
    cr_expect_eq(write_source(&source, &customer, &event), KANAL_E_INVALID, "a plugin names addresses");
}
