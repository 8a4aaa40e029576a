/* The first byte says how the rest is sent: a batch or a call, with the server's key or the pages'; or as a header. The fake host sees to
 * it that every request is answered once and that every event is well-formed. */
#include "kanal/testing/fakehost.h"
#include "kanal/sdk/sdk.h"

static const char settings[] =
    "{\"origins\":[\"https://"
    "*.a.example\"],\"default_country\":\"RU\",\"keep_ip\":true,\"rate_per_minute\":0,"
    "\"server_verifies\":[\"user_id\",\"email\",\"phone\",\"anonymous_id\"]}";
static const char *const secrets[][2] = { { "write_key", "page-key" }, { "server_key", "server-key" } };

static void check(int holds)
{
    if (!holds)
        __builtin_trap();
}

static void post(struct fake_host *host, const char *target, kanal_str authorization, kanal_str body,
                 kanal_str other)
{
    const kanal_field headers[] = { { KANAL_LIT("authorization"), authorization },
                                    { KANAL_LIT("user-agent"), other },
                                    { KANAL_LIT("content-encoding"), other },
                                    { KANAL_LIT("origin"), other } };
    kanal_op op = fake_http(host, "POST", target, headers, other.ptr ? 4 : 1, body);
    check(fake_answer(host, op)->answered);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const targets[] = { "/v1/batch", "/v1/track", "/v1/identify",
                                           "/v1/page",  "/v1/group", "/v1/alias" };
    const kanal_str none = { NULL, 0 }, page = KANAL_LIT("Basic cGFnZS1rZXk6"),
                    server = KANAL_LIT("Basic c2VydmVyLWtleTo=");
    if (size < 1)
        return 0;
    kanal_str text = { (const char *)data + 1, size - 1 };
    struct fake_host *host = fake_new(kanal_plugin_v1(), settings, secrets, 2);
    if (data[0] == 'h') {
        post(host, "/v1/track", text, KANAL_LIT("{\"event\":\"X\",\"userId\":\"1\"}"), text);
        post(host, "/v1/track", page, KANAL_LIT("{\"event\":\"X\",\"userId\":\"1\"}"), text);
    } else {
        const char *target = targets[data[0] % (sizeof targets / sizeof targets[0])];
        post(host, target, data[0] & 0x20 ? page : server, text, none);
        post(host, target, none, text, none); /* the key is looked for in the body */
    }
    check(fake_free(host) == 0);
    return 0;
}
