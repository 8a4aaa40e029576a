#include "host/loader.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>

#include "host/plugin_file.h"
#include "host/worker/describe.h"
#include "json/schema.h"
#include "kanal/sdk/str.h"

int plugin_load(struct plugin **ret_plugin, const char *path, struct kanal_buffer *error)
{
    const kanal_plugin *descriptor;
    if (plugin_open(&descriptor, path, error) != 0)
        return KANAL_E_INVALID;
    struct plugin *plugin = calloc(1, sizeof *plugin);
    if (!plugin || !(plugin->path = strdup(path))) {
        plugin_free(plugin);
        return plugin_refuse(error, "out of memory");
    }
    plugin_copy(&plugin->descriptor, descriptor);
    if (plugin_compile(plugin, error) != 0) {
        plugin_free(plugin);
        return KANAL_E_INVALID;
    }
    *ret_plugin = plugin;
    return 0;
}

int plugin_compile(struct plugin *plugin, struct kanal_buffer *error)
{
    kanal_buffer_text(error, "its settings_schema: ");
    if (json_schema_new(&plugin->schema, kanal_str_c(plugin->descriptor.settings_schema), error) != 0)
        return KANAL_E_INVALID;
    kanal_buffer_clear(error);
    return 0;
}

void plugin_free(struct plugin *plugin)
{
    if (!plugin)
        return;
    worker_plugin_free(plugin->worker);
    json_schema_free(plugin->schema);
    free(plugin->path);
    free(plugin);
}

static int is_shared_object(const struct dirent *entry)
{
    size_t n = strlen(entry->d_name);
    return n > 3 && entry->d_name[0] != '.' && strcmp(entry->d_name + n - 3, ".so") == 0;
}

static void add_path(struct plugin_paths *paths, const char *directory, const char *name)
{
    size_t room = paths->room ? paths->room * 2 : 16;
    if (paths->count == paths->room) {
        char **list = realloc(paths->list, room * sizeof *list);
        if (!list)
            return;
        paths->list = list;
        paths->room = room;
    }
    if (asprintf(&paths->list[paths->count], "%s/%s", directory, name) >= 0)
        paths->count++;
}

static void list_directory(struct plugin_paths *paths, const char *directory, plugin_error_fn *tell,
                           void *user)
{
    struct dirent **entries = NULL;
    int count = scandir(directory, &entries, is_shared_object, alphasort);
    if (count < 0) {
        struct kanal_buffer error = { 0 };
        plugin_refuse(&error, "the plugin directory cannot be read: %s", strerror(errno));
        tell(user, directory, kanal_buffer_view(&error));
        kanal_buffer_release(&error);
    }
    for (int i = 0; i < count; i++) {
        add_path(paths, directory, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
}

void plugin_paths_find(struct plugin_paths *paths, const char *const *directories, plugin_error_fn *tell,
                       void *user)
{
    for (; directories && *directories; directories++)
        list_directory(paths, *directories, tell, user);
}

void plugin_paths_release(struct plugin_paths *paths)
{
    for (size_t i = 0; i < paths->count; i++)
        free(paths->list[i]);
    free(paths->list);
    *paths = (struct plugin_paths){ 0 };
}

void plugins_add(struct plugin **list, struct plugin *plugin, plugin_error_fn *tell, void *user)
{
    struct plugin **last = list;
    const struct plugin *same = plugins_find(*list, plugin->descriptor.id);
    if (same) {
        struct kanal_buffer error = { 0 };
        plugin_refuse(&error, "a plugin with its id was loaded before: %s", same->path);
        tell(user, plugin->path, kanal_buffer_view(&error));
        kanal_buffer_release(&error);
        plugin_free(plugin);
        return;
    }
    while (*last)
        last = &(*last)->next;
    *last = plugin;
}

struct plugin *plugins_load(const char *const *directories, plugin_error_fn *tell, void *user)
{
    struct plugin_paths paths = { 0 };
    struct plugin *list = NULL;
    plugin_paths_find(&paths, directories, tell, user);
    for (size_t i = 0; i < paths.count; i++) {
        struct kanal_buffer error = { 0 };
        struct plugin *plugin = NULL;
        if (plugin_load(&plugin, paths.list[i], &error) == 0 && plugin)
            plugins_add(&list, plugin, tell, user);
        else
            tell(user, paths.list[i], kanal_buffer_view(&error));
        kanal_buffer_release(&error);
    }
    plugin_paths_release(&paths);
    return list;
}

void plugins_free(struct plugin *plugin)
{
    while (plugin) {
        struct plugin *next = plugin->next;
        plugin_free(plugin);
        plugin = next;
    }
}

struct plugin *plugins_find(struct plugin *plugin, const char *id)
{
    while (plugin && strcmp(plugin->descriptor.id, id) != 0)
        plugin = plugin->next;
    return plugin;
}
