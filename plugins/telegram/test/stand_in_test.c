/* The plugin against the stand-in of Telegram (tests/providers/telegram/), over real HTTP: the fake host's
 * requests are sent with curl, as the gateway would, with the secrets in their slots. Run by stand_in.sh,
 * which starts the stand-in and names it in KANAL_TELEGRAM_STAND_IN (its URL) and KANAL_TELEGRAM_TOKEN. */
#include <curl/curl.h>
#include <stdio.h>

#include "test/capture.h"

static const char *base, *token;

/* ---- HTTP ---- */

static size_t take(char *bytes, size_t size, size_t count, void *user)
{
    kanal_buffer_append(user, bytes, size * count);
    return size * count;
}

/* The code; the body in out. body NULL: GET. */
static int exchange(CURL *curl, const char *url, kanal_str body, curl_mime *form, struct kanal_buffer *out)
{
    long code = 0;
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, out);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, 20L);
    if (form) {
        curl_easy_setopt(curl, CURLOPT_MIMEPOST, form);
    } else if (body.ptr) {
        curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body.ptr);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)body.len);
    }
    cr_assert_eq(curl_easy_perform(curl), CURLE_OK, "%s", url);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &code);
    curl_slist_free_all(headers);
    return (int)code;
}

static int simple(const char *url, const char *body, struct kanal_buffer *out)
{
    CURL *curl = curl_easy_init();
    int code = exchange(curl, url, kanal_str_c(body), NULL, out);
    curl_easy_cleanup(curl);
    return code;
}

/* A control of the stand-in; its answer, to be freed. */
static yyjson_doc *control(const char *path, const char *body)
{
    char url[512];
    struct kanal_buffer out = { 0 };
    snprintf(url, sizeof url, "%s/_/%s", base, path);
    cr_assert_eq(simple(url, body, &out), 200, "%s: %.*s", path, (int)out.len, out.data);
    yyjson_doc *document = kanal_json_parse(kanal_buffer_view(&out));
    cr_assert_not_null(document);
    kanal_buffer_release(&out);
    return document;
}

static void act(const char *path, const char *body)
{
    yyjson_doc_free(control(path, body));
}

/* What the host makes of a URL with the token's slot. */
static void write_url(char *out, size_t size, const kanal_http_request *request)
{
    const kanal_secret_use *use = &request->secrets[0];
    cr_assert(kanal_str_is(use->secret, "token"));
    snprintf(out, size, "%.*s/%.*s%s%s", (int)use->position, request->url.ptr, (int)use->prefix.len,
             use->prefix.ptr, token, request->url.ptr + use->position);
}

static void add_part(curl_mime *form, const kanal_part *part)
{
    char name[64], filename[256];
    curl_mimepart *field = curl_mime_addpart(form);
    snprintf(name, sizeof name, "%.*s", (int)part->name.len, part->name.ptr);
    curl_mime_name(field, name);
    if (part->source_url.len == 0) {
        curl_mime_data(field, part->data.ptr, part->data.len);
        return;
    }
    struct kanal_buffer bytes = { 0 };
    char url[512];
    snprintf(url, sizeof url, "%.*s", (int)part->source_url.len, part->source_url.ptr);
    cr_assert_eq(simple(url, NULL, &bytes), 200);
    snprintf(filename, sizeof filename, "%.*s", (int)part->filename.len, part->filename.ptr);
    curl_mime_filename(field, filename);
    curl_mime_data(field, bytes.data, bytes.len);
    kanal_buffer_release(&bytes);
}

/* Sends the oldest request that the plugin made, and brings it the answer. */
static void pass_on(struct fake_host *host)
{
    char url[1024];
    struct kanal_buffer out = { 0 };
    const kanal_http_request *request = &fake_request_at(host, 0)->request;
    CURL *curl = curl_easy_init();
    curl_mime *form = request->part_count > 0 ? curl_mime_init(curl) : NULL;
    for (size_t i = 0; i < request->part_count; i++)
        add_part(form, &request->parts[i]);
    write_url(url, sizeof url, request);
    kanal_http_response response = { .struct_size = sizeof response };
    response.code = exchange(curl, url, request->body, form, &out);
    response.body = kanal_buffer_view(&out);
    curl_mime_free(form);
    curl_easy_cleanup(curl);
    fake_request_answer_with(host, 0, &response);
    kanal_buffer_release(&out);
}

