/* The target of a request line, as anybody may send it. What is accepted must keep what the header promises. */
#include <stdlib.h>
#include <string.h>
#include "http/server_target.h"
#include "kanal/sdk/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int condition)
{
    if (!condition)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *target = malloc(size + 1), *scratch = malloc(size + 1);
    kanal_str path, query;

    if (target && scratch) {
        memcpy(target, data, size);
        if (http_target_split(kanal_str_of(target, size), scratch, &path, &query) == 0) {
            must(path.len > 0 && path.ptr[0] == '/' && path.len + query.len <= size);
            must(kanal_str_utf8(path) && !memchr(path.ptr, '\0', path.len));
            must(!memmem(path.ptr, path.len, "//", 2) && !memmem(path.ptr, path.len, "/../", 4));
            must(path.len < 3 || memcmp(path.ptr + path.len - 3, "/..", 3) != 0);
        }
    }
    free(target);
    free(scratch);
    return 0;
}
