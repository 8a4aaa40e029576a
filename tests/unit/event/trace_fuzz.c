/* A traceparent from outside: what is taken is of the one form, and is taken again. */
#include <stdlib.h>
#include <string.h>
#include "event/trace.h"
#include "kanal/sdk/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct trace trace, again;
    if (trace_read(kanal_str_of((const char *)data, size), &trace) != 0)
        return 0;
    if (strlen(trace.text) != 55 || memcmp(trace.text, "00-", 3) != 0 ||
        trace_read(kanal_str_c(trace.text), &again) != 0 || strcmp(trace.text, again.text) != 0)
        abort();
    return 0;
}
