#include <criterion/criterion.h>
#include <stdio.h>

#include "host/loader.h"
#include "kanal/sdk/str.h"

/* Which file, and what the refusal must say. */
static const struct {
    const char *file, *words;
} refusals[] = {
    { "bad_not_elf.so", "cannot be loaded" },
    { "bad_missing.so", "cannot be read" },
    { "bad_no_symbol.so", "does not export kanal_plugin_v1" },
    { "bad_other_major.so", "ABI major 2; this kanal speaks major 1" },
    { "bad_null_descriptor.so", "returned NULL" },
    { "bad_short_struct.so", "struct_size is 64" },
    { "bad_bad_id.so", "its id must be" },
    { "bad_no_create.so", "create, start, stop and destroy are required" },
    { "bad_broken_schema.so", "propperties" },
    { "bad_route_without_secret.so", "secret 'token' is not among its secrets" },
    { "bad_route_algorithm.so", "unknown algorithm 'md5'" },
    { "bad_unresolved.so", "nobody_defines_this" },
};

static void path_of(char path[4096], const char *file)
{
    snprintf(path, 4096, "%s/%s", BAD_PLUGIN_DIR, file);
}

Test(loader, loads_a_right_plugin)
{
    char path[4096];
    struct plugin *plugin = NULL;
    struct kanal_buffer error = { 0 };
    path_of(path, "bad_good.so");
    cr_assert_eq(plugin_load(&plugin, path, &error), 0, "%s", error.data);
    cr_assert_str_eq(plugin->descriptor.id, "bad");
    cr_assert_eq(error.len, 0);
    plugin_free(plugin);
    kanal_buffer_release(&error);
}

Test(loader, refuses_each_defect_in_its_own_words)
{
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        char path[4096];
        struct plugin *plugin = NULL;
        struct kanal_buffer error = { 0 };
        path_of(path, refusals[i].file);
        cr_expect_eq(plugin_load(&plugin, path, &error), KANAL_E_INVALID, "%s", refusals[i].file);
        kanal_buffer_byte(&error, 0);
        cr_expect_not_null(strstr(error.data, refusals[i].words), "%s said: %s", refusals[i].file,
                           error.data);
        cr_expect_null(plugin);
        kanal_buffer_release(&error);
    }
}

struct told {
    size_t errors;
    int duplicate;
};

static void on_error(void *user, const char *path, kanal_str error)
{
    struct told *told = user;
    (void)path;
    told->errors++;
    told->duplicate |= error.len > 20 && memmem(error.ptr, error.len, "loaded before", 13) != NULL;
}

Test(loader, a_broken_file_does_not_keep_the_others_out)
{
    struct told told = { 0 };
    const char *const directories[] = { BAD_PLUGIN_DIR, NULL };
    struct plugin *list = plugins_load(directories, on_error, &told);
    cr_assert_not_null(plugins_find(list, "bad"));
    cr_assert_null(list->next);
    cr_assert_geq(told.errors, sizeof refusals / sizeof *refusals - 1); /* all but the missing one */
    plugins_free(list);
}

Test(loader, of_two_with_one_id_the_first_stays)
{
    struct told told = { 0 };
    const char *const directories[] = { BAD_PLUGIN_DIR, BAD_PLUGIN_DIR, NULL };
    struct plugin *list = plugins_load(directories, on_error, &told);
    cr_assert(told.duplicate);
    cr_assert_null(list->next);
    plugins_free(list);
}

Test(loader, a_directory_that_is_not_there_is_told)
{
    struct told told = { 0 };
    const char *const directories[] = { "/nonexistent", NULL };
    cr_assert_null(plugins_load(directories, on_error, &told));
    cr_assert_eq(told.errors, 1);
}
