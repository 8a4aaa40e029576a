#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "host/worker/describe.h"
#include "kanal/sdk/json.h"
#include "kit/caps.h"

static void on_error(void *user, const char *path, kanal_str error)
{
    int *failed = user;
    *failed = 1;
    fprintf(stderr, "%s: %.*s\n", path, (int)error.len, error.ptr ? error.ptr : "");
}

static void print_text(const struct plugin *plugin)
{
    const kanal_plugin *p = &plugin->descriptor;
    printf("%-12s %-8s %s\n  file      %s\n  can      ", p->id, p->version, p->name, plugin->path);
    for (size_t i = 0; i < cap_name_count; i++)
        if (p->caps & cap_names[i].cap)
            printf(" %s", cap_names[i].name);
    printf("\n");
    for (size_t i = 0; i < p->route_count; i++)
        printf("  route     %s /c/CHANNEL%s%s%s\n", p->routes[i].method, p->routes[i].path,
               p->routes[i].algorithm ? ", checked: " : "",
               p->routes[i].algorithm ? p->routes[i].algorithm : "");
    for (size_t i = 0; i < p->secret_count; i++)
        printf("  secret    %s%s: %s\n", p->secrets[i].name,
               p->secrets[i].flags & KANAL_SECRET_REQUIRED ? " (required)" : "", p->secrets[i].description);
    for (const char *const *host = p->egress; host && *host; host++)
        printf("  reaches   %s\n", *host);
}

static void write_json(const struct plugin *plugin, struct kanal_json *json)
{
    const kanal_plugin *p = &plugin->descriptor;
    kanal_json_object(json);
    kanal_json_member_text(json, "id", p->id);
    kanal_json_member_text(json, "name", p->name);
    kanal_json_member_text(json, "version", p->version);
    kanal_json_member_text(json, "file", plugin->path);
    kanal_json_member_int(json, "abi_minor", p->abi_minor);
    kanal_json_key(json, "caps");
    kanal_json_array(json);
    for (size_t i = 0; i < cap_name_count; i++)
        if (p->caps & cap_names[i].cap)
            kanal_json_str(json, kanal_str_c(cap_names[i].name));
    kanal_json_array_end(json);
    kanal_json_key(json, "secrets");
    kanal_json_array(json);
    for (size_t i = 0; i < p->secret_count; i++) {
        kanal_json_object(json);
        kanal_json_member_text(json, "name", p->secrets[i].name);
        kanal_json_member_text(json, "description", p->secrets[i].description);
        kanal_json_member_bool(json, "required", (p->secrets[i].flags & KANAL_SECRET_REQUIRED) != 0);
        kanal_json_object_end(json);
    }
    kanal_json_array_end(json);
    kanal_json_key(json, "settings_schema");
    yyjson_doc *schema = kanal_json_parse(kanal_str_c(p->settings_schema));
    kanal_json_value(json, yyjson_doc_get_root(schema));
    yyjson_doc_free(schema);
    kanal_json_object_end(json);
}

static void print_json(const struct plugin *list)
{
    struct kanal_buffer out = { 0 };
    struct kanal_json json;
    kanal_json_init(&json, &out);
    kanal_json_array(&json);
    for (; list; list = list->next)
        write_json(list, &json);
    kanal_json_array_end(&json);
    printf("%.*s\n", (int)out.len, out.data ? out.data : "[]");
    kanal_buffer_release(&out);
}

static int run(const struct cli_command *command, int argc, char **argv)
{
    static const struct option options[] = { { "json", no_argument, NULL, 'j' },
                                             { "help", no_argument, NULL, 'h' },
                                             { 0 } };
    int json = 0, failed = 0;
    for (int c; (c = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
        if (c == 'h') {
            cli_help(command);
            return CLI_OK;
        }
        if (c != 'j')
            return cli_usage(command, "unknown option");
        json = 1;
    }
    const char *const otherwise[] = { KANAL_PLUGIN_DIR, NULL };
    const char *const *directories = optind < argc ? (const char *const *)(argv + optind) : otherwise;
    const struct worker_terms terms = { .memory_bytes = WORKER_MEMORY_DEFAULT };
    struct plugin *list = plugins_describe(directories, &terms, on_error, &failed);
    if (json)
        print_json(list);
    for (const struct plugin *plugin = list; !json && plugin; plugin = plugin->next)
        print_text(plugin);
    plugins_free(list);
    return failed ? CLI_FAILED : CLI_OK;
}

const struct cli_command command_plugins = {
    .name = "plugins",
    .arguments = "[--json] [DIRECTORY …]",
    .summary = "Lists the plugins of the directories (default: where they are installed), and what each can "
               "and needs.",
    .help = "  --json   one JSON array, with the settings' schemas\n\nExit code 1 if a file was refused; the "
            "reason is on stderr.\n",
    .run = run,
};
