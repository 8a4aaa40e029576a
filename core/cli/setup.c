#include "cli/setup.h"

#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "host/worker/describe.h"

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

static int is_used(const struct setup *setup, const struct plugin *plugin)
{
    for (size_t i = 0; setup->of_channel && i < setup->config->channel_count; i++)
        if (setup->of_channel[i] == plugin)
            return 1;
    return 0;
}

/* isolation: none. The file that was described by a worker is opened in this process. */
static void take_in(struct setup *setup, struct plugin **link)
{
    struct kanal_buffer error = { 0 };
    struct plugin *outside = *link, *plugin = NULL;
    if (plugin_load(&plugin, outside->path, &error) == 0) {
        plugin->next = outside->next;
        *link = plugin;
        plugin_free(outside);
    } else {
        on_plugin_error(setup, outside->path, kanal_buffer_view(&error));
        setup->errors++;
    }
    kanal_buffer_release(&error);
}

static void configure_plugins(struct setup *setup)
{
    for (struct plugin **link = &setup->plugins; *link; link = &(*link)->next) {
        const struct config_plugin *config = config_of(setup->config, (*link)->descriptor.id);
        struct worker_plugin *worker = (*link)->worker;
        if (config && config->in_process) {
            take_in(setup, link);
        } else if (config) {
            worker->memory_bytes =
                config->memory_bytes ? (uint64_t)config->memory_bytes : worker->memory_bytes;
            worker->deadline_ms = config->deadline_ms ? (uint32_t)config->deadline_ms : worker->deadline_ms;
            if (config->threads) { /* the process that described it may not */
                worker->flags |= WORKER_MAY_THREAD;
                worker_plugin_dismiss(worker);
            }
        }
    }
}

int setup_load(struct setup *setup, const char *config_path, const char *extra_path)
{
    *setup = (struct setup){ 0 };
    if (config_load(&setup->config, config_path, on_error, setup) != 0)
        return CLI_CONFIG;
    const char *extra[] = { extra_path, NULL };
    setup->plugins =
        plugins_describe(extra_path ? extra : setup->config->plugin_path,
                         setup->config->sandbox_required ? WORKER_NEEDS_LANDLOCK : 0, on_plugin_error, setup);
    configure_plugins(setup);
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
    plugins_free(setup->plugins);
    config_free(setup->config);
    *setup = (struct setup){ 0 };
}
