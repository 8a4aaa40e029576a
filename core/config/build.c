/* config/build.c - the sections besides channels. The table says which key becomes which member. */
#include <sys/stat.h>
#include <stdlib.h>
#include <string.h>
#include "duration.h"
#include "event/address.h"
#include "impl.h"
#include "json/quote.h"
#include "kanal/sdk/str.h"
#include "kanal/sdk/url.h"
#include "network.h"

enum kind { TEXT, DURATION_64, DURATION_32, SIZE_32, SIZE_64, COUNT_32, NUMBER };

struct field {
    const char *pointer;
    enum kind kind;
    size_t offset;
    int64_t least, most;
    const char *range;      /* least and most in words; NULL: any */
    config_check_fn *check; /* of text */
};

#define SECOND INT64_C(1000)
#define HOUR (3600 * SECOND)
#define YEAR (366 * 24 * HOUR)
#define KIB (INT64_C(1) << 10)
#define MIB (INT64_C(1) << 20)
#define MEMBER(path) offsetof(struct config, path)

static const char *data_dir_wrong(kanal_str);

static const struct field fields[] = {
    { "/broker/creds", TEXT, MEMBER(broker.creds), 0, 0, NULL, NULL },
    { "/broker/nkey_seed", TEXT, MEMBER(broker.nkey_seed), 0, 0, NULL, NULL },
    { "/broker/user", TEXT, MEMBER(broker.user), 0, 0, NULL, NULL },
    { "/broker/password", TEXT, MEMBER(broker.password), 0, 0, NULL, NULL },
    { "/broker/token", TEXT, MEMBER(broker.token), 0, 0, NULL, NULL },
    { "/broker/tls/ca", TEXT, MEMBER(broker.tls_ca), 0, 0, NULL, NULL },
    { "/broker/tls/cert", TEXT, MEMBER(broker.tls_cert), 0, 0, NULL, NULL },
    { "/broker/tls/key", TEXT, MEMBER(broker.tls_key), 0, 0, NULL, NULL },
    { "/broker/replicas", NUMBER, MEMBER(broker.replicas), 0, 0, NULL, NULL },
    { "/broker/prefix", TEXT, MEMBER(broker.prefix), 0, 0, NULL, NULL },
    { "/broker/duplicate_window", DURATION_64, MEMBER(broker.duplicate_window_ms), SECOND, HOUR, "1s to 1h",
      NULL },
    { "/http/listen", TEXT, MEMBER(http.listen), 0, 0, NULL, config_listen_wrong },
    { "/http/public_url", TEXT, MEMBER(http.public_url), 0, 0, NULL, config_public_url_wrong },
    { "/http/limits/headers", SIZE_32, MEMBER(http.limits.header_bytes), KIB, MIB, "1K to 1M", NULL },
    { "/http/limits/body", SIZE_32, MEMBER(http.body_bytes), KIB, 1024 * MIB, "1K to 1G", NULL },
    { "/http/limits/header_timeout", DURATION_32, MEMBER(http.limits.header_timeout_ms), SECOND, HOUR,
      "1s to 1h", NULL },
    { "/http/limits/body_timeout", DURATION_32, MEMBER(http.limits.body_timeout_ms), SECOND, HOUR, "1s to 1h",
      NULL },
    { "/http/limits/idle_timeout", DURATION_32, MEMBER(http.limits.idle_timeout_ms), SECOND, HOUR, "1s to 1h",
      NULL },
    { "/http/limits/answer_timeout", DURATION_32, MEMBER(http.limits.answer_timeout_ms), SECOND, HOUR,
      "1s to 1h", NULL },
    { "/http/limits/connections", COUNT_32, MEMBER(http.limits.connections), 0, 0, NULL, NULL },
    { "/http/limits/connections_per_address", COUNT_32, MEMBER(http.limits.connections_per_address), 0, 0,
      NULL, NULL },
    { "/admin/listen", TEXT, MEMBER(admin.listen), 0, 0, NULL, config_listen_wrong },
    { "/outgoing/ca", TEXT, MEMBER(outgoing.ca), 0, 0, NULL, NULL },
    { "/data_dir", TEXT, MEMBER(data_dir), 0, 0, NULL, data_dir_wrong },
    { "/spool/size", SIZE_64, MEMBER(spool.bytes), MIB, 1024 * 1024 * MIB, "1M to 1T", NULL },
    { "/spool/events", COUNT_32, MEMBER(spool.events), 0, 0, NULL, NULL },
    { "/identity/default_region", TEXT, MEMBER(identity.default_region), 0, 0, NULL, NULL },
    { "/retention/events", DURATION_64, MEMBER(retention.events_ms), HOUR, 100 * YEAR, "1h to 100 years",
      NULL },
    { "/retention/activity", DURATION_64, MEMBER(retention.activity_ms), HOUR, 100 * YEAR, "1h to 100 years",
      NULL },
    { "/retention/raw", DURATION_64, MEMBER(retention.raw_ms), HOUR, 100 * YEAR, "1h to 100 years", NULL },
    { "/retention/dead", DURATION_64, MEMBER(retention.dead_ms), HOUR, 100 * YEAR, "1h to 100 years", NULL },
    { "/retention/media", DURATION_64, MEMBER(retention.media_ms), HOUR, 100 * YEAR, "1h to 100 years",
      NULL },
    { "/retention/facts", DURATION_64, MEMBER(retention.facts_ms), HOUR, 100 * YEAR, "1h to 100 years",
      NULL },
    { "/retention/log", DURATION_64, MEMBER(retention.log_ms), HOUR, 100 * YEAR, "1h to 100 years", NULL },
    { "/retention/handoffs", DURATION_64, MEMBER(retention.handoffs_ms), HOUR, 100 * YEAR, "1h to 100 years",
      NULL },
    { "/runtime/seal_key", TEXT, MEMBER(runtime.seal_key), 0, 0, NULL, NULL },
    { "/log/level", TEXT, MEMBER(log.level), 0, 0, NULL, NULL },
    { "/log/format", TEXT, MEMBER(log.format), 0, 0, NULL, NULL },
};

