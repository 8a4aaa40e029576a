/* The parsers of what comes from outside, each by itself. */
#include <criterion/criterion.h>
#include <stdio.h>
#include "broker/api.h"
#include "broker/kv_entry.h"
#include "broker/nkey.h"
#include "broker/object.h"
#include "broker/pull.h"
#include "broker/pump.h"
#include "broker/servers.h"
#include "broker/stored.h"
#include "kanal/sdk/base64.h"

/* ---- Servers ---- */

Test(servers, urls)
{
    static const struct {
        const char *text, *url, *user, *password;
    } good[] = {
        { "nats://localhost", "nats://localhost:4222", "", "" },
        { "localhost:4333", "nats://localhost:4333", "", "" },
        { "tls://n1.example.com:443/", "tls://n1.example.com:443", "", "" },
        { "nats://u:p%40ss%3a1@h:1", "nats://h:1", "u", "p@ss:1" },
        { "nats://token@h", "nats://h:4222", "token", "" },
        { "nats://[::1]:4222", "nats://[::1]:4222", "", "" },
        { "nats://[fe80::1%eth0]", "nats://[fe80::1%eth0]:4222", "", "" },
    };
    static const char *const bad[] = { "",
                                       "nats://",
                                       "http://h",
                                       "nats://h:0",
                                       "nats://h:65536",
                                       "nats://h:+1",
                                       "nats://h:x",
                                       "nats://h h",
                                       "nats://u:%zz@h",
                                       "nats://[::1",
                                       "nats://[::1]x",
                                       "nats://h/path",
                                       "nats://u:%00@h",
                                       "nats://h:" };
    struct broker_server s;
    char reason[256];

    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        cr_assert_eq(broker_server_parse(kanal_str_c(good[i].text), &s, reason), 0, "%s: %s", good[i].text,
                     reason);
        cr_assert_str_eq(s.url, good[i].url);
        cr_assert_str_eq(s.user, good[i].user);
        cr_assert_str_eq(s.password, good[i].password);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_assert_eq(broker_server_parse(kanal_str_c(bad[i]), &s, reason), KANAL_E_INVALID, "%s", bad[i]);
    cr_assert_neq(broker_server_parse(KANAL_LIT("nats://u:geheim@h h"), &s, reason), 0);
    cr_assert_null(strstr(reason, "geheim"), "%s", reason);
}

Test(servers, the_list)
{
    struct broker_servers list;
    const struct broker_server *first;
    char reason[256], address[64];

    broker_servers_init(&list);
    cr_assert_null(broker_servers_next(&list));
    cr_assert_eq(broker_servers_add(&list, KANAL_LIT("tls://u:p@a:1"), reason), 0);
    cr_assert_eq(broker_servers_add(&list, KANAL_LIT("tls://a:1"), reason), 0);
    cr_assert_eq(broker_servers_add(&list, KANAL_LIT("tls://b:2"), reason), 0);
    cr_assert_eq(list.count, 2);
    first = broker_servers_next(&list);
    cr_assert_str_eq(first->url, "tls://a:1");
    broker_servers_learn(&list, KANAL_LIT("nats://c:3"), first);
    broker_servers_learn(&list, KANAL_LIT("b:2"), first);
    broker_servers_learn(&list, KANAL_LIT("bad host"), first);
    broker_servers_learn(&list, KANAL_LIT("x@evil:1"), first);
    cr_assert_eq(list.count, 3);
    cr_assert_str_eq(broker_servers_next(&list)->url, "tls://b:2");
    cr_assert_str_eq(list.list[2].url, "tls://c:3");
    cr_assert_str_eq(list.list[2].password, "p");
    cr_assert_str_eq(broker_servers_next(&list)->url, "tls://c:3");
    cr_assert_str_eq(broker_servers_next(&list)->url, "tls://a:1");
    for (int i = 0; i < 100; i++) {
        snprintf(address, sizeof address, "10.0.0.%d:4222", i);
        broker_servers_learn(&list, kanal_str_c(address), first);
    }
    cr_assert_eq(list.count, BROKER_SERVERS);
    broker_servers_forget(&list);
    cr_assert_eq(list.count, 2);
    broker_servers_release(&list);
}

