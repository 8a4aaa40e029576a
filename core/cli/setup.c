#include "cli/setup.h"

#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "host/worker/describe.h"
#include "kanal/sdk/str.h"

static void on_error(void *user, kanal_str text)
{
    struct setup *setup = user;
    setup->errors++;
    fprintf(stderr, "%.*s\n", (int)text.len, text.ptr);
}

static void on_plugin_error(void *user, const char *path, kanal_str error)
{
    struct setup *setup = user;
    setup->warnings++; /* a broken plugin that no channel uses stops nobody */
    fprintf(stderr, "%s: %.*s\n", path, (int)error.len, error.ptr ? error.ptr : "");
}

static void list_known(struct plugin *plugins, struct kanal_buffer *out)
{
    for (struct plugin *plugin = plugins; plugin; plugin = plugin->next) {
        kanal_buffer_text(out, plugin == plugins ? "" : ", ");
        kanal_buffer_text(out, plugin->descriptor.id);
    }
}

static void check_channel(struct setup *setup, const char *config_path, size_t index)
{
    struct config_channel *channel = &setup->config->channels[index];
    struct plugin *plugin = plugins_find(setup->plugins, channel->plugin);
    setup->of_channel[index] = plugin;
    if (plugin) {
        config_check_settings(setup->config, channel, &plugin->descriptor, on_error, setup);
        return;
    }
    struct kanal_buffer known = { 0 };
    list_known(setup->plugins, &known);
    setup->errors++;
    fprintf(stderr,
            "%s: channels[%zu].plugin: there is no plugin '%s'; there are: %.*s (plugins.path says where "
            "they are looked for)\n",
            config_path, index, channel->plugin, (int)known.len, known.data ? known.data : "");
    kanal_buffer_release(&known);
}

/* What plugins.NAME says of a plugin. */
static const struct config_plugin *config_of(const struct config *config, const char *id)
{
    for (size_t i = 0; i < config->plugin_count; i++)
        if (strcmp(config->plugins[i].id, id) == 0)
            return &config->plugins[i];
    return NULL;
}

/* What every worker has, before it is known what kanal.yaml says of its plugin. */
static struct worker_terms terms_of(const struct setup *setup)
{
    return (struct worker_terms){ .memory_bytes = WORKER_MEMORY_DEFAULT,
                                  .cpu_percent = WORKER_CPU_DEFAULT_PERCENT,
                                  .flags = setup->config->sandbox_required ? WORKER_NEEDS_LANDLOCK : 0,
                                  .groups = setup->groups };
}

static int is_used(const struct setup *setup, const struct plugin *plugin)
{
    for (size_t i = 0; setup->of_channel && i < setup->config->channel_count; i++)
        if (setup->of_channel[i] == plugin)
            return 1;
    return 0;
}

/* ---- Which files, and who opens them ---- */

static int is_file_of(const char *path, const char *id)
{
    const char *name = strrchr(path, '/');
    size_t n = strlen(id);
    name = name ? name + 1 : path;
    return strncmp(name, id, n) == 0 && strcmp(name + n, ".so") == 0;
}

/* The first ID.so; or count. */
static size_t find_file(const struct plugin_paths *paths, const char *id)
{
    size_t i = 0;
    while (i < paths->count && !is_file_of(paths->list[i], id))
        i++;
    return i;
}

/* Out of the rest; NULL: there is none of that name. */
static char *take_file(struct setup *setup, const char *id)
{
    struct plugin_paths *rest = &setup->rest;
    size_t at = find_file(rest, id);
    char *path = at < rest->count ? rest->list[at] : NULL;
    if (path)
        memmove(&rest->list[at], &rest->list[at + 1], (--rest->count - at) * sizeof *rest->list);
    return path;
}

static int is_in_process(const struct setup *setup, const char *id)
{
    const struct config_plugin *config = config_of(setup->config, id);
    return config && config->in_process;
}

/* isolation: none. The file is opened in this process. */
static struct plugin *load_here(struct setup *setup, const char *path, plugin_error_fn *tell, void *user)
{
    struct kanal_buffer error = { 0 };
    struct plugin *plugin = NULL;
    if (plugin_load(&plugin, path, &error) != 0) {
        tell(user, path, kanal_buffer_view(&error));
        setup->errors++;
    }
    kanal_buffer_release(&error);
    return plugin;
}

/* As kanal.yaml says of it. A plugin whose file's name did not tell that it belongs here was described by a worker first. */
static struct plugin *configure(struct setup *setup, struct plugin *plugin, plugin_error_fn *tell, void *user)
{
    const struct config_plugin *config = config_of(setup->config, plugin->descriptor.id);
    struct worker_plugin *worker = plugin->worker;
    if (config && config->in_process && worker) {
        struct plugin *here = load_here(setup, plugin->path, tell, user);
        plugin_free(plugin);
        return here;
    }
    if (config && worker) {
        if (config->memory_bytes)
            worker->terms.memory_bytes = (uint64_t)config->memory_bytes;
        if (config->cpu_percent)
            worker->terms.cpu_percent = config->cpu_percent;
        worker->deadline_ms = config->deadline_ms ? (uint32_t)config->deadline_ms : worker->deadline_ms;
        if (config->threads) { /* the process that described it may not */
            worker->terms.flags |= WORKER_MAY_THREAD;
            worker_plugin_dismiss(worker);
        }
    }
    return plugin;
}