/* ---- Values ---- */

void config_check_text(yyjson_mut_val *value, config_check_fn *check, struct config_errors *errors)
{
    kanal_str text = config_str(value);
    const char *wrong = text.ptr ? check(text) : NULL;

    if (wrong && !config_error_known(errors, value))
        config_error_found(errors, value, wrong, &text);
}

const char *config_text(struct config *config, yyjson_mut_val *value, struct config_errors *errors)
{
    kanal_str text = config_str(value);

    if (!text.ptr)
        return NULL;
    if (memchr(text.ptr, 0, text.len))
        config_error_say(errors, value, "the character NUL is not allowed");
    return json_arena_dup(&config->impl->arena, text);
}

const char *const *config_texts(struct config *config, yyjson_mut_val *value, config_check_fn *check,
                                struct config_errors *errors, size_t *ret_count)
{
    size_t size = yyjson_mut_is_arr(value) ? yyjson_mut_arr_size(value) : 1, count = 0;
    const char **list = json_arena_alloc(&config->impl->arena, (size + 1) * sizeof *list);
    yyjson_mut_arr_iter iter = yyjson_mut_arr_iter_with(value);
    yyjson_mut_val *item = yyjson_mut_is_arr(value) ? yyjson_mut_arr_iter_next(&iter) : value;

    for (; list && item; item = yyjson_mut_arr_iter_next(&iter)) {
        if (check)
            config_check_text(item, check, errors);
        list[count] = config_text(config, item, errors);
        count += list[count] != NULL;
        if (item == value)
            break;
    }
    if (ret_count)
        *ret_count = count;
    return list;
}

