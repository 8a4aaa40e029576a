/* Whatever the broker says: the parsers of its answers stay within their bounds and keep their promises. */
#include "broker/api.h"
#include "broker/object.h"
#include "broker/pull.h"
#include "broker/pump.h"
#include "broker/servers.h"
#include "broker/slots.h"
#include "broker/stored.h"

static void check(int holds)
{
    if (!holds)
        __builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void answers(kanal_str text)
{
    struct js_answer answer;
    struct kanal_buffer payload = { 0 }, headers = { 0 }, out = { 0 };
    struct js_message message;
    struct object_meta meta;
    yyjson_doc *doc = js_answer_parse(text, &answer), *other = NULL;

    check(answer.status == KANAL_OK ? answer.root != NULL : answer.reason.len > 0);
    (void)js_message_of_json(answer.root, &payload, &headers, &message);
    (void)js_config_differences(answer.root, answer.root, &out);
    kanal_buffer_clear(&out);
    (void)js_config_differences(kanal_json_at(answer.root, "config"), answer.root, &out);
    if (object_meta_parse(text, &other, &meta) == 0) {
        check(meta.deleted || meta.is_link || js_name_valid(meta.nuid));
        kanal_buffer_clear(&out);
        object_meta_write(&out, "bucket", &meta);
        yyjson_doc_free(other);
        other = NULL;
        check(object_meta_parse(kanal_buffer_view(&out), &other, &meta) == 0 || meta.deleted || meta.is_link);
    }
    yyjson_doc_free(other);
    yyjson_doc_free(doc);
    kanal_buffer_release(&payload);
    kanal_buffer_release(&headers);
    kanal_buffer_release(&out);
}

static void subjects(kanal_str text)
{
    struct js_delivered delivered;
    struct broker_servers servers;
    struct broker_server teller;
    char reason[256], out[BROKER_TOKEN_BYTES];
    uint64_t token;

    if (js_ack_parse(text, &delivered) == 0)
        check(kanal_str_is(text, delivered.token.reply));
    if (broker_token_parse(text, &token) == 0)
        check(broker_token_format(token, out) <= text.len);
    (void)js_raw_header(text, "Status");
    broker_servers_init(&servers);
    check(broker_server_parse(KANAL_LIT("tls://user:secret@teller"), &teller, reason) == 0);
    broker_servers_learn(&servers, text, &teller);
    check(servers.count == 0 || broker_server_is_tls(&servers.list[0]));
    (void)broker_servers_add(&servers, text, reason);
    broker_servers_release(&servers);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    kanal_str text = { (const char *)data, size };
    size_t whole = broker_pump_whole_records(data, size);

    check(whole <= size);
    answers(text);
    subjects(text);
    return 0;
}
