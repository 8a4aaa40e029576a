#include "host/plugin_file.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

int plugin_refuse(struct kanal_buffer *error, const char *format, ...)
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
        return plugin_refuse(error, "a route without a method, or whose path does not start with '/'");
    if (!route->algorithm)
        return 0;
    int equal = strcmp(route->algorithm, "equal") == 0;
    if (!equal && strcmp(route->algorithm, "hmac-sha256") != 0 && strcmp(route->algorithm, "hmac-sha1") != 0)
        return plugin_refuse(error, "route %s %s: unknown algorithm '%s'", route->method, route->path,
                             route->algorithm);
    if (!route->name || !route->secret || (route->where != KANAL_IN_HEADER && route->where != KANAL_IN_QUERY))
        return plugin_refuse(error, "route %s %s: needs a header or query parameter and a secret",
                             route->method, route->path);
    if (!equal &&
        (!route->encoding || (strcmp(route->encoding, "hex") != 0 && strcmp(route->encoding, "base64") != 0)))
        return plugin_refuse(error, "route %s %s: encoding must be hex or base64", route->method,
                             route->path);
    for (size_t i = 0; i < p->secret_count; i++)
        if (p->secrets[i].name && strcmp(p->secrets[i].name, route->secret) == 0)
            return 0;
    return plugin_refuse(error, "route %s %s: secret '%s' is not among its secrets", route->method,
                         route->path, route->secret);
}

int plugin_check(const kanal_plugin *p, struct kanal_buffer *error)
{
    if (!p->id || !valid_id(p->id))
        return plugin_refuse(error, "its id must be 1 to 32 of a-z, 0-9 and '-', starting with a letter");
    if (!p->name || !p->version || !p->settings_schema)
        return plugin_refuse(error, "name, version and settings_schema are required");
    if (!p->create || !p->start || !p->stop || !p->destroy)
        return plugin_refuse(error, "create, start, stop and destroy are required");
    if ((p->route_count > 0 && (!p->routes || !p->on_http)) || (p->secret_count > 0 && !p->secrets))
        return plugin_refuse(error, "routes or secrets are counted but not given, or on_http is missing");
    for (size_t i = 0; i < p->secret_count; i++)
        if (!p->secrets[i].name || !p->secrets[i].description)
            return plugin_refuse(error, "a secret without a name or description");
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
            return plugin_refuse(
                error,
                "it is for ABI major %d; this kanal speaks major %u: build it against this kanal's headers",
                major, KANAL_ABI_MAJOR);
    }
    return plugin_refuse(
        error,
        "it does not export kanal_plugin_v1: it is no Kanal plugin, or was linked with hidden symbols only");
}

int plugin_open(const kanal_plugin **ret_descriptor, const char *path, struct kanal_buffer *error)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return plugin_refuse(error, "it cannot be read: %s", strerror(errno));
    if (!S_ISREG(st.st_mode))
        return plugin_refuse(error, "it is no regular file");
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!handle)
        return plugin_refuse(error, "it cannot be loaded: %s", dlerror());
    const kanal_plugin *(*entry)(void) = NULL;
    if (find_entry(handle, &entry, error) != 0 || !entry)
        return KANAL_E_INVALID;
    const kanal_plugin *descriptor = entry();
    if (!descriptor)
        return plugin_refuse(error, "kanal_plugin_v1() returned NULL");
    if (descriptor->struct_size < DESCRIPTOR_BYTES_MIN)
        return plugin_refuse(error,
                             "its struct_size is %u, at least %zu are needed: set it to sizeof(kanal_plugin)",
                             descriptor->struct_size, DESCRIPTOR_BYTES_MIN);
    if (plugin_check(descriptor, error) != 0)
        return KANAL_E_INVALID;
    *ret_descriptor = descriptor;
    return 0;
}

void plugin_copy(kanal_plugin *copy, const kanal_plugin *descriptor)
{
    size_t size = descriptor->struct_size < sizeof *copy ? descriptor->struct_size : sizeof *copy;
    memset(copy, 0, sizeof *copy);
    memcpy(copy, descriptor, size);
    copy->struct_size = (uint32_t)size;
}