static int parse_quantity(yyjson_mut_val *value, int is_size, int64_t *ret_number)
{
    kanal_str text = config_str(value);

    *ret_number = 0;
    if (is_size && yyjson_mut_is_uint(value) && yyjson_mut_get_uint(value) <= INT64_MAX) {
        *ret_number = (int64_t)yyjson_mut_get_uint(value);
        return 0;
    }
    if (!is_size && kanal_str_is(text, "forever"))
        return 0;
    return is_size ? config_size_parse(text, ret_number) : config_duration_parse(text, ret_number);
}

/* What the schema's patterns let through and is still no quantity. */
static int64_t quantity(yyjson_mut_val *value, int is_size, struct config_errors *errors)
{
    kanal_str text = config_str(value);
    int64_t number = 0;

    if (!value || yyjson_mut_is_null(value))
        return 0;
    if (parse_quantity(value, is_size, &number) != 0 && !config_error_known(errors, value))
        config_error_found(errors, value,
                           is_size ? "expected a size such as 65536, 64M or 1GiB (powers of 1024)"
                                   : "expected a duration such as 90s, 12h, 7d or PT10M",
                           text.ptr ? &text : NULL);
    return number;
}

int64_t config_duration(yyjson_mut_val *value, struct config_errors *errors)
{
    return quantity(value, 0, errors);
}

int config_choice(yyjson_mut_val *value, const char *const *words)
{
    for (int i = 0; words[i]; i++)
        if (kanal_str_is(config_str(value), words[i]))
            return i;
    return 0;
}

static void complain_of_range(yyjson_mut_val *value, const struct field *field, const char *thing,
                              struct config_errors *errors)
{
    struct kanal_buffer *text;

    if (config_error_known(errors, value))
        return;
    text = config_error_of(errors, value);
    kanal_buffer_text(text, "expected a ");
    kanal_buffer_text(text, thing);
    kanal_buffer_text(text, " from ");
    kanal_buffer_text(text, field->range);
    kanal_buffer_text(text, ", found ");
    if (yyjson_mut_is_uint(value))
        kanal_buffer_uint(text, yyjson_mut_get_uint(value));
    else
        kanal_buffer_str(text, config_str(value));
}

static int64_t ranged(yyjson_mut_val *value, const struct field *field, int is_size,
                      struct config_errors *errors)
{
    int64_t number = quantity(value, is_size, errors);

    if (kanal_str_is(config_str(value), "forever"))
        return 0;
    if (number < field->least || number > field->most)
        complain_of_range(value, field, is_size ? "size" : "duration", errors);
    return number;
}

static void build_field(struct config *config, const struct field *field, struct config_errors *errors)
{
    yyjson_mut_val *value = yyjson_mut_ptr_get(yyjson_mut_doc_get_root(config->impl->tree), field->pointer);
    char *member = (char *)config + field->offset;

    if (!value)
        return;
    switch (field->kind) {
    case TEXT:
        if (field->check)
            config_check_text(value, field->check, errors);
        *(const char **)(void *)member = config_text(config, value, errors);
        break;
    case DURATION_64:
    case SIZE_64:
        *(int64_t *)(void *)member = ranged(value, field, field->kind == SIZE_64, errors);
        break;
    case DURATION_32:
    case SIZE_32:
        *(uint32_t *)(void *)member = (uint32_t)ranged(value, field, field->kind == SIZE_32, errors);
        break;
    case COUNT_32:
        *(uint32_t *)(void *)member = (uint32_t)yyjson_mut_get_uint(value);
        break;
    case NUMBER:
        *(int *)(void *)member = (int)yyjson_mut_get_int(value);
        break;
    }
}

/* ---- Sections ---- */

static const char *data_dir_wrong(kanal_str path)
{
    char *copy = kanal_str_dup(path);
    struct stat status;
    int wrong = copy && stat(copy, &status) == 0 && !S_ISDIR(status.st_mode);

    free(copy);
    return wrong ? "expected a directory (it is made if it is not there)" : NULL;
}

