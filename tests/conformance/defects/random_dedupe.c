/* The dedupe key is made by chance: a repeated webhook is another event. */
#include "kanal/sdk/sdk.h"
static kanal_str by_chance(const kanal_host *host, char key[16])
{
    host->random(host, key, 16);
    for (int i = 0; i < 16; i++)
        key[i] = (char)('a' + (unsigned char)key[i] % 26);
    return kanal_str_of(key, 16);
}
#define TINY_MEMBERS char key[16];
#define TINY_DEDUPE(channel, id) by_chance((channel)->host, (channel)->key)
#include "tiny.h"
