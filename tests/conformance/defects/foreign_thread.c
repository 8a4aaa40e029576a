/* A thread of its own calls what only the lane may. */
#include <pthread.h>
#include "kanal/sdk/sdk.h"
static void *ask_time(void *host)
{
    ((const kanal_host *)host)->now_ms(host);
    return NULL;
}
static void in_a_thread(const kanal_host *host)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, ask_time, (void *)(uintptr_t)host) == 0)
        pthread_join(thread, NULL);
}
#define TINY_IN_DELIVER(channel, op, delivery) in_a_thread((channel)->host)
#include "tiny.h"