/* A URL may hold a password, and may come from a variable: only one without both is shown. */
static void check_broker_url(struct config *config, yyjson_mut_val *value, struct config_errors *errors)
{
    kanal_str text = config_str(value);
    const char *wrong = text.ptr ? config_broker_url_wrong(text) : NULL;
    int show = text.ptr && !memchr(text.ptr, '@', text.len) &&
               strcmp(config_origin(&config->impl->expansions, value), "literal") == 0;

    if (wrong && !config_error_known(errors, value))
        config_error_found(errors, value, wrong, show ? &text : NULL);
}

static void check_broker_login(yyjson_mut_val *broker, struct config_errors *errors)
{
    static const char *const ways[] = { "creds", "nkey_seed", "user", "token" };
    const char *first = NULL;

    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        yyjson_mut_val *value = yyjson_mut_obj_get(broker, ways[i]);
        struct kanal_buffer *text;
        if (!value || !first) {
            first = value ? ways[i] : first;
            continue;
        }
        text = config_error_of(errors, value);
        kanal_buffer_text(text, "only one of creds, nkey_seed, user and token may be there; ");
        kanal_buffer_text(text, first);
        kanal_buffer_text(text, " is there too");
    }
}

static void build_broker(struct config *config, struct config_errors *errors)
{
    static const char *const need_url[] = { "creds", "nkey_seed", "user", "token", "tls" };
    yyjson_mut_val *broker = yyjson_mut_obj_get(yyjson_mut_doc_get_root(config->impl->tree), "broker");
    yyjson_mut_val *url = yyjson_mut_obj_get(broker, "url"), *item;
    yyjson_mut_arr_iter iter = yyjson_mut_arr_iter_with(url);

    check_broker_login(broker, errors);
    if (url) {
        check_broker_url(config, url, errors);
        while ((item = yyjson_mut_arr_iter_next(&iter)))
            check_broker_url(config, item, errors);
        config->broker.urls = config_texts(config, url, NULL, errors, &config->broker.url_count);
        return;
    }
    config->broker.urls = json_arena_alloc(&config->impl->arena, sizeof *config->broker.urls);
    for (size_t i = 0; i < sizeof need_url / sizeof *need_url; i++)
        if (yyjson_mut_obj_get(broker, need_url[i]))
            config_error_say(errors, yyjson_mut_obj_get(broker, need_url[i]),
                             "has no meaning without broker.url: Kanal then starts a broker of its own");
    if (config->broker.replicas > 1)
        config_error_say(errors, yyjson_mut_obj_get(broker, "replicas"),
                         "more than 1 needs broker.url with a cluster: the broker of its own is one server");
}

static void build_http(struct config *config, struct config_errors *errors)
{
    yyjson_mut_val *root = yyjson_mut_doc_get_root(config->impl->tree);
    const char *const *networks =
        config_texts(config, yyjson_mut_ptr_get(root, "/http/trusted_proxies"), config_network_wrong, errors,
                     &config->http.trusted_proxy_count);
    kanal_str *views =
        json_arena_alloc(&config->impl->arena, (config->http.trusted_proxy_count + 1) * sizeof *views);
    const char *url = config->http.public_url;
    size_t len = url ? strlen(url) : 0;

    for (size_t i = 0; views && i < config->http.trusted_proxy_count; i++)
        views[i] = kanal_str_c(networks[i]);
    config->http.trusted_proxies = views;
    if (len > 0 && url[len - 1] == '/')
        config->http.public_url = json_arena_dup(&config->impl->arena, kanal_str_of(url, len - 1));
}

/* A domain is compared with that of addresses, and so brought to the same form. */
static kanal_str domain_name(struct config *config, yyjson_mut_val *domains, yyjson_mut_val *key,
                             struct config_errors *errors)
{
    struct kanal_buffer typed = { 0 }, address = { 0 };
    kanal_str name = { "", 0 }, told = config_str(key);

