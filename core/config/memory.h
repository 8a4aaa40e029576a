/* config/memory.h - an allocator for yyjson that overwrites what it frees: configuration holds secrets. [any thread] */
#ifndef KANAL_CONFIG_MEMORY_H
#define KANAL_CONFIG_MEMORY_H
#include <yyjson.h>

extern const yyjson_alc config_wiping_allocator;

/* Overwrites and frees bytes of malloc(); NULL is fine. */
void config_wipe_free(void *block, size_t bytes);

#endif
