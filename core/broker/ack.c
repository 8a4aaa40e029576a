#include "pull.h"

#include <string.h>
#include "kanal/sdk/str.h"

#define TOKENS_PLAIN 9u
#define TOKENS_DOMAIN 11u /* and more: ignored */

int js_ack_parse(kanal_str reply, struct js_delivered *ret)
{
    kanal_str tokens[16];
    int64_t numbers[5];
    size_t n = 0, first;
    kanal_str rest = reply;

    if (!kanal_str_starts(reply, "$JS.ACK.") || reply.len >= sizeof ret->token.reply ||
        memchr(reply.ptr, '\0', reply.len))
        return KANAL_E_INVALID;
    while (n < sizeof tokens / sizeof *tokens && rest.len > 0) {
        const char *dot = memchr(rest.ptr, '.', rest.len);

        tokens[n] = kanal_str_of(rest.ptr, dot ? (size_t)(dot - rest.ptr) : rest.len);
        rest = kanal_str_from(rest, tokens[n].len + 1);
        n++;
    }
    if (n != TOKENS_PLAIN && n < TOKENS_DOMAIN)
        return KANAL_E_INVALID;
    first = n == TOKENS_PLAIN ? 4 : 6;
    for (size_t i = 0; i < 5; i++)
        if (kanal_str_int(tokens[first + i], &numbers[i]) != 0 || numbers[i] < 0)
            return KANAL_E_INVALID;
    ret->deliveries = (uint64_t)numbers[0];
    ret->stream_sequence = (uint64_t)numbers[1];
    ret->consumer_sequence = (uint64_t)numbers[2];
    ret->time_ms = numbers[3] / 1000000;
    ret->pending = (uint64_t)numbers[4];
    memcpy(ret->token.reply, reply.ptr, reply.len);
    ret->token.reply[reply.len] = '\0';
    return 0;
}
