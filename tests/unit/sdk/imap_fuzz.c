/* The tokens are the same however the bytes are cut, and never larger than they may be. The first byte says where they are cut. */
#include <stdlib.h>

#include "kanal/sdk/imap.h"
#include "kanal/sdk/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t run(kanal_str bytes, size_t step)
{
    struct kanal_imap parser = { 0 };
    struct kanal_imap_token token;
    uint64_t hash = 14695981039346656037u, number;
    for (size_t at = 0; at < bytes.len; at += step) {
        kanal_imap_feed(&parser, kanal_str_of(bytes.ptr + at, at + step < bytes.len ? step : bytes.len - at));
        while (kanal_imap_next(&parser, &token) != KANAL_IMAP_MORE) {
            if (token.kind != KANAL_IMAP_PIECE) /* a literal's pieces are cut as it comes */
                hash = (hash ^ (uint64_t)token.kind) * 1099511628211u;
            if (token.text.len > KANAL_IMAP_TOKEN_MAX && token.kind != KANAL_IMAP_PIECE)
                abort();
            for (size_t i = 0; i < token.text.len; i++)
                hash = (hash ^ (unsigned char)token.text.ptr[i]) * 1099511628211u;
            if (token.kind == KANAL_IMAP_LITERAL)
                hash = (hash ^ token.size) * 1099511628211u;
            kanal_imap_code(token.text, "UIDVALIDITY", &number);
            if (token.kind == KANAL_IMAP_BROKEN)
                goto out;
        }
    }
out:
    kanal_imap_release(&parser);
    return hash;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    kanal_str bytes = kanal_str_of((const char *)data + 1, size - 1);
    if (run(bytes, bytes.len) != run(bytes, (size_t)data[0] % 16 + 1))
        abort();
    return 0;
}
