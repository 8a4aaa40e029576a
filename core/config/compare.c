/* config/compare.c - what a changed file changes; a channel as it was written. */
#include "impl.h"
#include "kanal/sdk/str.h"
#include "memory.h"

static yyjson_mut_val *tree_of(const struct config *config, const struct config_channel *channel)
{
    yyjson_mut_val *channels = yyjson_mut_obj_get(yyjson_mut_doc_get_root(config->impl->tree), "channels");
    return yyjson_mut_arr_get(channels, channel->position);
}

int config_channel_same(const struct config *config, const struct config_channel *channel,
                        const struct config *other, const struct config_channel *of_other)
{
    return yyjson_mut_equals(tree_of(config, channel), tree_of(other, of_other));
}

int config_channel_json(const struct config *config, const struct config_channel *channel,
                        struct kanal_buffer *out)
{
    size_t len = 0;
    char *text = yyjson_mut_val_write_opts(tree_of(config, channel), 0, &config_wiping_allocator, &len, NULL);

    kanal_buffer_append(out, text, len);
    config_wiping_allocator.free(NULL, text);
    return text && !out->failed ? 0 : KANAL_E_INTERNAL;
}

void config_differences(const struct config *config, const struct config *other, config_section_fn *tell,
                        void *user)
{
    yyjson_mut_val *a = yyjson_mut_doc_get_root(config->impl->tree), *key;
    yyjson_mut_val *b = yyjson_mut_doc_get_root(other->impl->tree);
    yyjson_mut_obj_iter iter = yyjson_mut_obj_iter_with(a);

    while ((key = yyjson_mut_obj_iter_next(&iter))) {
        kanal_str name = config_str(key);
        yyjson_mut_val *theirs = yyjson_mut_obj_getn(b, name.ptr, name.len);
        if (!kanal_str_is(name, "channels") && !yyjson_mut_equals(yyjson_mut_obj_iter_get_val(key), theirs))
            tell(user, name);
    }
    iter = yyjson_mut_obj_iter_with(b);
    while ((key = yyjson_mut_obj_iter_next(&iter))) {
        kanal_str name = config_str(key);
        if (!yyjson_mut_obj_getn(a, name.ptr, name.len))
            tell(user, name);
    }
}
