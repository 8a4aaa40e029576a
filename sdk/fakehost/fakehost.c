/* The life of the fake host and of the one channel in it. */
#include "inside.h"
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#define STOP_MS 10000

/* ---- Settings ---- */

/* Fills in what the schema has a default for. */
static void fill_defaults(yyjson_mut_doc *doc, yyjson_mut_val *object, yyjson_val *schema)
{
    size_t index, max;
    yyjson_val *key, *property, *properties = yyjson_obj_get(schema, "properties");
    if (properties == NULL)
        return;
    yyjson_obj_foreach (properties, index, max, key, property) {
        const char *name = yyjson_get_str(key);
        yyjson_mut_val *there = yyjson_mut_obj_get(object, name);
        yyjson_val *otherwise = yyjson_obj_get(property, "default");
        if (there == NULL && otherwise != NULL) {
            there = yyjson_val_mut_copy(doc, otherwise);
            yyjson_mut_obj_add(object, yyjson_mut_strcpy(doc, name), there);
        }
        if (yyjson_mut_is_obj(there))
            fill_defaults(doc, there, property);
    }
}

static kanal_str complete_settings(struct fake_host *host, const char *settings)
{
    yyjson_doc *given = kanal_json_parse(kanal_str_c(settings ? settings : "{}"));
    yyjson_doc *schema = kanal_json_parse(kanal_str_c(host->plugin->settings_schema));
    yyjson_mut_doc *doc = yyjson_doc_mut_copy(given, NULL);
    kanal_str text = { NULL, 0 };
    size_t length = 0;
    if (!yyjson_mut_is_obj(yyjson_mut_doc_get_root(doc))) {
        fake_fail(host, "the settings are no JSON object");
    } else {
        if (host->plugin->settings_schema != NULL && schema == NULL)
            fake_fail(host, "settings_schema is no JSON");
        fill_defaults(doc, yyjson_mut_doc_get_root(doc), yyjson_doc_get_root(schema));
        char *written = yyjson_mut_write(doc, 0, &length);
        text = fake_arena_str(&host->kept, kanal_str_of(written, length));
        free(written);
    }
    yyjson_mut_doc_free(doc);
    yyjson_doc_free(schema);
    yyjson_doc_free(given);
    return text;
}

/* ---- The descriptor, as a loader looks at it ---- */

static int is_plugin_id(const char *id)
{
    size_t len = id ? strlen(id) : 0;
    if (len < 1 || len > 32 || id[0] < 'a' || id[0] > 'z')
        return 0;
    for (size_t i = 0; i < len; i++) {
        if (!((id[i] >= 'a' && id[i] <= 'z') || (id[i] >= '0' && id[i] <= '9') || id[i] == '-'))
            return 0;
    }
    return 1;
}

static void check_route(struct fake_host *host, const kanal_route *route)
{
    if (route->method == NULL || route->path == NULL || route->path[0] != '/')
        fake_fault(host, FAKE_FAULT_LIFE, "a route without method or path");
    if (route->algorithm == NULL)
        return;
    int declared = 0;
    for (size_t i = 0; i < host->plugin->secret_count && route->secret != NULL; i++)
        declared |= strcmp(host->plugin->secrets[i].name, route->secret) == 0;
    if (!declared || route->name == NULL ||
        (route->where != KANAL_IN_HEADER && route->where != KANAL_IN_QUERY))
        fake_fault(host, FAKE_FAULT_LIFE, "route %s: secret, name or place of the proof", route->path);
    int is_equal = strcmp(route->algorithm, "equal") == 0;
    if (!is_equal && (route->encoding == NULL ||
                      (strcmp(route->encoding, "hex") != 0 && strcmp(route->encoding, "base64") != 0)))
        fake_fault(host, FAKE_FAULT_LIFE, "route %s: encoding", route->path);
}

