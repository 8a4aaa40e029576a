/* What either side reads of the other. -DSIDE: who is said to have sent it. What can be decoded is encoded again, and must then be what it
 * was: an encoder and a decoder that disagree would show here. */
#include <stdint.h>
#include <stdlib.h>

#include "host/worker/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_again(const struct wire_frame *frame, const void *value, struct wire_scratch *scratch)
{
    struct kanal_buffer out = { 0 }, again = { 0 };
    struct wire_frame second;
    size_t bytes;
    union {
        struct wire_http http;
        char room[512];
    } copy;
    int status = wire_put(&out, frame->type, frame->channel, value);
    if (status == 0) {
        if (wire_next(kanal_buffer_view(&out), SIDE, &second, &bytes) != 1 || bytes != out.len ||
            wire_get(&second, scratch, &copy) != 0 ||
            wire_put(&again, frame->type, frame->channel, &copy) != 0 || again.len != out.len ||
            memcmp(again.data, out.data, out.len) != 0)
            abort();
    }
    kanal_buffer_release(&out);
    kanal_buffer_release(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    kanal_str bytes = { (const char *)data, size };
    struct wire_scratch scratch = { 0 }, second = { 0 };
    struct wire_frame frame;
    size_t used;
    union {
        struct wire_http http;
        char room[512];
    } value;
    while (wire_next(bytes, SIDE, &frame, &used) == 1) {
        wire_scratch_clear(&scratch);
        wire_scratch_clear(&second);
        bytes.ptr += used;
        bytes.len -= used;
        if (frame.is_aside) { /* in the area stands whatever follows here */
            frame.body.ptr = bytes.ptr;
            frame.body.len = bytes.len < frame.body.len ? bytes.len : frame.body.len;
        }
        if (wire_get(&frame, &scratch, &value) == 0)
            check_again(&frame, &value, &second);
    }
    wire_scratch_release(&scratch);
    wire_scratch_release(&second);
    return 0;
}
