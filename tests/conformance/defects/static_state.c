/* One channel's state is every channel's. */
#include "kanal/plugin.h"
static kanal_channel *the_channel;
static kanal_channel *owner(kanal_channel *channel)
{
    if (!the_channel)
        the_channel = channel;
    return the_channel;
}
#define TINY_IN_HTTP(channel, op, request) (channel) = owner(channel)
#define TINY_IN_DESTROY(channel) the_channel = NULL
#include "tiny.h"
