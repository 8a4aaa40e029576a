/* The rules of a scripted provider, read from JSON. */
#include "inside.h"
#include <fnmatch.h>
#include "kanal/sdk/url.h"

struct script_rule {
    struct script_rule *next;
    const char *method, *path; /* NULL: any */
    kanal_str contains;        /* absent: anything */
    int64_t times;             /* how often still; -1: always */
    struct fake_reply reply;
};

static const char *copy_text(struct fake_host *host, yyjson_val *rule, const char *key)
{
    kanal_str text = kanal_json_text_at(rule, key);
    return text.ptr ? fake_arena_str(&host->kept, text).ptr : NULL;
}

static kanal_str copy_body(struct fake_host *host, yyjson_val *body)
{
    size_t length = 0;
    if (body == NULL)
        return kanal_str_of(NULL, 0);
    if (yyjson_is_str(body))
        return fake_arena_str(&host->kept, kanal_json_text(body));
    char *text = yyjson_val_write(body, 0, &length);
    kanal_str copy = fake_arena_str(&host->kept, kanal_str_of(text, length));
    free(text);
    return copy;
}

static void copy_headers(struct fake_host *host, yyjson_val *headers, struct fake_reply *reply)
{
    size_t index, max;
    yyjson_val *key, *value;
    if (!yyjson_is_obj(headers))
        return;
    kanal_field *fields = fake_arena_zeroed(&host->kept, yyjson_obj_size(headers) * sizeof *fields);
    yyjson_obj_foreach (headers, index, max, key, value) {
        fields[index].name = fake_arena_str(&host->kept, kanal_json_text(key));
        fields[index].value = fake_arena_str(&host->kept, kanal_json_text(value));
    }
    reply->headers = fields;
    reply->header_count = yyjson_obj_size(headers);
}

static kanal_status read_status(kanal_str name, kanal_status *ret_status)
{
    static const struct {
        const char *name;
        kanal_status status;
    } names[] = { { "network", KANAL_E_NETWORK },
                  { "timeout", KANAL_E_TIMEOUT },
                  { "maybe", KANAL_E_MAYBE },
                  { "too_large", KANAL_E_TOO_LARGE } };
    if (name.ptr == NULL)
        return KANAL_OK;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (kanal_str_is(name, names[i].name)) {
            *ret_status = names[i].status;
            return KANAL_OK;
        }
    }
    return KANAL_E_INVALID;
}

static kanal_status add_rule(struct fake_host *host, yyjson_val *from)
{
    struct script_rule *rule = fake_arena_zeroed(&host->kept, sizeof *rule), **end = &host->rules;
    if (!yyjson_is_obj(from) ||
        read_status(kanal_json_text_at(from, "status"), &rule->reply.status) != KANAL_OK)
        return KANAL_E_INVALID;
    rule->method = copy_text(host, from, "method");
    rule->path = copy_text(host, from, "path");
    rule->contains = fake_arena_str(&host->kept, kanal_json_text_at(from, "contains"));
    rule->times = kanal_json_int_at(from, "times", -1);
    rule->reply.code = (int)kanal_json_int_at(from, "code", 200);
    rule->reply.delay_ms = (uint32_t)kanal_json_int_at(from, "delay_ms", 0);
    rule->reply.body = copy_body(host, kanal_json_at(from, "body"));
    copy_headers(host, kanal_json_at(from, "headers"), &rule->reply);
    while (*end != NULL)
        end = &(*end)->next;
    *end = rule;
    return KANAL_OK;
}

int fake_provider_script(struct fake_host *host, kanal_str rules)
{
    yyjson_doc *doc = kanal_json_parse(rules);
    yyjson_val *rule, *array = yyjson_doc_get_root(doc);
    size_t index, max;
    kanal_status status = yyjson_is_arr(array) ? KANAL_OK : KANAL_E_INVALID;
    host->rules = NULL;
    if (status == KANAL_OK) {
        yyjson_arr_foreach (array, index, max, rule) {
            if (status == KANAL_OK)
                status = add_rule(host, rule);
        }
    }
    yyjson_doc_free(doc);
    if (status != KANAL_OK)
        fake_fault(host, FAKE_FAULT_TEST, "the provider's script is no array of rules");
    return status;
}

static int fits(const struct script_rule *rule, const kanal_http_request *request, const char *path)
{
    return rule->times != 0 && (rule->method == NULL || kanal_str_is(request->method, rule->method)) &&
           (rule->path == NULL || fnmatch(rule->path, path, 0) == 0) &&
           (rule->contains.len == 0 ||
            (request->body.len > 0 &&
             memmem(request->body.ptr, request->body.len, rule->contains.ptr, rule->contains.len) != NULL));
}

int fake_script_answers(struct fake_host *host, const struct fake_request *request, struct fake_reply *reply)
{
    struct kanal_url url;
    int found = 0;
    if (host->rules == NULL || kanal_url_parse(request->request.url, &url) != KANAL_OK)
        return 0;
    char *path = kanal_str_dup(url.path.len > 0 ? url.path : KANAL_LIT("/"));
    if (path == NULL)
        abort();
    for (struct script_rule *rule = host->rules; rule != NULL && !found; rule = rule->next) {
        if (!fits(rule, &request->request, path))
            continue;
        rule->times -= rule->times > 0;
        *reply = rule->reply;
        found = 1;
    }
    free(path);
    return found;
}
