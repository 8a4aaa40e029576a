#include <criterion/criterion.h>
#include <yyjson.h>

#include "cli/grant.h"
#include "kanal/sdk/json.h"

static const char *const filters[] = { "kanal.events.*.shop.>" };
static const unsigned char bytes[20] = "0123456789abcdefghij";

static struct grant make(const char *account)
{
    struct grant grant = {
        .name = "crm", .stream = "KANAL_EVENTS", .account = account, .filters = filters, .filter_count = 1
    };

    grant_set_password(&grant, bytes, sizeof bytes);
    return grant;
}

Test(grant, text_of_an_account)
{
    struct grant grant = make("KANAL");
    struct kanal_buffer out = { 0 };

    grant_write_text(&grant, &out);
    kanal_buffer_byte(&out, '\0');
    cr_expect_str_eq(
        out.data,
        "# The durable crm of KANAL_EVENTS reads:\n"
        "#   kanal.events.*.shop.>\n"
        "# Its reader is a pull consumer with the inbox prefix _INBOX_crm and the JetStream domain KANAL.\n"
        "#\n"
        "# For nats-server's configuration, inside accounts { }. There the gateway's account, KANAL, exports "
        "once, for all readers:\n"
        "#   exports: [\n"
        "#     { service: \"$JS.API.CONSUMER.MSG.NEXT.*.*\", response_type: stream }\n"
        "#     { service: \"$JS.API.CONSUMER.INFO.*.*\" }\n"
        "#     { service: \"$JS.ACK.*.*.>\" }\n"
        "#   ]\n"
        "crm: {\n"
        "  users: [\n"
        "    {\n"
        "      user: \"crm\"\n"
        "      password: \"gaytemzugu3doobzmfrggzdfmztwq2lk\"\n"
        "      permissions: {\n"
        "        publish: {\n"
        "          allow: [\n"
        "            \"$JS.KANAL.API.CONSUMER.MSG.NEXT.KANAL_EVENTS.crm\"\n"
        "            \"$JS.KANAL.API.CONSUMER.INFO.KANAL_EVENTS.crm\"\n"
        "            \"$JS.ACK.KANAL_EVENTS.crm.>\"\n"
        "          ]\n"
        "        }\n"
        "        subscribe: { allow: [ \"_INBOX_crm.>\" ] }\n"
        "      }\n"
        "    }\n"
        "  ]\n"
        "  imports: [\n"
        "    { service: { account: KANAL, subject: \"$JS.API.CONSUMER.MSG.NEXT.KANAL_EVENTS.crm\" }, to: "
        "\"$JS.KANAL.API.CONSUMER.MSG.NEXT.KANAL_EVENTS.crm\" }\n"
        "    { service: { account: KANAL, subject: \"$JS.API.CONSUMER.INFO.KANAL_EVENTS.crm\" }, to: "
        "\"$JS.KANAL.API.CONSUMER.INFO.KANAL_EVENTS.crm\" }\n"
        "    { service: { account: KANAL, subject: \"$JS.ACK.KANAL_EVENTS.crm.>\" } }\n"
        "  ]\n"
        "}\n");
    kanal_buffer_release(&out);
}

Test(grant, json_says_the_same)
{
    static const char *const accounts[] = { "KANAL", NULL };

    for (size_t i = 0; i < 2; i++) {
        struct grant grant = make(accounts[i]);
        struct kanal_buffer out = { 0 }, text = { 0 };
        yyjson_doc *document;
        yyjson_val *allow, *item;
        size_t n, max;

        grant_write_json(&grant, &out);
        grant_write_text(&grant, &text);
        kanal_buffer_byte(&text, '\0');
        document = kanal_json_parse(kanal_buffer_view(&out));
        cr_assert_not_null(document);
        allow = yyjson_ptr_get(yyjson_doc_get_root(document), "/permissions/publish/allow");
        cr_expect_eq(yyjson_arr_size(allow), 3);
        yyjson_arr_foreach (allow, n, max, item)
            cr_expect_not_null(strstr(text.data, yyjson_get_str(item)), "%s", yyjson_get_str(item));
        cr_expect_eq(yyjson_ptr_get(yyjson_doc_get_root(document), "/imports") != NULL, accounts[i] != NULL);
        cr_expect_eq(strstr(text.data, "authorization {") != NULL, accounts[i] == NULL);
        yyjson_doc_free(document);
        kanal_buffer_release(&out);
        kanal_buffer_release(&text);
    }
}