static void check_plugin(struct fake_host *host)
{
    const kanal_plugin *plugin = host->plugin;
    if (plugin->struct_size < FAKE_PLUGIN_LEAST)
        fake_fault(host, FAKE_FAULT_LIFE, "the plugin's struct_size is %u", plugin->struct_size);
    if (!is_plugin_id(plugin->id) || plugin->name == NULL || plugin->version == NULL)
        fake_fault(host, FAKE_FAULT_LIFE, "the plugin's id, name or version");
    if (plugin->limits != NULL && plugin->limits->struct_size < FAKE_LIMITS_LEAST)
        fake_fault(host, FAKE_FAULT_LIFE, "the limits' struct_size is %u", plugin->limits->struct_size);
    for (size_t i = 0; i < plugin->route_count; i++)
        check_route(host, &plugin->routes[i]);
    if (plugin->route_count > 0 && plugin->on_http == NULL)
        fake_fault(host, FAKE_FAULT_LIFE, "routes without on_http()");
}

/* ---- Life ---- */

static void take_secrets(struct fake_host *host, const struct fake_options *options)
{
    host->secret_count = options->secret_count;
    host->secrets = fake_arena_zeroed(&host->kept, host->secret_count * sizeof *host->secrets);
    for (size_t i = 0; i < host->secret_count; i++) {
        host->secrets[i][0] = fake_arena_str(&host->kept, kanal_str_c(options->secrets[i][0])).ptr;
        host->secrets[i][1] = fake_arena_str(&host->kept, kanal_str_c(options->secrets[i][1])).ptr;
    }
}

static void take_names(struct fake_host *host, const struct fake_options *options)
{
    struct kanal_buffer url = { 0 };
    host->channel_id =
        fake_arena_str(&host->kept, kanal_str_c(options->channel_id ? options->channel_id : FAKE_CHANNEL_ID))
            .ptr;
    kanal_buffer_text(&url, FAKE_ORIGIN "/c/");
    kanal_buffer_text(&url, host->channel_id);
    host->public_url = fake_arena_str(&host->kept, kanal_buffer_view(&url)).ptr;
    kanal_buffer_release(&url);
}

static struct fake_host *make_host(const kanal_plugin *plugin, const struct fake_options *options)
{
    struct fake_host *host = calloc(1, sizeof *host);
    if (host == NULL)
        abort();
    memcpy(&host->descriptor, plugin,
           plugin->struct_size < sizeof *plugin ? plugin->struct_size : sizeof *plugin);
    host->plugin = &host->descriptor;
    host->flags = options->flags;
    host->on_failure = options->on_failure;
    host->failure_user = options->user;
    host->last_op = options->first_op ? options->first_op - 1 : 0;
    host->lane_thread = (uint64_t)pthread_self();
    host->guard.page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    host->now_ms = options->now_ms > 0 ? options->now_ms : FAKE_START_MS;
    host->random_state = UINT64_C(0x9E3779B97F4A7C15) ^ options->seed * UINT64_C(0xBF58476D1CE4E5B9);
    host->random_state = host->random_state ? host->random_state : 1;
    host->remote = "192.0.2.7"; /* RFC 5737 */
    host->ready_end = &host->ready;
    take_secrets(host, options);
    take_names(host, options);
    fake_table_init(host);
    host->where = "create()";
    host->given_memory = fake_arguments(host);
    host->given_memory.origin = "destroy()"; /* the table lives until then */
    host->given =
        fake_arena_struct(&host->given_memory, host, &host->table, sizeof host->table, FAKE_HOST_LEAST);
    if (host->flags & FAKE_OLDEST_MINOR)
        host->given->abi_minor = 0;
    return host;
}

static void free_host(struct fake_host *host)
{
    fake_tasks_free(host);
    fake_events_free(host);
    fake_extensions_release(host);
    kanal_buffer_release(&host->log);
    free(host->requests);
    fake_arena_release(&host->given_memory);
    fake_guard_release(&host->guard);
    fake_arena_release(&host->kept);
    free(host);
}

static void create(struct fake_host *host)
{
    FAKE_ENTER(host, "create()");
    struct fake_arena arguments = fake_arguments(host);
    const kanal_config config = { .struct_size = sizeof config,
                                  .channel_id = fake_arena_str(&arguments, kanal_str_c(host->channel_id)),
                                  .settings = fake_arena_str(&arguments, host->settings),
                                  .public_url =
                                      host->flags & FAKE_NO_PUBLIC_URL
                                          ? kanal_str_of(NULL, 0)
                                          : fake_arena_str(&arguments, kanal_str_c(host->public_url)) };
    host->creating = 1;
    host->channel = host->plugin->create(
        host->given, fake_arena_struct(&arguments, host, &config, sizeof config, FAKE_CONFIG_LEAST));
    host->creating = 0;
    fake_arena_release(&arguments);
    fake_leave(host);
}

