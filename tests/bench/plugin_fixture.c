#include "plugin_fixture.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kanal/sdk/url.h"

static int read_file(const char *path, struct kanal_buffer *ret_bytes)
{
    char chunk[4096];
    FILE *file = fopen(path, "rbe");
    if (!file)
        return -1;
    for (size_t n; (n = fread(chunk, 1, sizeof chunk, file)) > 0;)
        kanal_buffer_append(ret_bytes, chunk, n);
    int failed = ferror(file) || ret_bytes->failed;
    fclose(file);
    return failed ? -1 : 0;
}

/* ---- The plugin ---- */

static const char *load(struct fixture *f, const char *plugins, const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s/%s.so", plugins, name, name);
    f->library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!f->library)
        return "the plugin cannot be loaded: was it built?";
    const kanal_plugin *(*entry)(void);
    *(void **)&entry = dlsym(f->library, "kanal_plugin_v1");
    f->plugin = entry ? entry() : NULL;
    return f->plugin ? NULL : "it has no kanal_plugin_v1()";
}

/* Settings, secrets and the provider's answers are those of conformance.json. */
static const char *begin(struct fixture *f)
{
    yyjson_val *root = yyjson_doc_get_root(f->doc), *given = kanal_json_at(root, "secrets");
    const char *secrets[FIXTURE_SECRETS][2];
    size_t count = 0;
    for (size_t i = 0; i < f->plugin->secret_count; i++) {
        const char *value = yyjson_get_str(kanal_json_at(given, f->plugin->secrets[i].name));
        if (!value || count == FIXTURE_SECRETS)
            continue;
        secrets[count][0] = f->plugin->secrets[i].name;
        secrets[count++][1] = value;
    }
    size_t length = 0;
    char *settings = yyjson_val_write(kanal_json_at(root, "settings"), 0, NULL);
    char *rules = yyjson_val_write(kanal_json_at(root, "provider"), 0, &length);
    const struct fake_options options = { .settings = settings,
                                          .secrets = (const char *const(*)[2])secrets,
                                          .secret_count = count,
                                          .channel_id =
                                              "check", /* as in `kanal plugin check`: some sign the URL */
                                          .flags = FAKE_CREATE_ONLY };
    f->host = fake_new_with(f->plugin, &options);
    if (f->host && rules)
        fake_provider_script(f->host, kanal_str_of(rules, length));
    if (f->host)
        fake_start(f->host);
    free(settings);
    free(rules);
    if (!f->host || fake_start_answer(f->host)->status != KANAL_OK)
        return "the channel does not start";
    f->channel = fake_channel(f->host);
    return NULL;
}

/* ---- The payload ---- */

static yyjson_val *find_webhook(yyjson_val *root, const char *payload)
{
    size_t index, max;
    yyjson_val *webhook, *webhooks = kanal_json_at(root, "webhooks");
    if (!yyjson_is_arr(webhooks))
        return NULL;
    yyjson_arr_foreach (webhooks, index, max, webhook) {
        if (kanal_str_is(kanal_json_text_at(webhook, "body_file"), payload) ||
            kanal_str_is(kanal_json_text_at(webhook, "name"), payload))
            return webhook;
    }
    return NULL;
}

static void read_headers(struct fixture *f, yyjson_val *from)
{
    size_t index, max;
    yyjson_val *key, *value;
    f->request.headers = f->headers;
    if (!yyjson_is_obj(from)) {
        f->headers[f->request.header_count++] =
            (kanal_field){ KANAL_LIT("content-type"), KANAL_LIT("application/json") };
        return;
    }
    yyjson_obj_foreach (from, index, max, key, value) {
        if (f->request.header_count < FIXTURE_HEADERS)
            f->headers[f->request.header_count++] =
                (kanal_field){ kanal_json_text(key), kanal_json_text(value) };
    }
}

