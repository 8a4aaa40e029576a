/* The static facts that a plugin tells of itself. */
#include "kit/inside.h"

#include <dlfcn.h>

#include "json/schema.h"
#include "kit/caps.h"

/* "1.4.0", "2.0.0-rc.1+build": semantic versioning 2.0.0. */
static int is_version(const char *text)
{
    for (int part = 0; part < 3; part++) {
        size_t digits = strspn(text, "0123456789");
        if (digits == 0 || digits > 9 || (digits > 1 && *text == '0') || (part < 2 && text[digits] != '.'))
            return 0;
        text += digits + (part < 2);
    }
    if (*text == '-' || *text == '+')
        return text[1] &&
               strspn(text + 1, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-+") ==
                   strlen(text + 1);
    return *text == '\0';
}

static void check_fields(struct kit_run *run)
{
    const kanal_plugin *p = run->plugin;
    if (!is_version(p->version))
        kit_fail(run, "its version '%.40s' is no semantic version, such as 1.4.0", p->version);
    if (!p->name[0] || strlen(p->name) > 64 || !kanal_str_utf8(kanal_str_c(p->name)))
        kit_fail(run, "its name is empty, longer than 64 bytes or no UTF-8");
    if (p->abi_minor > KANAL_ABI_MINOR)
        kit_warn(run, "it was built for minor %u, this is minor %u: what is newer must stay unused",
                 p->abi_minor, KANAL_ABI_MINOR);
    if (p->struct_size % 8 != 0)
        kit_fail(run, "struct_size is %u, no multiple of 8: set it to sizeof(kanal_plugin)", p->struct_size);
    if (p->limits && (p->limits->struct_size < sizeof(uint32_t) * 10 || p->limits->struct_size > 4096))
        kit_fail(run, "the limits' struct_size is %u", p->limits->struct_size);
}

static void check_slots(struct kit_run *run)
{
    const kanal_plugin *p = run->plugin;
    kanal_caps known = 0;
    for (size_t i = 0; i < cap_name_count; i++)
        known |= cap_names[i].cap;
    if (p->caps & ~known)
        kit_fail(run, "caps has bits that no minor up to %u knows: 0x%llx", KANAL_ABI_MINOR,
                 (unsigned long long)(p->caps & ~known));
    if (p->caps && !p->deliver)
        kit_fail(run, "it declares capabilities, but has no deliver()");
    if (p->deliver && !(p->caps & KANAL_CAP_TEXT))
        kit_fail(run, "it has deliver() without KANAL_CAP_TEXT: the core turns everything else into text");
    if (p->on_http && p->route_count == 0)
        kit_warn(run, "it has on_http(), but no route leads there");
    if ((p->caps & KANAL_CAP_CAPTION) && !(p->caps & (KANAL_CAP_IMAGE | KANAL_CAP_VIDEO | KANAL_CAP_FILE)))
        kit_fail(run, "KANAL_CAP_CAPTION without any media");
    void *handle = dlopen(run->options->path, RTLD_NOW | RTLD_NOLOAD), *entry = NULL;
    const kanal_plugin *(*call)(void) = NULL;
    if (handle)
        entry = dlsym(handle, "kanal_plugin_v1");
    memcpy(&call, &entry, sizeof call);
    const kanal_plugin *first = call ? call() : NULL, *second = call ? call() : NULL;
    if (first != second)
        kit_fail(run, "kanal_plugin_v1() returns another descriptor each time: it must be static");
}

static void check_property(struct kit_run *run, const char *name, yyjson_val *property)
{
    if (!kanal_json_at(property, "description"))
        kit_warn(run, "setting '%s' has no description: operators see nothing else", name);
    static const char *const secret_words[] = { "token",   "password", "secret",
                                                "api_key", "apikey",   "private_key" };
    const int is_text =
        kanal_str_is(kanal_json_text_at(property, "type"), "string") && !kanal_json_at(property, "enum");
    for (size_t i = 0; is_text && i < sizeof secret_words / sizeof *secret_words; i++)
        if (strcmp(name, secret_words[i]) == 0)
            kit_fail(run,
                     "setting '%s' looks like a secret: declare it in `secrets`, so that no plugin holds it",
                     name);
}

static void on_wrong_default(void *user, kanal_str pointer, kanal_str member, kanal_str message)
{
    if (member.len == 0 || pointer.len > 0) /* a required setting without a default is no fault */
        kit_fail(user, "the default at %.*s: %.*s", (int)pointer.len, pointer.ptr, (int)message.len,
                 message.ptr);
}

static void on_wrong_setting(void *user, kanal_str pointer, kanal_str member, kanal_str message)
{
    kit_fail(user, "the settings of conformance.json at %.*s/%.*s: %.*s", (int)pointer.len, pointer.ptr,
             (int)member.len, member.ptr ? member.ptr : "", (int)message.len, message.ptr);
}

/* The settings, with defaults, as the host checks them. */
static void check_settings(struct kit_run *run, const char *text, json_schema_error_fn *tell)
{
    yyjson_doc *given = kanal_json_parse(kanal_str_c(text));
    yyjson_mut_doc *full = yyjson_doc_mut_copy(given, NULL);
    if (json_schema_defaults(run->loaded->schema, full, yyjson_mut_doc_get_root(full)) != 0)
        kit_fail(run, "its defaults never end");
    yyjson_doc *done = yyjson_mut_doc_imut_copy(full, NULL);
    json_schema_check(run->loaded->schema, yyjson_doc_get_root(done), tell, run);
    yyjson_doc_free(done);
    yyjson_mut_doc_free(full);
    yyjson_doc_free(given);
}

static void check_schema(struct kit_run *run)
{
    yyjson_doc *doc = kanal_json_parse(kanal_str_c(run->plugin->settings_schema));
    yyjson_val *root = yyjson_doc_get_root(doc), *open = kanal_json_at(root, "additionalProperties");
    size_t index, max;
    yyjson_val *key, *property, *properties = kanal_json_at(root, "properties");
    if (!kanal_str_is(kanal_json_text_at(root, "type"), "object"))
        kit_fail(run, "settings_schema is not of type object");
    if (!yyjson_is_bool(open) || yyjson_get_bool(open))
        kit_fail(run, "settings_schema is open: with \"additionalProperties\": false an operator's typing "
                      "error is told");
    if (yyjson_is_obj(properties)) {
        yyjson_obj_foreach (properties, index, max, key, property)
            check_property(run, yyjson_get_str(key), property);
    }
    check_settings(run, "{}", on_wrong_default);
    if (run->knowledge->root)
        check_settings(run, run->knowledge->settings, on_wrong_setting);
    yyjson_doc_free(doc);
}

static int is_method(const char *method)
{
    static const char *const methods[] = { "GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS" };
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (strcmp(method, methods[i]) == 0)
            return 1;
    return 0;
}

static void check_routes(struct kit_run *run)
{
    const kanal_plugin *p = run->plugin;
    for (size_t i = 0; i < p->route_count; i++) {
        const kanal_route *route = &p->routes[i];
        const char *star = strchr(route->path, '*');
        if (!is_method(route->method))
            kit_fail(run, "route %s %s: the method is none that the host serves", route->method, route->path);
        if (strchr(route->path, '?') || strstr(route->path, "/../") || strstr(route->path, "//"))
            kit_fail(run, "route %s: a path holds no query, no '..' and no empty segment", route->path);
        if (star && (star[1] || star == route->path || star[-1] != '/'))
            kit_fail(run, "route %s: a star stands only at the end, after a slash", route->path);
        if (route->max_body > 64u * 1024 * 1024)
            kit_warn(run, "route %s: max_body is %u MiB", route->path, route->max_body >> 20);
        for (const char *c = route->name; c && *c; c++)
            if (*c >= 'A' && *c <= 'Z')
                kit_fail(run, "route %s: the name '%s' must be in lower case", route->path, route->name);
        for (size_t k = 0; k < i; k++)
            if (strcmp(p->routes[k].method, route->method) == 0 &&
                strcmp(p->routes[k].path, route->path) == 0)
                kit_fail(run, "route %s %s is declared twice", route->method, route->path);
    }
}

static void check_secrets(struct kit_run *run)
{
    const kanal_plugin *p = run->plugin;
    for (size_t i = 0; i < p->secret_count; i++) {
        const kanal_secret *secret = &p->secrets[i];
        size_t len = strlen(secret->name);
        if (len == 0 || len > 64 || strspn(secret->name, "abcdefghijklmnopqrstuvwxyz0123456789_") != len)
            kit_fail(run, "secret '%.64s': a name is 1 to 64 of a-z, 0-9 and '_'", secret->name);
        if (!secret->description[0])
            kit_fail(run, "secret '%s' has no description: the operator must know where to find it",
                     secret->name);
        if (secret->flags & ~UINT64_C(1))
            kit_fail(run, "secret '%s' has unknown flags", secret->name);
        for (size_t k = 0; k < i; k++)
            if (strcmp(p->secrets[k].name, secret->name) == 0)
                kit_fail(run, "secret '%s' is declared twice", secret->name);
    }
}

/* "${setting:NAME}" of a string setting, or a host name. */
static void check_egress(struct kit_run *run)
{
    yyjson_doc *doc = kanal_json_parse(kanal_str_c(run->plugin->settings_schema));
    yyjson_val *properties = kanal_json_at(yyjson_doc_get_root(doc), "properties");
    for (const char *const *host = run->plugin->egress; host && *host; host++) {
        size_t len = strlen(*host);
        if (strncmp(*host, "${setting:", 10) == 0 && len > 11 && (*host)[len - 1] == '}') {
            if (!yyjson_obj_getn(properties, *host + 10, len - 11))
                kit_fail(run, "egress '%s' names a setting that is not in settings_schema", *host);
        } else if (len == 0 ||
                   strspn(*host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-*") !=
                       len) {
            kit_fail(run, "egress '%s' is no host name: no scheme, no port, no path", *host);
        } else if (strcmp(*host, "*") == 0) {
            kit_warn(run, "egress '*' asks for the whole internet");
        }
    }
    yyjson_doc_free(doc);
}

const struct kit_test descriptor_tests[] = {
    { .name = "descriptor.fields",
      .what = "id, name, version and sizes are sane",
      .advice = "see kanal_plugin in kanal/plugin.h",
      .run = check_fields },
    { .name = "descriptor.slots",
      .what = "what it declares and what it has belong together",
      .advice = "declare what the plugin does, and no more",
      .run = check_slots },
    { .name = "descriptor.schema",
      .what = "settings_schema compiles, is closed, and its defaults are valid",
      .advice = "see the settings_schema of the template (kanal plugin new)",
      .run = check_schema },
    { .name = "descriptor.routes",
      .what = "routes are sane and declared once",
      .advice = "see kanal_route in kanal/plugin.h",
      .run = check_routes },
    { .name = "descriptor.secrets",
      .what = "secrets are named and described",
      .advice = "see kanal_secret in kanal/plugin.h",
      .run = check_secrets },
    { .name = "descriptor.egress",
      .what = "the hosts it asks for are host names or settings",
      .advice = "write \"api.example.com\" or \"${setting:api_url}\"",
      .run = check_egress },
    { 0 },
};