    kanal_buffer_text(&typed, "mailto:a@");
    kanal_url_encode(&typed, config_str(key));
    if (address_normalise(kanal_buffer_view(&typed), &address) == 0 &&
        !memchr(address.data, '%', address.len))
        name = kanal_str_from(kanal_buffer_view(&address), strlen("mailto:a@"));
    else if (!memchr(told.ptr, '@', told.len)) /* which the schema tells */
        config_error_found(errors, domains, "expected a domain such as example.com", &told);
    name = kanal_str_of(json_arena_dup(&config->impl->arena, name), name.len);
    kanal_buffer_release(&typed);
    kanal_buffer_release(&address);
    return name;
}

static void build_mail(struct config *config, struct config_errors *errors)
{
    static const char *const tags[] = { "keep", "cut", NULL };
    yyjson_mut_val *mail = yyjson_mut_ptr_get(yyjson_mut_doc_get_root(config->impl->tree), "/identity/mail");
    yyjson_mut_val *domains = yyjson_mut_obj_get(mail, "domains"), *key;
    yyjson_mut_obj_iter iter = yyjson_mut_obj_iter_with(domains);
    struct identifier_domain *list =
        json_arena_alloc(&config->impl->arena, (yyjson_mut_obj_size(domains) + 1) * sizeof *list);

    config->identity.mail.cuts_plus_tags = config_choice(yyjson_mut_obj_get(mail, "plus_tags"), tags) == 1;
    while (list && (key = yyjson_mut_obj_iter_next(&iter)))
        list[config->identity.mail.domain_count++] =
            (struct identifier_domain){ .name = domain_name(config, domains, key, errors),
                                        .cuts_plus_tags =
                                            config_choice(yyjson_mut_obj_iter_get_val(key), tags) == 1 };
    config->identity.mail.domains = list;
}

static void build_identity(struct config *config, struct config_errors *errors)
{
    yyjson_mut_val *root = yyjson_mut_doc_get_root(config->impl->tree);
    yyjson_mut_val *salt = yyjson_mut_ptr_get(root, "/identity/salt");
    struct kanal_buffer *text;

    build_mail(config, errors);
    config->identity.trust =
        config_texts(config, yyjson_mut_ptr_get(root, "/identity/trust"), NULL, errors, NULL);
    config->identity.salt = config_str(salt);
    if (!config->identity.salt.ptr || config->identity.salt.len >= 16 || config_error_known(errors, salt))
        return;
    text = config_error_of(errors, salt);
    kanal_buffer_text(text, "expected at least 16 bytes, found ");
    kanal_buffer_uint(text, config->identity.salt.len);
    kanal_buffer_text(text, "; `openssl rand -hex 32` makes one");
}

/* Keys of `plugins` that are no plugin's id. */
static int is_of_all_plugins(kanal_str key)
{
    return kanal_str_is(key, "path") || kanal_str_is(key, "sandbox") || kanal_str_is(key, "cgroup");
}

static void build_cgroup(struct config *config, yyjson_mut_val *value, struct config_errors *errors)
{
    static const char *const words[] = { "auto", "off", "required", NULL };
    kanal_str text = config_str(value);
    int is_path = text.len > 0 && text.ptr[0] == '/';

    config->cgroup = is_path ? CONFIG_CGROUP_REQUIRED : (enum config_cgroup)config_choice(value, words);
    config->cgroup_path = is_path ? config_text(config, value, errors) : NULL;
}