/* What jansson is given: the body, or {"name":"value",…} of a form. */
static void read_json(struct fixture *f)
{
    kanal_str type = kanal_field_get(f->headers, f->request.header_count, "content-type");
    kanal_str rest = f->request.body, name, value;
    struct kanal_buffer scratch = { 0 };
    struct kanal_json json;
    f->json = f->request.body;
    if (!kanal_str_starts(type, "application/x-www-form-urlencoded"))
        return;
    kanal_json_init(&json, &f->form_json);
    kanal_json_object(&json);
    while (kanal_form_next(&rest, &scratch, &name, &value) == 1) {
        kanal_json_key_str(&json, name);
        kanal_json_str(&json, value);
    }
    kanal_json_object_end(&json);
    kanal_buffer_release(&scratch);
    f->json = kanal_buffer_view(&f->form_json);
}

/* body_file, or body: JSON as it would be sent, or a string as it is. */
static int read_body(struct fixture *f, const char *directory, yyjson_val *webhook)
{
    char path[512];
    const char *name = yyjson_get_str(kanal_json_at(webhook, "body_file"));
    yyjson_val *body = kanal_json_at(webhook, "body");
    snprintf(path, sizeof path, "%s/%s", directory, name ? name : "");
    if (name)
        return read_file(path, &f->body);
    struct kanal_json json;
    kanal_json_init(&json, &f->body);
    if (yyjson_is_str(body))
        kanal_buffer_str(&f->body, kanal_json_text(body));
    else
        kanal_json_value(&json, body);
    return f->body.failed || f->body.len == 0 ? -1 : 0;
}

static void read_request(struct fixture *f, yyjson_val *webhook)
{
    const char *public_url = fake_public_url(f->host);
    const char *below = yyjson_get_str(kanal_json_at(webhook, "path"));
    snprintf(f->url, sizeof f->url, "%s%s", public_url, below ? below : "/");
    const char *target = f->url + strlen(public_url), *query = strchr(target, '?');
    f->request = (kanal_http_request){ .struct_size = sizeof f->request,
                                       .method = KANAL_LIT("POST"),
                                       .url = kanal_str_c(f->url),
                                       .path = kanal_str_of(target, strcspn(target, "?")),
                                       .query = kanal_str_c(query ? query + 1 : NULL),
                                       .remote = KANAL_LIT("192.0.2.7"),
                                       .body = kanal_buffer_view(&f->body) };
    read_headers(f, kanal_json_at(webhook, "headers"));
    read_json(f);
}

/* Once as a host does it all: the proof of origin, the route, the contract. */
static const char *prove(struct fixture *f)
{
    const char *target = f->url + strlen(fake_public_url(f->host));
    kanal_op op =
        fake_http_signed(f->host, "POST", target, f->headers, f->request.header_count, f->request.body);
    const struct fake_answer *answer = fake_answer(f->host, op);
    f->code = answer->answered ? answer->response.code : 0;
    f->event_count = fake_event_count(f->host);
    if (f->code != 200 || f->event_count == 0)
        return "the fake host gets no event of the payload";
    return fake_failures(f->host) > 0 ? "the event breaks the contract" : NULL;
}

const char *fixture_open(struct fixture *f, const char *plugins, const char *sources, const char *name,
                         const char *payload)
{
    char directory[256], path[512];
    memset(f, 0, sizeof *f);
    snprintf(directory, sizeof directory, "%s/%s/fixtures", sources, name);
    snprintf(path, sizeof path, "%s/conformance.json", directory);
    const char *wrong = load(f, plugins, name);
    if (!wrong && read_file(path, &f->text) != 0)
        wrong = "its conformance.json cannot be read";
    if (!wrong && !(f->doc = kanal_json_parse(kanal_buffer_view(&f->text))))
        wrong = "its conformance.json is no JSON";
    if (!wrong)
        wrong = begin(f);
    if (wrong)
        return wrong;
    yyjson_val *webhook = find_webhook(yyjson_doc_get_root(f->doc), payload);
    if (!webhook || read_body(f, directory, webhook) != 0)
        return "conformance.json has no such webhook";
    read_request(f, webhook);
    return prove(f);
}

void fixture_close(struct fixture *f)
{
    fake_free(f->host);
    yyjson_doc_free(f->doc);
    kanal_buffer_release(&f->text);
    kanal_buffer_release(&f->body);
    kanal_buffer_release(&f->form_json);
    if (f->library)
        dlclose(f->library);
    memset(f, 0, sizeof *f);
}
