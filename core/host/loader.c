#include "host/loader.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

#include "json/schema.h"
#include "kanal/sdk/str.h"

static int refuse(struct kanal_buffer *error, const char *format, ...) __attribute__((format(printf, 2, 3)));
static int refuse(struct kanal_buffer *error, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    kanal_buffer_append(error, text, n < 0 ? 0 : (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
    return KANAL_E_INVALID;
}

/* What minor 0 had: the least that a descriptor must hold. */
#define DESCRIPTOR_BYTES_MIN (offsetof(kanal_plugin, extension) + sizeof(((kanal_plugin *)NULL)->extension))

static int valid_id(const char *id)
{
    size_t n = strlen(id);
    if (n == 0 || n > 32 || id[0] < 'a' || id[0] > 'z')
        return 0;
    return strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789-") == n;
}

static int check_route(const kanal_route *route, const kanal_plugin *p, struct kanal_buffer *error)
{
    if (!route->method || !route->path || route->path[0] != '/')
        return refuse(error, "a route without a method, or whose path does not start with '/'");
    if (!route->algorithm)
        return 0;
    int equal = strcmp(route->algorithm, "equal") == 0;
    if (!equal && strcmp(route->algorithm, "hmac-sha256") != 0 && strcmp(route->algorithm, "hmac-sha1") != 0)
        return refuse(error, "route %s %s: unknown algorithm '%s'", route->method, route->path,
                      route->algorithm);
    if (!route->name || !route->secret || (route->where != KANAL_IN_HEADER && route->where != KANAL_IN_QUERY))
        return refuse(error, "route %s %s: needs a header or query parameter and a secret", route->method,
                      route->path);
    if (!equal &&
        (!route->encoding || (strcmp(route->encoding, "hex") != 0 && strcmp(route->encoding, "base64") != 0)))
        return refuse(error, "route %s %s: encoding must be hex or base64", route->method, route->path);
    for (size_t i = 0; i < p->secret_count; i++)
        if (p->secrets[i].name && strcmp(p->secrets[i].name, route->secret) == 0)
            return 0;
    return refuse(error, "route %s %s: secret '%s' is not among its secrets", route->method, route->path,
                  route->secret);
}

static int check_descriptor(const kanal_plugin *p, struct kanal_buffer *error)
{
    if (!p->id || !valid_id(p->id))
        return refuse(error, "its id must be 1 to 32 of a-z, 0-9 and '-', starting with a letter");
    if (!p->name || !p->version || !p->settings_schema)
        return refuse(error, "name, version and settings_schema are required");
    if (!p->create || !p->start || !p->stop || !p->destroy)
        return refuse(error, "create, start, stop and destroy are required");
    if ((p->route_count > 0 && (!p->routes || !p->on_http)) || (p->secret_count > 0 && !p->secrets))
        return refuse(error, "routes or secrets are counted but not given, or on_http is missing");
    for (size_t i = 0; i < p->secret_count; i++)
        if (!p->secrets[i].name || !p->secrets[i].description)
            return refuse(error, "a secret without a name or description");
    for (size_t i = 0; i < p->route_count; i++)
        if (check_route(&p->routes[i], p, error) != 0)
            return KANAL_E_INVALID;
    return 0;
}

/* Which of the plugin's symbols tells its major. */
static int find_entry(void *handle, const kanal_plugin *(**ret_entry)(void), struct kanal_buffer *error)
{
    void *symbol = dlsym(handle, "kanal_plugin_v1");
    if (symbol) {
        memcpy(ret_entry, &symbol,
               sizeof symbol); /* C has no cast from data to function pointers; POSIX makes them alike */
        return 0;
    }
    for (int major = 2; major < 10; major++) {
        char name[32];
        snprintf(name, sizeof name, "kanal_plugin_v%d", major);
        if (dlsym(handle, name))
            return refuse(
                error,
                "it is for ABI major %d; this kanal speaks major %u: build it against this kanal's headers",
                major, KANAL_ABI_MAJOR);
    }
    return refuse(
        error,
        "it does not export kanal_plugin_v1: it is no Kanal plugin, or was linked with hidden symbols only");
}

int plugin_load(struct plugin **ret_plugin, const char *path, struct kanal_buffer *error)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return refuse(error, "it cannot be read: %s", strerror(errno));
    if (!S_ISREG(st.st_mode))
        return refuse(error, "it is no regular file");
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!handle)
        return refuse(error, "it cannot be loaded: %s", dlerror());
    const kanal_plugin *(*entry)(void) = NULL;
    if (find_entry(handle, &entry, error) != 0 || !entry)
        return KANAL_E_INVALID;
    const kanal_plugin *descriptor = entry();
    if (!descriptor)
        return refuse(error, "kanal_plugin_v1() returned NULL");
    if (descriptor->struct_size < DESCRIPTOR_BYTES_MIN)
        return refuse(error, "its struct_size is %u, at least %zu are needed: set it to sizeof(kanal_plugin)",
                      descriptor->struct_size, DESCRIPTOR_BYTES_MIN);
    if (check_descriptor(descriptor, error) != 0)
        return KANAL_E_INVALID;

    struct plugin *plugin = calloc(1, sizeof *plugin);
    if (!plugin || !(plugin->path = strdup(path))) {
        plugin_free(plugin);
        return refuse(error, "out of memory");
    }
    size_t size = descriptor->struct_size < sizeof plugin->descriptor ? descriptor->struct_size
                                                                      : sizeof plugin->descriptor;
    memcpy(&plugin->descriptor, descriptor, size);
    plugin->descriptor.struct_size = (uint32_t)size;
    kanal_buffer_text(error, "its settings_schema: ");
    if (json_schema_new(&plugin->schema, kanal_str_c(descriptor->settings_schema), error) != 0) {
        plugin_free(plugin);
        return KANAL_E_INVALID;
    }
    kanal_buffer_clear(error);
    *ret_plugin = plugin;
    return 0;
}