/* ---- The channel ---- */

static struct fake_host *begin(const char *mode)
{
    char settings[256];
    base = getenv("KANAL_TELEGRAM_STAND_IN");
    token = getenv("KANAL_TELEGRAM_TOKEN");
    cr_assert(base && token, "this is run by stand_in.sh");
    act("reset", "{}");
    act("user/say", "{\"chat\":3527065,\"text\":\"/start link1\"}");
    snprintf(settings, sizeof settings, "{\"mode\":\"%s\",\"api_url\":\"%s\",\"poll_timeout\":0}", mode,
             base);
    const char *const secrets[][2] = { { "token", token }, { "webhook", "s3cret" } };
    struct fake_host *host = fake_new(kanal_plugin_v1(), settings, secrets, 2);
    cr_assert_not_null(host);
    pass_on(host); /* getMe */
    return host;
}

static void finish(struct fake_host *host)
{
    cr_assert_eq(fake_free(host), 0);
}

static const kanal_result *deliver(struct fake_host *host, const char *type, const char *chat,
                                   const char *target, const char *data)
{
    kanal_delivery delivery = { .type = kanal_str_c(type), .address = KANAL_LIT("telegram:3527065") };
    delivery.chat = kanal_str_c(chat);
    delivery.target_external_id = kanal_str_c(target);
    delivery.data = kanal_str_c(data);
    kanal_op op = fake_deliver(host, &delivery);
    for (int i = 0; i < 5 && !fake_answer(host, op)->answered; i++)
        pass_on(host);
    cr_assert(fake_answer(host, op)->answered);
    return &fake_answer(host, op)->result;
}

static const char *send_content(struct fake_host *host, const char *data)
{
    const kanal_result *result = deliver(host, "message.send", NULL, NULL, data);
    cr_assert_eq(result->outcome, KANAL_SENT, "%s: %.*s", data, (int)result->reason.len, result->reason.ptr);
    return result->external_id.ptr;
}

/* Of the calls that the stand-in heard, a value of the last one. */
static const char *last_call(const char *path)
{
    static char text[4096];
    yyjson_doc *calls = control("sent", NULL);
    snprintf(text, sizeof text, "%s", value_at(yyjson_arr_get_last(yyjson_doc_get_root(calls)), path));
    yyjson_doc_free(calls);
    return text;
}

static void expect_no_complaints(void)
{
    yyjson_doc *calls = control("sent", NULL);
    yyjson_val *call;
    size_t index, max;
    yyjson_arr_foreach (yyjson_doc_get_root(calls), index, max, call)
        cr_expect_str_eq(value_at(call, "complaints"), "[]", "call %zu: %s", index, value_at(call, ""));
    yyjson_doc_free(calls);
}

/* ---- Out ---- */

Test(stand_in, text_is_shown_as_meant)
{
    struct fake_host *host = begin("webhook");
    send_content(host, "{\"content\":[{\"type\":\"text\",\"markup\":\"markdown\",\"text\":\"**a** 😀 <b> "
                       "[x](https://x.example/?a=1&b=2)\"}]}");
    EXPECT_TEXT(last_call("result/text"), "a 😀 <b> x");
    EXPECT_TEXT(last_call("result/entities"),
                "[{\"type\":\"bold\",\"offset\":0,\"length\":1},{\"type\":\"text_link\",\"offset\":9,"
                "\"url\":\"https://x.example/?a=1&b=2\",\"length\":1}]");
    send_content(
        host, "{\"content\":[{\"type\":\"text\",\"markup\":\"html\",\"text\":\"<b>1<i>2</b>3</i> &lt;4\"}]}");
    EXPECT_TEXT(last_call("result/text"), "123 <4");
    send_content(host, "{\"content\":[{\"type\":\"text\",\"text\":\"<b>plain</b> &amp;\"}]}");
    EXPECT_TEXT(last_call("result/text"), "<b>plain</b> &amp;");
    expect_no_complaints();
    finish(host);
}

