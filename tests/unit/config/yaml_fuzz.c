/* A file's bytes as kanal.yaml: reading ends, every error has a place, and the tree is as deep as promised. With a whole tree the
 * rest of the loading runs too. */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <stdio.h>
#include "config/config.h"
#include "config/memory.h"
#include "config/yaml.h"
#include "kanal/sdk/str.h"

static void check(int holds)
{
    if (!holds)
        __builtin_trap();
}

static void on_error(void *user, kanal_str text)
{
    check(text.len > 0 && text.ptr[0] == *(const char *)user);
}

static uint32_t depth_of(yyjson_mut_val *value)
{
    yyjson_mut_arr_iter items = yyjson_mut_arr_iter_with(value);
    yyjson_mut_obj_iter members = yyjson_mut_obj_iter_with(value);
    uint32_t deepest = 0;
    yyjson_mut_val *inner;

    while ((inner = yyjson_mut_arr_iter_next(&items)))
        deepest = depth_of(inner) > deepest ? depth_of(inner) : deepest;
    while ((inner = yyjson_mut_obj_iter_next(&members)))
        deepest = depth_of(yyjson_mut_obj_iter_get_val(inner)) > deepest
                      ? depth_of(yyjson_mut_obj_iter_get_val(inner))
                      : deepest;
    return deepest + (yyjson_mut_is_arr(value) || yyjson_mut_is_obj(value));
}

static void read_tree(kanal_str text)
{
    yyjson_mut_doc *doc = yyjson_mut_doc_new(&config_wiping_allocator);
    struct config_errors *errors = calloc(1, sizeof *errors);
    struct config_positions positions = { 0 };
    int whole = 0;

    errors->file = "f";
    errors->positions = &positions;
    check(config_yaml_read(doc, text, &positions, errors, &whole) == 0);
    check(whole || errors->count > 0);
    check(!whole || yyjson_mut_doc_get_root(doc) != NULL);
    if (positions.count < 2000)
        check(depth_of(yyjson_mut_doc_get_root(doc)) <= CONFIG_YAML_DEPTH);
    for (size_t i = 0; i < positions.count; i++)
        check(positions.list[i].line > 0 && positions.list[i].column > 0);
    config_errors_tell(errors, on_error, (void *)"f");
    config_positions_release(&positions);
    free(errors);
    yyjson_mut_doc_free(doc);
}

static void load(kanal_str text)
{
    struct config *config = NULL;
    char path[64];
    int fd = memfd_create("kanal", 0);

    check(fd >= 0 && write(fd, text.ptr, text.len) == (ssize_t)text.len);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (config_load(&config, path, on_error, (void *)"/") == 0)
        check(config->identity.salt.len >= 16 && config->channels != NULL);
    config_free(config);
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    kanal_str text = { size > 0 ? (const char *)data : "", size };

    read_tree(text);
    load(text);
    return 0;
}
