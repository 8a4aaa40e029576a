/* A pattern, a NUL, a text: compiling and matching end, within bounds, and a match does not depend on where the text lies. */
#include <stdlib.h>
#include "json/regex.h"
#include "kanal/sdk/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = size > 0 ? memchr(data, 0, size) : NULL;
    size_t pattern_len = end ? (size_t)(end - data) : size;
    kanal_str text = { (const char *)data + pattern_len, size - pattern_len };
    const char *reason = NULL;
    struct json_regex *regex = NULL;
    char *copy;

    if (json_regex_new(&regex, kanal_str_of((const char *)data, pattern_len), &reason) != 0)
        return 0;
    copy = malloc(text.len + 1); /* exactly as large as it is, for the sanitizer */
    if (text.len > 0)
        memcpy(copy, text.ptr, text.len);
    if (json_regex_match(regex, text) != json_regex_match(regex, kanal_str_of(copy, text.len)))
        __builtin_trap();
    free(copy);
    json_regex_free(regex);
    return 0;
}
