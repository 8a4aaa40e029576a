/* create() asks for more than it may. */
#include "kanal/sdk/sdk.h"
static void nothing(void *user, kanal_status status)
{
    (void)user;
    (void)status;
}
#define TINY_IN_CREATE(channel, config) (channel)->host->timer((channel)->host, 5, nothing, channel)
#include "tiny.h"
