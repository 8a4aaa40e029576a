/* The headers of an upgrade. Input: "name: value" lines. */
#include <stdlib.h>
#include <string.h>
#include "http/websocket_handshake.h"
#include "kanal/sdk/str.h"

#define HEADERS 12

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t split(kanal_str rest, kanal_field *fields)
{
    size_t count = 0;

    while (rest.len > 0 && count < HEADERS) {
        const char *end = memchr(rest.ptr, '\n', rest.len);
        kanal_str line = end ? kanal_str_of(rest.ptr, (size_t)(end - rest.ptr)) : rest;
        const char *colon = line.len > 0 ? memchr(line.ptr, ':', line.len) : NULL;

        rest = end ? kanal_str_from(rest, line.len + 1) : kanal_str_of(NULL, 0);
        if (!colon)
            continue;
        fields[count].name = kanal_str_of(line.ptr, (size_t)(colon - line.ptr));
        fields[count].value = kanal_str_from(line, fields[count].name.len + 1);
        count++;
    }
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = malloc(size + 1), accept[WEBSOCKET_ACCEPT_SIZE];
    kanal_field fields[HEADERS];
    kanal_str key = { 0 };
    size_t count;

    if (!copy)
        return 0;
    memcpy(copy, data, size);
    count = split(kanal_str_of(copy, size), fields);
    if (websocket_check(KANAL_LIT("GET"), 1, fields, count, &key) == WEBSOCKET_GOOD) {
        websocket_accept(key, accept);
        if (strlen(accept) != WEBSOCKET_ACCEPT_SIZE - 1)
            abort();
    }
    free(copy);
    return 0;
}
