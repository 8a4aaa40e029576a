/* A delivery takes a second and more, on any machine. */
#include <time.h>

#include "kanal/sdk/sdk.h"
static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}
static void work(void)
{
    for (double end = seconds() + 1.2; seconds() < end;)
        ;
}
#define TINY_IN_DELIVER(channel, op, delivery) work()
#include "tiny.h"
