/* The first byte says what the rest is: the body of a subscription, what is kept, the data of a delivery, an answer. The fake host sees to it that
 * every request and delivery is answered once and that every event is well-formed. */
#include "kanal/testing/fakehost.h"
#include "payload.h"
#include "subscription.h"

static const char settings_text[] = "{\"public_key\":\"BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-"
                                    "AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4\",\"subject\":\"mailto:a@b.ru\","
                                    "\"rate_per_minute\":0,\"push_services\":[\"*.a.example\",\"http://"
                                    "127.0.0.1:9\",\"b.example:8443\"],\"ttl_s\":60}";
static const char *const secrets[][2] = { { "session", "0123456789abcdef" } };

static void check(int holds)
{
    if (!holds)
        __builtin_trap();
}

static void fuzz_request(kanal_str text)
{
    struct fake_host *host = fake_new(kanal_plugin_v1(), settings_text, secrets, 1);
    kanal_op op = fake_http(host, "POST", "/subscription", NULL, 0, text);
    check(fake_answer(host, op)->answered);
    op = fake_http(host, "POST", "/unsubscribe", NULL, 0, text);
    check(fake_answer(host, op)->answered);
    check(fake_free(host) == 0);
}

static void fuzz_data(const struct settings *settings, kanal_str text)
{
    struct subscription subscription, again;
    struct push_options options;
    struct kanal_buffer out = { 0 };
    yyjson_doc *doc = kanal_json_parse(text), *written = NULL;
    yyjson_val *root = yyjson_doc_get_root(doc);
    if (subscription_read(&subscription, settings, root) == NULL) {
        subscription_write(&out, &subscription);
        written = kanal_json_parse(kanal_buffer_view(&out));
        check(subscription_read(&again, settings, yyjson_doc_get_root(written)) == NULL &&
              subscription_equal(&subscription, &again));
        yyjson_doc_free(written);
    }
    kanal_buffer_clear(&out);
    if (payload_write(&out, &options, settings, KANAL_LIT("id"), root) == NULL) {
        written = kanal_json_parse(kanal_buffer_view(&out));
        check(written != NULL && options.ttl_s >= 0);
        yyjson_doc_free(written);
    }
    yyjson_doc_free(doc);
    kanal_buffer_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct settings settings;
    const char *error;
    if (size < 1)
        return 0;
    kanal_str text = { (const char *)data + 1, size - 1 };
    if (data[0] == 'r') {
        fuzz_request(text);
        return 0;
    }
    check(settings_read(&settings, kanal_str_c(settings_text), &error) == KANAL_OK);
    if (data[0] == 'e')
        settings_takes_endpoint(&settings, text);
    else
        fuzz_data(&settings, text);
    settings_release(&settings);
    return 0;
}
