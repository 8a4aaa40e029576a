/* outside.c - a plugin as somebody else builds it: with nothing but what pkg-config says. */
#include "kanal/sdk/sdk.h"

const kanal_plugin *kanal_plugin_v1(void)
{
    static kanal_plugin plugin = { .struct_size = sizeof plugin,
                                   .abi_minor = KANAL_ABI_MINOR,
                                   .id = "outside" };
    struct kanal_buffer text = { 0 };
    struct kanal_json json;
    yyjson_doc *doc = kanal_json_parse(KANAL_LIT("{\"a\":1}"));
    kanal_json_init(&json, &text);
    kanal_json_value(&json, yyjson_doc_get_root(doc));
    yyjson_doc_free(doc);
    kanal_buffer_release(&text);
    return &plugin;
}
