/* broker/kv_entry.h - what the watch and the rest of the buckets share. Private to core/broker. */
#ifndef KANAL_BROKER_KV_ENTRY_H
#define KANAL_BROKER_KV_ENTRY_H
#include "kv.h"

int kv_key_valid(kanal_str key);
/* Of a KV-Operation header: the message is a delete marker. */
int kv_is_removed(kanal_str operation);

#endif