static void build_plugin(struct config_plugin *plugin, yyjson_mut_val *value, struct config_errors *errors)
{
    static const char *const isolations[] = { "worker", "none", NULL };
    static const struct field memory = { NULL, SIZE_32, 0, 8 * MIB, 1024 * 1024 * MIB, "8M to 1T", NULL };
    static const struct field deadline = { NULL, DURATION_64, 0, 100, HOUR, "100ms to 1h", NULL };
    yyjson_mut_val *size = yyjson_mut_obj_get(value, "memory"),
                   *patience = yyjson_mut_obj_get(value, "deadline");
    double processors = yyjson_mut_get_num(yyjson_mut_obj_get(value, "cpu"));

    plugin->in_process = config_choice(yyjson_mut_obj_get(value, "isolation"), isolations);
    plugin->threads = yyjson_mut_is_true(yyjson_mut_obj_get(value, "threads"));
    plugin->memory_bytes = size ? ranged(size, &memory, 1, errors) : 0;
    plugin->deadline_ms = patience ? ranged(patience, &deadline, 0, errors) : 0;
    if (processors > 0 && processors <= 1024) /* else the schema has complained */
        plugin->cpu_percent = (uint32_t)(processors * 100 + 0.5);
}

static void build_plugins(struct config *config, struct config_errors *errors)
{
    static const char *const sandboxes[] = { "best_effort", "required", NULL };
    static const char *const installed[] = { KANAL_PLUGIN_DIR, NULL };
    yyjson_mut_val *plugins = yyjson_mut_obj_get(yyjson_mut_doc_get_root(config->impl->tree), "plugins");
    yyjson_mut_obj_iter iter = yyjson_mut_obj_iter_with(plugins);
    struct config_plugin *list =
        json_arena_alloc(&config->impl->arena, (yyjson_mut_obj_size(plugins) + 1) * sizeof *list);
    yyjson_mut_val *key;

    config->plugin_path = yyjson_mut_obj_get(plugins, "path")
                              ? config_texts(config, yyjson_mut_obj_get(plugins, "path"), NULL, errors, NULL)
                              : installed;
    config->sandbox_required = config_choice(yyjson_mut_obj_get(plugins, "sandbox"), sandboxes) == 1;
    build_cgroup(config, yyjson_mut_obj_get(plugins, "cgroup"), errors);
    while (list && (key = yyjson_mut_obj_iter_next(&iter))) {
        struct config_plugin *plugin = &list[config->plugin_count];
        if (is_of_all_plugins(config_str(key)))
            continue;
        plugin->id = json_arena_dup(&config->impl->arena, config_str(key));
        build_plugin(plugin, yyjson_mut_obj_iter_get_val(key), errors);
        config->plugin_count++;
    }
    config->plugins = list;
}

static void build_routing(struct config *config, struct config_errors *errors)
{
    yyjson_mut_val *routing = yyjson_mut_obj_get(yyjson_mut_doc_get_root(config->impl->tree), "routing");
    config->routing.timezone = config_text(config, yyjson_mut_obj_get(routing, "timezone"), errors);
    config->routing.require_consent =
        config_texts(config, yyjson_mut_obj_get(routing, "require_consent"), NULL, errors, NULL);
    config->routing.stop_words =
        config_texts(config, yyjson_mut_obj_get(routing, "stop_words"), NULL, errors, NULL);
    config->routing.start_words =
        config_texts(config, yyjson_mut_obj_get(routing, "start_words"), NULL, errors, NULL);
}

int config_build(struct config *config, struct config_errors *errors)
{
    yyjson_mut_val *root = yyjson_mut_doc_get_root(config->impl->tree);

    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        build_field(config, &fields[i], errors);
    build_broker(config, errors);
    build_http(config, errors);
    build_identity(config, errors);
    build_plugins(config, errors);
    config->projector.is_enabled = yyjson_mut_get_bool(yyjson_mut_ptr_get(root, "/projector/enabled"));
    build_routing(config, errors);
    config->runtime.old_seal_keys =
        config_texts(config, yyjson_mut_ptr_get(root, "/runtime/old_seal_keys"), NULL, errors, NULL);
    return config_build_channels(config, yyjson_mut_obj_get(root, "channels"), errors);
}
