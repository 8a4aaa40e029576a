/* X-Forwarded-For as anybody may write it, and the ranges of a configuration. Input: a range, a newline, header values, one a
 * line. */
#include <stdlib.h>
#include <string.h>
#include "http/server_address.h"
#include "kanal/sdk/str.h"

#define HEADERS 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static kanal_str next_line(kanal_str *rest)
{
    const char *end = rest->len > 0 ? memchr(rest->ptr, '\n', rest->len) : NULL;
    kanal_str line = end ? kanal_str_of(rest->ptr, (size_t)(end - rest->ptr)) : *rest;

    *rest = end ? kanal_str_from(*rest, line.len + 1) : kanal_str_of(NULL, 0);
    return line;
}

/* What was read can be written, and read again. */
static void round_trip(const struct http_address *a)
{
    char text[HTTP_ADDRESS_TEXT];
    struct http_address again;

    if (http_address_format(a, text) == 0 || http_address_parse(kanal_str_c(text), &again) != 0 ||
        memcmp(a, &again, sizeof again) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = malloc(size + 1);
    kanal_field headers[HEADERS];
    struct http_address peer, client;
    struct http_cidr range;
    size_t count = 0;
    kanal_str rest;

    if (!copy)
        return 0;
    memcpy(copy, data, size);
    rest = kanal_str_of(copy, size);
    if (http_cidr_parse(next_line(&rest), &range) != 0)
        http_cidr_parse(KANAL_LIT("10.0.0.0/8"), &range);
    http_address_parse(KANAL_LIT("10.0.0.1"), &peer);
    while (count < HEADERS && rest.len > 0)
        headers[count++] = (kanal_field){ KANAL_LIT("x-forwarded-for"), next_line(&rest) };
    http_forwarded_client(&range, 1, headers, count, &peer, &client);
    round_trip(&client);
    if (count > 0 && http_address_parse(headers[0].value, &client) == 0)
        round_trip(&client);
    free(copy);
    return 0;
}