struct fake_host *fake_new_with(const kanal_plugin *plugin, const struct fake_options *options)
{
    if (plugin == NULL || plugin->create == NULL || plugin->start == NULL || plugin->stop == NULL ||
        plugin->destroy == NULL) {
        fputs("fakehost: create, start, stop and destroy are required\n", stderr);
        return NULL;
    }
    struct fake_host *host = make_host(plugin, options);
    check_plugin(host);
    host->settings = complete_settings(host, options->settings);
    create(host);
    if (host->channel == NULL) {
        free_host(host);
        return NULL;
    }
    fake_extensions_attach(host);
    if (host->flags & FAKE_CREATE_ONLY)
        return host;
    fake_start(host);
    return host;
}

void fake_start(struct fake_host *host)
{
    struct owed *owed = fake_owe(host, CALL_START);
    host->start_op = owed->op;
    host->started = 1;
    FAKE_ENTER(host, "start()");
    host->plugin->start(host->channel, owed->op);
    fake_leave(host);
    fake_run(host);
}

struct fake_host *fake_new(const kanal_plugin *plugin, const char *settings, const char *const (*secrets)[2],
                           size_t secret_count)
{
    const struct fake_options options = { .settings = settings,
                                          .secrets = secrets,
                                          .secret_count = secret_count };
    return fake_new_with(plugin, &options);
}

int64_t fake_now(const struct fake_host *host)
{
    return host->now_ms;
}

const char *fake_public_url(const struct fake_host *host)
{
    return host->public_url;
}

const char *fake_guarded(const struct fake_host *host, const void *address, const char **ret_call)
{
    return fake_guard_find(&host->guard, address, ret_call);
}

kanal_channel *fake_channel(struct fake_host *host)
{
    return host->channel;
}

kanal_host *fake_table(struct fake_host *host)
{
    return host->given;
}

const struct fake_answer *fake_start_answer(struct fake_host *host)
{
    return fake_answer(host, host->start_op);
}

/* One write, so that tests that run side by side do not mix their lines. */
static void write_events(struct fake_host *host)
{
    const char *name = getenv("KANAL_FAKE_EVENTS");
    if (name == NULL || host->event_lines.len == 0)
        return;
    int file = open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (file < 0 ||
        write(file, host->event_lines.data, host->event_lines.len) != (ssize_t)host->event_lines.len)
        fake_fail(host, "cannot write %s", name);
    if (file >= 0)
        close(file);
}

static void stop(struct fake_host *host)
{
    struct owed *owed = fake_owe(host, CALL_STOP);
    FAKE_ENTER(host, "stop()");
    host->plugin->stop(host->channel, owed->op);
    fake_leave(host);
    if (!host->stopped) {
        fake_cancel_all(host);
        fake_extensions_stop(host);
        fake_run(host);
    }
    if (!host->stopped)
        fake_advance(host, STOP_MS);
    if (!host->stopped)
        fake_fault(host, FAKE_FAULT_LIFE, "stop() was not finished after %d s", STOP_MS / 1000);
    host->stopped = 1;
}

static void check_answers(struct fake_host *host)
{
    static const char *const calls[] = { "start", "stop", "provision", "on_http", "deliver", "media" };
    for (struct owed *owed = host->owed; owed != NULL; owed = owed->next) {
        if (!owed->done)
            fake_fault(host, FAKE_FAULT_ANSWER, "%s() was never answered (op %llu)", calls[owed->kind],
                       (unsigned long long)owed->op);
    }
    fake_extensions_check_end(host);
}

size_t fake_free(struct fake_host *host)
{
    if (host == NULL)
        return 0;
    if (host->started) {
        stop(host);
        check_answers(host);
    }
    FAKE_ENTER(host, "destroy()");
    host->plugin->destroy(host->channel);
    fake_leave(host);
    write_events(host);
    size_t failures = host->failures;
    free_host(host);
    return failures;
}