/* ---- nkeys ---- */

Test(nkey, public_of_a_seed)
{
    char text[512] = "", wanted[64] = "", public[BROKER_NKEY_BYTES];
    FILE *f = fopen(BROKER_FIXTURES "/user.nk", "re");
    size_t n;

    cr_assert_not_null(f);
    n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    f = fopen(BROKER_FIXTURES "/user.pub", "re");
    cr_assert_eq(fscanf(f, "%63s", wanted), 1);
    fclose(f);
    cr_assert_eq(broker_nkey_public(kanal_str_of(text, n), public), 0);
    cr_assert_str_eq(public, wanted);
    text[20] = text[20] == 'A' ? 'B' : 'A';
    cr_assert_eq(broker_nkey_public(kanal_str_of(text, n), public), KANAL_E_INVALID, "a damaged seed");
    cr_assert_eq(broker_nkey_public(KANAL_LIT(""), public), KANAL_E_INVALID);
    cr_assert_eq(
        broker_nkey_public(KANAL_LIT("SUAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), public),
        KANAL_E_INVALID);
}

/* ---- Acknowledgement subjects ---- */

Test(ack, forms)
{
    struct js_delivered d;
    char text[256];

    cr_assert_eq(js_ack_parse(KANAL_LIT("$JS.ACK.EVENTS.reader.2.71.72.1700000000123456789.5"), &d), 0);
    cr_assert(d.deliveries == 2 && d.stream_sequence == 71 && d.consumer_sequence == 72 && d.pending == 5);
    cr_assert_eq(d.time_ms, INT64_C(1700000000123));
    cr_assert_str_eq(d.token.reply, "$JS.ACK.EVENTS.reader.2.71.72.1700000000123456789.5");
    cr_assert_eq(
        js_ack_parse(KANAL_LIT("$JS.ACK.hub.ACCHASH.EVENTS.reader.1.7.8.1700000000123456789.0.rnd"), &d), 0);
    cr_assert(d.deliveries == 1 && d.stream_sequence == 7 && d.consumer_sequence == 8 && d.pending == 0);
    cr_assert_eq(js_ack_parse(KANAL_LIT("$JS.ACK._.ACCHASH.EVENTS.reader.1.7.8.1700000000123456789.0"), &d),
                 0);
    cr_assert_neq(js_ack_parse(KANAL_LIT("$JS.ACK.EVENTS.reader.2.71.72.17"), &d), 0);
    cr_assert_neq(js_ack_parse(KANAL_LIT("$JS.ACK.EVENTS.reader.x.71.72.17.5"), &d), 0);
    cr_assert_neq(js_ack_parse(KANAL_LIT("$JS.ACK.EVENTS.reader.-2.71.72.17.5"), &d), 0);
    cr_assert_neq(js_ack_parse(KANAL_LIT("$JS.ACK.a.b.c.EVENTS.r.1.2.3"), &d), 0);
    cr_assert_neq(js_ack_parse(KANAL_LIT("_INBOX.a"), &d), 0);
    cr_assert_neq(js_ack_parse(kanal_str_of(NULL, 0), &d), 0);
    memset(text, 'x', sizeof text);
    cr_assert_neq(
        js_ack_parse(kanal_str_of(text, (size_t)snprintf(text, sizeof text, "$JS.ACK.%0160d.r.1.2.3.4.5", 0)),
                     &d),
        0);
}

/* ---- Answers of the API ---- */

Test(api, answers)
{
    struct js_answer a;
    yyjson_doc *doc;

    doc = js_answer_parse(KANAL_LIT("{\"type\":\"x\",\"config\":{}}"), &a);
    cr_assert(a.status == KANAL_OK && a.root);
    yyjson_doc_free(doc);
    doc = js_answer_parse(
        KANAL_LIT("{\"error\":{\"code\":404,\"err_code\":10059,\"description\":\"stream not found\"}}"), &a);
    cr_assert(a.status == KANAL_E_REJECTED && a.err_code == JS_ERR_STREAM_NOT_FOUND &&
              kanal_str_is(a.reason, "stream not found"));
    yyjson_doc_free(doc);
    doc = js_answer_parse(KANAL_LIT("{\"error\":{\"code\":503,\"err_code\":10008}}"), &a);
    cr_assert(a.status == KANAL_E_BUSY && a.reason.len > 0);
    yyjson_doc_free(doc);
    doc = js_answer_parse(KANAL_LIT("[1]"), &a);
    cr_assert(a.status == KANAL_E_INTERNAL && !a.root);
    yyjson_doc_free(doc);
    doc = js_answer_parse(KANAL_LIT("junk"), &a);
    cr_assert(a.status == KANAL_E_INTERNAL && !doc);
}

static int differ(const char *actual, const char *expected, struct kanal_buffer *out)
{
    yyjson_doc *a = kanal_json_parse(kanal_str_c(actual)), *e = kanal_json_parse(kanal_str_c(expected));
    int n;

    cr_assert(a && e);
    kanal_buffer_clear(out);
    n = js_config_differences(yyjson_doc_get_root(a), yyjson_doc_get_root(e), out);
    kanal_buffer_byte(out, '\0');
    yyjson_doc_free(a);
    yyjson_doc_free(e);
    return n;
}

Test(api, differences)
{
    struct kanal_buffer out;

    kanal_buffer_init(&out);
    cr_assert_eq(differ("{\"a\":1,\"more\":2}", "{\"a\":1,\"b\":false,\"c\":0,\"d\":\"\"}", &out), 0, "%s",
                 out.data);
    cr_assert_eq(differ("{\"max_age\":604800000000000}", "{\"max_age\":5400000000000}", &out), 1);
    cr_assert_str_eq(out.data, "max_age is 7d, expected 90m");
    cr_assert_eq(differ("{}", "{\"max_age\":1500000000,\"x\":true,\"y\":\"z\",\"n\":3}", &out), 4);
    cr_assert_str_eq(out.data, "max_age is 0, expected 1500ms; x is false, expected true; y is absent, "
                               "expected \"z\"; n is 0, expected 3");
    cr_assert_eq(differ("{\"subjects\":[\"b\",\"a\"]}", "{\"subjects\":[\"a\",\"b\"]}", &out), 0);
    cr_assert_eq(differ("{\"subjects\":[\"a\",\"a\"]}", "{\"subjects\":[\"a\",\"b\"]}", &out), 1);
    cr_assert_eq(differ("{\"subjects\":\"a\"}", "{\"subjects\":[\"a\"]}", &out), 1);
    cr_assert_eq(differ("{\"max_age\":1}", "{\"max_age\":2}", &out), 1);
    cr_assert_str_eq(out.data, "max_age is 1ns, expected 2ns");
    kanal_buffer_release(&out);
}

Test(api, names)
{
    cr_assert(js_name_valid(KANAL_LIT("KV_state-1")));
    cr_assert_not(js_name_valid(KANAL_LIT("")));
    cr_assert_not(js_name_valid(KANAL_LIT("a.b")));
    cr_assert_not(js_name_valid(KANAL_LIT("a b")));
    cr_assert_not(js_name_valid(KANAL_LIT("*")));
    cr_assert_not(js_name_valid(KANAL_LIT("a\0b")));
    cr_assert(kv_key_valid(KANAL_LIT("a/B-9_x=.y")));
    cr_assert_not(kv_key_valid(KANAL_LIT("a*")));
    cr_assert_not(kv_key_valid(KANAL_LIT("a.")));
    cr_assert_not(kv_key_valid(KANAL_LIT("a\0b")));
}

Test(stored, from_json)
{
    struct kanal_buffer payload, headers;
    struct js_message m;
    yyjson_doc *doc;

    kanal_buffer_init(&payload);
    kanal_buffer_init(&headers);
    /* "NATS/1.0\r\nKV-Operation: DEL\r\nNats-Msg-Id: 7\r\n\r\n" and "hello" */
    doc = kanal_json_parse(KANAL_LIT(
        "{\"message\":{\"subject\":\"a.b\",\"seq\":9,\"hdrs\":\"TkFUUy8xLjANCktWLU9wZXJhdGlvbjogREVMDQpOYXRz"
        "LU1zZy1JZDogNw0KDQo=\",\"data\":\"aGVsbG8=\",\"time\":\"2026-11-21T20:53:05.412345678Z\"}}"));
    cr_assert_eq(js_message_of_json(yyjson_doc_get_root(doc), &payload, &headers, &m), 0);
    cr_assert(kanal_str_is(m.subject, "a.b") && m.sequence == 9 && kanal_str_is(m.payload, "hello"));
    cr_assert(kanal_str_is(m.operation, "DEL") && kanal_str_is(m.msg_id, "7"));
    cr_assert_eq(m.time_ms, INT64_C(1795294385412));
    yyjson_doc_free(doc);
    doc = kanal_json_parse(KANAL_LIT("{\"message\":{\"seq\":9,\"data\":\"!\"}}"));
    cr_assert_neq(js_message_of_json(yyjson_doc_get_root(doc), &payload, &headers, &m), 0);
    yyjson_doc_free(doc);
    cr_assert_neq(js_message_of_json(NULL, &payload, &headers, &m), 0);
    kanal_buffer_release(&payload);
    kanal_buffer_release(&headers);
}

/* ---- Objects ---- */

Test(object_meta, there_and_back)
{
    struct object_meta meta = { .name = KANAL_LIT("a \"b\""),
                                .content_type = KANAL_LIT("image/png"),
                                .nuid = KANAL_LIT("N"),
                                .digest = KANAL_LIT("SHA-256=x"),
                                .size = 7,
                                .chunks = 1 },
                       back;
    struct kanal_buffer out;
    yyjson_doc *doc = NULL;

    kanal_buffer_init(&out);
    object_meta_write(&out, "media", &meta);
    cr_assert_eq(object_meta_parse(kanal_buffer_view(&out), &doc, &back), 0);
    cr_assert(kanal_str_equal(back.name, meta.name) &&
              kanal_str_equal(back.content_type, meta.content_type) && back.filename.ptr == NULL &&
              back.size == 7 && back.chunks == 1);
    yyjson_doc_free(doc);
    cr_assert_neq(object_meta_parse(KANAL_LIT("{\"name\":\"a\",\"nuid\":\"x.>\",\"size\":1}"), &doc, &back),
                  0);
    cr_assert_neq(object_meta_parse(KANAL_LIT("{\"name\":\"a\",\"nuid\":\"x\",\"size\":-1}"), &doc, &back),
                  0);
    cr_assert_neq(object_meta_parse(KANAL_LIT("junk"), &doc, &back), 0);
    kanal_buffer_release(&out);
    object_meta_subject(&out, "media", KANAL_LIT("a?b>"));
    kanal_buffer_byte(&out, '\0');
    cr_assert_str_eq(out.data, "$O.media.M.YT9iPg==");
    kanal_buffer_release(&out);
}

/* ---- TLS records ---- */

Test(pump, whole_records)
{
    unsigned char bytes[64] = { 23, 3, 3, 0, 4, 1, 2, 3, 4, 23, 3, 3, 0, 1, 9 };

    cr_assert_eq(broker_pump_whole_records(bytes, 0), 0);
    cr_assert_eq(broker_pump_whole_records(bytes, 4), 0);
    cr_assert_eq(broker_pump_whole_records(bytes, 8), 0);
    cr_assert_eq(broker_pump_whole_records(bytes, 9), 9);
    cr_assert_eq(broker_pump_whole_records(bytes, 14), 9);
    cr_assert_eq(broker_pump_whole_records(bytes, 15), 15);
    bytes[9] = 'I';
    cr_assert_eq(broker_pump_whole_records(bytes, 14), 14, "no TLS: passed on, to be refused");
    bytes[9] = 23;
    bytes[12] = 0xff;
    cr_assert_eq(broker_pump_whole_records(bytes, 14), 14, "larger than a record may be");
}