static void take_all(struct setup *setup, struct plugin *list, plugin_error_fn *tell, void *user)
{
    while (list) {
        struct plugin *plugin = list;
        list = plugin->next;
        plugin->next = NULL;
        plugin = configure(setup, plugin, tell, user);
        if (plugin)
            plugins_add(&setup->plugins, plugin, tell, user);
    }
}

/* A file whose name says that it is the plugin, and kanal.yaml that it runs here, needs no worker to describe it. Takes path over. */
static void load_by_name(struct setup *setup, const char *id, char *path)
{
    struct plugin *plugin = load_here(setup, path, on_plugin_error, setup);
    if (plugin && strcmp(plugin->descriptor.id, id) != 0) {
        on_plugin_error(setup, path, KANAL_LIT("it was opened here for its name, but is another plugin"));
        setup->errors++;
        plugin_free(plugin);
    } else if (plugin) {
        plugins_add(&setup->plugins, plugin, on_plugin_error, setup);
    }
    free(path);
}

/* Of each plugin that a channel names the file of its name, out of the rest. */
static void take_used(struct setup *setup)
{
    struct plugin_paths used = { .list = calloc(setup->rest.count + 1, sizeof *used.list) };
    const struct worker_terms terms = terms_of(setup);
    for (size_t i = 0; used.list && i < setup->config->channel_count; i++) {
        const char *id = setup->config->channels[i].plugin;
        int is_seen = plugins_find(setup->plugins, id) || find_file(&used, id) < used.count;
        char *path = is_seen ? NULL : take_file(setup, id);
        if (path && is_in_process(setup, id))
            load_by_name(setup, id, path);
        else if (path)
            used.list[used.count++] = path;
    }
    take_all(setup, plugins_describe_files(used.list, used.count, &terms, on_plugin_error, setup),
             on_plugin_error, setup);
    plugin_paths_release(&used);
}

static int is_any_missing(const struct setup *setup)
{
    for (size_t i = 0; i < setup->config->channel_count; i++)
        if (!plugins_find(setup->plugins, setup->config->channels[i].plugin))
            return 1;
    return 0;
}

struct plugin *setup_describe_rest(const struct setup *setup, plugin_error_fn *tell, void *user)
{
    const struct worker_terms terms = terms_of(setup);
    return plugins_describe_files(setup->rest.list, setup->rest.count, &terms, tell, user);
}

void setup_take_rest(struct setup *setup, struct plugin *described, plugin_error_fn *tell, void *user)
{
    for (struct plugin *plugin = described; plugin; plugin = plugin->next)
        worker_plugin_dismiss(plugin->worker);
    take_all(setup, described, tell, user);
    plugin_paths_release(&setup->rest);
}

/* ---- Control groups ---- */

static void open_groups(struct setup *setup, const char *config_path)
{
    const struct config *config = setup->config;
    if (config->cgroup == CONFIG_CGROUP_OFF) {
        snprintf(setup->groups_reason, sizeof setup->groups_reason, "plugins.cgroup is off");
        return;
    }
    int status = cgroups_open(&setup->groups, config->cgroup_path, setup->groups_reason);
    if (config->cgroup == CONFIG_CGROUP_REQUIRED &&
        (status != 0 || cgroups_controllers(setup->groups) != CGROUP_ALL)) {
        setup->errors++;
        fprintf(
            stderr,
            "%s: plugins.cgroup: workers cannot have control groups with memory, cpu and pids: %s; delegate "
            "a group to the gateway (docs/deployment.md), or write auto\n",
            config_path, setup->groups_reason);
    }
}

static void load_plugins(struct setup *setup, enum setup_scope scope, const char *extra_path)
{
    const char *extra[] = { extra_path, NULL };
    plugin_paths_find(&setup->rest, extra_path ? extra : setup->config->plugin_path, on_plugin_error, setup);
    if (scope != SETUP_ALL)
        take_used(setup);
    if (scope == SETUP_ALL || is_any_missing(setup)) {
        take_all(setup, setup_describe_rest(setup, on_plugin_error, setup), on_plugin_error, setup);
        plugin_paths_release(&setup->rest);
    }
}

int setup_load(struct setup *setup, enum setup_scope scope, const char *config_path, const char *extra_path)
{
    *setup = (struct setup){ 0 };
    if (config_load(&setup->config, config_path, on_error, setup) != 0)
        return CLI_CONFIG;
    if (scope == SETUP_GATEWAY)
        open_groups(setup, config_path);
    if (setup->errors > 0)
        return CLI_CONFIG;
    load_plugins(setup, scope, extra_path);
    setup->of_channel = calloc(setup->config->channel_count + 1, sizeof *setup->of_channel);
    for (size_t i = 0; setup->of_channel && i < setup->config->channel_count; i++)
        check_channel(setup, config_path, i);
    for (struct plugin *plugin = setup->plugins; plugin; plugin = plugin->next)
        if (plugin->worker && !is_used(setup, plugin))
            worker_plugin_dismiss(plugin->worker);
    return setup->errors > 0 || !setup->of_channel ? CLI_CONFIG : CLI_OK;
}

void setup_release(struct setup *setup)
{
    free(setup->of_channel);
    plugin_paths_release(&setup->rest);
    plugins_free(setup->plugins);
    cgroups_close(setup->groups);
    config_free(setup->config);
    *setup = (struct setup){ 0 };
}
