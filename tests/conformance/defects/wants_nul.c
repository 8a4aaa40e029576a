/* It takes a kanal_str for a C string. */
#include <string.h>
#define TINY_MEMBERS size_t len;
#define TINY_IN_HTTP(channel, op, request) (channel)->len = strlen((request)->path.ptr)
#include "tiny.h"
