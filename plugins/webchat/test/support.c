#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include "support.h"

struct fake_host *chat_new(const char *settings)
{
    static const char *const secrets[][2] = { { "session", SECRET } };
    char text[4096];
    struct fake_host *host;

    snprintf(text, sizeof text, "{\"origins\":[\"" ORIGIN "\"]%s%s}", settings ? "," : "",
             settings ? settings : "");
    host = fake_new(kanal_plugin_v1(), text, secrets, 1);
    cr_assert_not_null(host);
    return host;
}

void chat_free(struct fake_host *host)
{
    cr_assert_eq(fake_free(host), 0);
}

kanal_op page_open_from(struct fake_host *host, const char *origin)
{
    kanal_field headers[] = { { KANAL_LIT("origin"), kanal_str_c(origin) } };

    return fake_ws_open(host, "/ws", headers, origin ? 1 : 0, NULL);
}

kanal_op page_open(struct fake_host *host)
{
    kanal_op page = page_open_from(host, ORIGIN);

    cr_assert_neq(page, 0);
    return page;
}

void page_say(struct fake_host *host, kanal_op page, const char *format, ...)
{
    static char text[128 * 1024];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    fake_ws_receive(host, page, text);
}

yyjson_doc *page_hear(struct fake_host *host, kanal_op page, const char *type)
{
    const char *frame = fake_ws_take(host, page);
    yyjson_doc *doc;

    if (!type) {
        cr_assert_null(frame, "unexpected frame %s", frame);
        return NULL;
    }
    cr_assert_not_null(frame, "no frame, expected %s", type);
    doc = kanal_json_parse(kanal_str_c(frame));
    cr_assert(kanal_str_is(kanal_json_text_at(yyjson_doc_get_root(doc), "type"), type),
              "expected %s, heard %s", type, frame);
    return doc;
}

const char *page_hear_text(struct fake_host *host, kanal_op page, const char *type, const char *member)
{
    static char text[4096];
    yyjson_doc *doc = page_hear(host, page, type);
    kanal_str value = kanal_json_text_at(yyjson_doc_get_root(doc), member);

    snprintf(text, sizeof text, "%.*s", (int)value.len, value.ptr ? value.ptr : "");
    yyjson_doc_free(doc);
    return text;
}

struct visit visit_new(struct fake_host *host, const char *token)
{
    struct visit visit = { .page = page_open(host) };
    yyjson_doc *welcome;

    if (token)
        page_say(host, visit.page, "{\"type\":\"hello\",\"v\":1,\"token\":\"%s\"}", token);
    else
        page_say(
            host, visit.page,
            "{\"type\":\"hello\",\"v\":1,\"locale\":\"ru-RU\",\"page\":{\"url\":\"https://shop.example/p\","
            "\"title\":\"Coffee\"},\"referrer\":\"https://search.example/\",\"attribution\":{\"utm_source\":"
            "\"insta\",\"yclid\":\"77\"}}");
    welcome = page_hear(host, visit.page, "welcome");
    snprintf(visit.token, sizeof visit.token, "%s", doc_text(welcome, "/token"));
    snprintf(visit.visitor, sizeof visit.visitor, "%s", doc_text(welcome, "/visitor"));
    snprintf(visit.address, sizeof visit.address, "visitor:%s", visit.visitor);
    yyjson_doc_free(welcome);
    return visit;
}

void visit_says(struct fake_host *host, const struct visit *visit, const char *id, const char *text)
{
    page_say(host, visit->page, "{\"type\":\"message\",\"id\":\"%s\",\"text\":\"%s\"}", id, text);
    cr_assert_str_eq(page_hear_text(host, visit->page, "ack", "id"), id);
}

const struct fake_answer *operator_does(struct fake_host *host, const struct visit *visit, const char *verb,
                                        const char *key, const char *target, const char *data)
{
    kanal_delivery delivery = { .part = 1, .part_count = 1, .attempt = 1, .deadline_ms = INT64_MAX };
    char command[64];
    const struct fake_answer *answer;

    snprintf(command, sizeof command, "cmd-%s", key);
    delivery.type = kanal_str_c(verb);
    delivery.command_id = kanal_str_c(command);
    delivery.idempotency_key = kanal_str_c(key);
    delivery.address = kanal_str_c(visit->address);
    delivery.target_external_id = kanal_str_c(target);
    delivery.data = kanal_str_c(data ? data : "{}");
    answer = fake_answer(host, fake_deliver(host, &delivery));
    cr_assert(answer->answered);
    return answer;
}

void operator_says(struct fake_host *host, const struct visit *visit, const char *key, const char *text)
{
    char data[8192], id[64];
    const struct fake_answer *answer;

    snprintf(data, sizeof data, "{\"content\":[{\"type\":\"text\",\"text\":\"%s\"}]}", text);
    snprintf(id, sizeof id, "a.%s", key);
    answer = operator_does(host, visit, "message.send", key, NULL, data);
    cr_assert_eq(answer->result.outcome, KANAL_SENT);
    cr_assert(kanal_str_is(answer->result.external_id, id));
}

const char *doc_text(yyjson_doc *doc, const char *pointer)
{
    static char texts[4][4096];
    static unsigned next;
    char *text = texts[next++ % 4];
    yyjson_val *value = yyjson_doc_ptr_get(doc, pointer);

    if (yyjson_is_int(value))
        snprintf(text, sizeof texts[0], "%lld", (long long)yyjson_get_sint(value));
    else
        snprintf(text, sizeof texts[0], "%s", yyjson_is_str(value) ? yyjson_get_str(value) : "");
    return text;
}

const char *event_text(const struct fake_event *event, const char *pointer)
{
    return doc_text(event->document, pointer);
}

const struct fake_event *event_of(struct fake_host *host, const char *type, size_t index)
{
    for (size_t i = 0; i < fake_event_count(host); i++) {
        const struct fake_event *event = fake_event_at(host, i);

        if (kanal_str_is(event->event.type, type) && index-- == 0)
            return event;
    }
    cr_assert_fail("no such event: %s", type);
    return NULL;
}

size_t event_count_of(struct fake_host *host, const char *type)
{
    size_t count = 0;

    for (size_t i = 0; i < fake_event_count(host); i++)
        count += (size_t)kanal_str_is(fake_event_at(host, i)->event.type, type);
    return count;
}

void make_token(const char *secret, const char *visitor, char ret_token[128])
{
    unsigned char mac[EVP_MAX_MD_SIZE], base64[64];
    unsigned length = 0;
    char text[64];

    snprintf(text, sizeof text, "v1.%s", visitor);
    HMAC(EVP_sha256(), secret, (int)strlen(secret), (unsigned char *)text, strlen(text), mac, &length);
    EVP_EncodeBlock(base64, mac, (int)length);
    for (char *at = (char *)base64; *at; at++)
        *at = *at == '+' ? '-' : *at == '/' ? '_' : *at == '=' ? '\0' : *at;
    snprintf(ret_token, 128, "%s.%s", text, base64);
}