Test(stand_in, media_places_and_contacts)
{
    static const char *const media[] = {
        "\"image\",\"caption\":\"c\"",    "\"video\",\"duration_ms\":2000",
        "\"video\",\"round\":true",       "\"video\",\"animation\":true",
        "\"audio\",\"title\":\"t\"",      "\"voice\"",
        "\"file\",\"name\":\"Счёт.pdf\"", "\"sticker\"",
    };
    struct fake_host *host = begin("webhook");
    for (size_t i = 0; i < sizeof media / sizeof *media; i++) {
        char data[768];
        snprintf(data, sizeof data, "{\"content\":[{\"type\":%s,\"url\":\"%s/_/state\"}]}", media[i], base);
        cr_expect(strncmp(send_content(host, data), "3527065/", 8) == 0);
        if (i == 0) { /* what is at that URL is no picture, so it was uploaded */
            EXPECT_TEXT(last_call("parameters/photo/upload"), "state");
            EXPECT_TEXT(last_call("result/caption"), "c");
        }
    }
    send_content(host, "{\"content\":[{\"type\":\"location\",\"lat\":55.75,\"lon\":37.61}]}");
    send_content(host, "{\"content\":[{\"type\":\"location\",\"lat\":55.75,\"lon\":37.61,\"name\":\"M\"}]}");
    EXPECT_TEXT(last_call("result/venue/title"), "M");
    send_content(host,
                 "{\"content\":[{\"type\":\"contact\",\"name\":\"A B\",\"phones\":[\"+79161234567\"]}]}");
    expect_no_complaints();
    finish(host);
}

Test(stand_in, verbs)
{
    struct fake_host *host = begin("webhook");
    char id[64];
    snprintf(id, sizeof id, "%s",
             send_content(host,
                          "{\"content\":[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"choice\",\"style\":"
                          "\"buttons\",\"options\":[{\"text\":\"Да\"}]}]}"));
    const kanal_result *result =
        deliver(host, "message.edit", NULL, id, "{\"content\":[{\"type\":\"text\",\"text\":\"b\"}]}");
    cr_expect_eq(result->outcome, KANAL_SENT);
    EXPECT_TEXT(result->external_id.ptr, id);
    cr_expect_eq(deliver(host, "message.edit", NULL, id, "{\"content\":[{\"type\":\"text\",\"text\":\"b\"}]}")
                     ->outcome,
                 KANAL_SENT);
    cr_expect_eq(
        deliver(host, "message.react", NULL, "3527065/1", "{\"reactions\":[{\"emoji\":\"👍\"}]}")->outcome,
        KANAL_SENT);
    cr_expect_eq(deliver(host, "typing.start", NULL, NULL, "{}")->outcome, KANAL_SENT);
    cr_expect_eq(deliver(host, "message.send", NULL, "3527065/1",
                         "{\"content\":[{\"type\":\"text\",\"text\":\"re\"}]}")
                     ->outcome,
                 KANAL_SENT);
    EXPECT_TEXT(last_call("result/reply_to_message/message_id"), "1");
    cr_expect_eq(deliver(host, "message.delete", NULL, id, "{}")->outcome, KANAL_SENT);
    result = deliver(host, "message.delete", NULL, id, "{}");
    cr_expect_eq(result->outcome, KANAL_FAILED);
    cr_expect(kanal_str_is(result->code, "message_not_found"));
    /* A caption is edited as one. */
    char url[256];
    snprintf(url, sizeof url,
             "{\"content\":[{\"type\":\"file\",\"url\":\"%s/_/state\",\"caption\":\"old\"}]}", base);
    snprintf(id, sizeof id, "%s", send_content(host, url));
    cr_expect_eq(
        deliver(host, "message.edit", NULL, id, "{\"content\":[{\"type\":\"text\",\"text\":\"new\"}]}")
            ->outcome,
        KANAL_SENT);
    EXPECT_TEXT(last_call("result/caption"), "new");
    snprintf(url, sizeof url,
             "{\"content\":[{\"type\":\"image\",\"url\":\"%s/_/state\",\"caption\":\"picture\"}]}", base);
    cr_expect_eq(deliver(host, "message.edit", NULL, id, url)->outcome, KANAL_SENT);
    EXPECT_TEXT(last_call("parameters/media/media"), "attach://upload");
    EXPECT_TEXT(last_call("result/caption"), "picture");
    expect_no_complaints();
    finish(host);
}

