/* The first byte says what the rest is: a form body, a JSON body, settings' texts in a body with a token, a header, a query. The
 * fake host sees to it that every request is answered once and that every event is well-formed. */
#include <stdio.h>
#include "event.h"
#include "kanal/testing/fakehost.h"
#include "kanal/sdk/sdk.h"
#include "phone.h"
#include "token.h"

static const char settings[] =
    "{\"origins\":[\"https://"
    "*.a.example\"],\"honeypot\":\"hp\",\"undeclared_fields\":\"keep\",\"default_country\":\"RU\","
    "\"rate_per_minute\":0,\"keep_ip\":true,\"thanks_url\":\"https://a.example/"
    "\",\"forms\":[{\"id\":\"f\",\"fields\":["
    "{\"name\":\"p\",\"type\":\"tel\"},{\"name\":\"e\",\"type\":\"email\"},{\"name\":\"n\",\"type\":"
    "\"number\"},"
    "{\"name\":\"d\",\"type\":\"date\"},{\"name\":\"t\",\"type\":\"time\"},{\"name\":\"u\",\"type\":\"url\"},"
    "{\"name\":\"s\",\"type\":\"select\",\"options\":[\"x\",\"y\"]},{\"name\":\"c\",\"type\":\"checkbox\","
    "\"options\":[\"x\",\"y\"]},"
    "{\"name\":\"a\",\"type\":\"textarea\"}],\"consents\":[{\"purpose\":\"m\"}]}]}";
static const char *const secrets[][2] = { { "session", "0123456789abcdef" } };

static void check(int holds)
{
    if (!holds)
        __builtin_trap();
}

static void post(struct fake_host *host, kanal_str type, kanal_str body, kanal_str origin, kanal_str other)
{
    const kanal_field headers[] = { { KANAL_LIT("content-type"), type },
                                    { KANAL_LIT("referer"), other },
                                    { KANAL_LIT("user-agent"), other },
                                    { KANAL_LIT("accept"), other },
                                    { KANAL_LIT("origin"), origin } };
    kanal_op op = fake_http(host, "POST", "/", headers, origin.ptr ? 5 : 4, body);
    check(fake_answer(host, op)->answered);
}

static void fuzz_texts(kanal_str text)
{
    struct kanal_buffer out = { 0 };
    struct token token;
    struct kanal_url url;
    check(phone_address(text, KANAL_LIT("BY"), &out) != 1 || (out.len >= 6 && out.len <= 20));
    kanal_buffer_clear(&out);
    check(email_address(text, &out) != 1 || memchr(out.data, '@', out.len) != NULL);
    kanal_buffer_clear(&out);
    check(event_url(&out, text) != 0 || kanal_url_parse(kanal_buffer_view(&out), &url) == KANAL_OK);
    if (token_parse_form(text, &token) == KANAL_OK)
        check(token.form.ptr > text.ptr && token.form.ptr + token.form.len < text.ptr + text.len);
    token_parse_session(text, &token);
    kanal_buffer_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const kanal_str form = KANAL_LIT("application/x-www-form-urlencoded"),
                    json = KANAL_LIT("application/json");
    const kanal_str none = { NULL, 0 };
    if (size < 1)
        return 0;
    kanal_str text = { (const char *)data + 1, size - 1 };
    struct kanal_buffer body = { 0 };
    struct fake_host *host = fake_new(kanal_plugin_v1(), settings, secrets, 1);
    switch (data[0]) {
    case 'f':
        post(host, form, text, none, none);
        break;
    case 'j':
        post(host, json, text, none, none);
        break;
    case 't':
        kanal_form_add(&body, "kanal_token", text);
        kanal_form_add(&body, "kanal_session", text);
        post(host, form, kanal_buffer_view(&body), none, none);
        break;
    case 'h':
        post(host, form, KANAL_LIT("p=%2B79161234567"), none, text);
        post(host, text, KANAL_LIT("p=%2B79161234567"), text, none);
        break;
    default:
        fuzz_texts(text);
        break;
    }
    kanal_buffer_release(&body);
    check(fake_free(host) == 0);
    return 0;
}
