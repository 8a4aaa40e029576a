/* A delivery takes a second and more. */
#include "kanal/sdk/sdk.h"
static void work(const kanal_host *host)
{
    char junk[4096];
    for (int i = 0; i < 100000; i++)
        host->random(host, junk, sizeof junk);
}
#define TINY_IN_DELIVER(channel, op, delivery) work((channel)->host)
#include "tiny.h"