void plugin_free(struct plugin *plugin)
{
    if (!plugin)
        return;
    json_schema_free(plugin->schema);
    free(plugin->path);
    free(plugin);
}

static int is_shared_object(const struct dirent *entry)
{
    size_t n = strlen(entry->d_name);
    return n > 3 && entry->d_name[0] != '.' && strcmp(entry->d_name + n - 3, ".so") == 0;
}

static void load_directory(struct plugin **list, const char *directory, plugin_error_fn *tell, void *user)
{
    struct kanal_buffer error = { 0 };
    struct dirent **entries = NULL;
    int count = scandir(directory, &entries, is_shared_object, alphasort);
    if (count < 0) {
        kanal_buffer_text(&error, "the plugin directory cannot be read: ");
        kanal_buffer_text(&error, strerror(errno));
        tell(user, directory, kanal_buffer_view(&error));
    }
    for (int i = 0; i < count; i++) {
        char path[4096];
        struct plugin *plugin = NULL;
        snprintf(path, sizeof path, "%s/%s", directory, entries[i]->d_name);
        kanal_buffer_clear(&error);
        if (plugin_load(&plugin, path, &error) != 0 || !plugin) {
            tell(user, path, kanal_buffer_view(&error));
        } else if (plugins_find(*list, plugin->descriptor.id)) {
            kanal_buffer_text(&error, "a plugin with its id was loaded before: ");
            kanal_buffer_text(&error, plugins_find(*list, plugin->descriptor.id)->path);
            tell(user, path, kanal_buffer_view(&error));
            plugin_free(plugin);
        } else {
            struct plugin **last = list;
            while (*last)
                last = &(*last)->next;
            *last = plugin;
        }
        free(entries[i]);
    }
    free(entries);
    kanal_buffer_release(&error);
}

struct plugin *plugins_load(const char *const *directories, plugin_error_fn *tell, void *user)
{
    struct plugin *list = NULL;
    for (; directories && *directories; directories++)
        load_directory(&list, *directories, tell, user);
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