Test(stand_in, refusals)
{
    struct fake_host *host = begin("webhook");
    const char *hello = "{\"content\":[{\"type\":\"text\",\"text\":\"a\"}]}";
    const kanal_result *result = deliver(host, "message.send", "99", NULL, hello);
    cr_expect(kanal_str_is(result->code, "recipient_unknown"));
    act("user/block", "{\"chat\":3527065}");
    result = deliver(host, "message.send", NULL, NULL, hello);
    cr_expect(kanal_str_is(result->code, "recipient_blocked") && result->scope == KANAL_SCOPE_RECIPIENT);
    act("user/unblock", "{\"chat\":3527065}");
    act("fail", "{\"method\":\"sendMessage\",\"error_code\":429,\"description\":\"Too Many Requests: retry "
                "after 7\",\"parameters\":{\"retry_after\":7}}");
    result = deliver(host, "message.send", NULL, NULL, hello);
    cr_expect(result->outcome == KANAL_RETRY && result->retry_after_ms == 7000);
    act("user/say", "{\"chat\":-55,\"chat_info\":{\"type\":\"group\",\"title\":\"G\"}}");
    act("user/migrate", "{\"chat\":-55,\"to\":-10055}");
    result = deliver(host, "message.send", "-55", NULL, hello);
    cr_expect_eq(result->outcome, KANAL_SENT);
    cr_expect(kanal_str_starts(result->external_id, "-10055/"));
    finish(host);
}

/* ---- In ---- */

Test(stand_in, polling_tells_what_people_do)
{
    struct fake_host *host = begin("polling"); /* getUpdates waits: its answer holds /start */
    pass_on(host);
    cr_assert_eq(fake_event_count(host), 2);
    EXPECT_TEXT(event_value(host, 0, "referral/payload"), "link1");
    fake_events_clear(host);
    act("user/file", "{\"chat\":3527065,\"kind\":\"document\",\"name\":\"a.txt\",\"type\":\"text/"
                     "plain\",\"text\":\"the bytes\"}");
    pass_on(host);
    char reference[256];
    snprintf(reference, sizeof reference, "%s", event_value(host, 0, "message/content/0/ref"));
    cr_assert(reference[0]);
    /* Somebody fetches the file. */
    kanal_op op = fake_media(host, reference);
    struct kanal_buffer out = { 0 };
    char url[1024];
    while (!fake_answer(host, op)->answered)
        pass_on(host);
    cr_assert_eq(fake_answer(host, op)->status, KANAL_OK);
    write_url(url, sizeof url, &fake_answer(host, op)->location);
    cr_expect_eq(simple(url, NULL, &out), 200);
    cr_expect(kanal_str_is(kanal_buffer_view(&out), "the bytes"));
    kanal_buffer_release(&out);
    finish(host);
}

Test(stand_in, registration_and_conflict)
{
    struct fake_host *host = begin("webhook");
    kanal_op op = fake_provision(host, "http://127.0.0.1:9/c/fake", 1);
    /* The fake host does not add the secret to the body, as the gateway does; so it is not asked for here. */
    pass_on(host);
    cr_assert(fake_answer(host, op)->answered && fake_answer(host, op)->status == KANAL_OK);
    finish(host);
    host = fake_new(kanal_plugin_v1(), NULL, (const char *const[][2]){ { "token", "1:a" } }, 1);
    finish(host);
    char settings[256];
    snprintf(settings, sizeof settings, "{\"mode\":\"polling\",\"api_url\":\"%s\",\"poll_timeout\":0}", base);
    const char *const secrets[][2] = { { "token", token } };
    host = fake_new(kanal_plugin_v1(), settings, secrets, 1);
    for (int i = 0; i < 4; i++) /* getMe, getUpdates: 409, deleteWebhook, getUpdates */
        pass_on(host);
    cr_expect_eq(fake_event_count(host), 2);
    finish(host);
}
