/* Any bytes as an event, and as JSON: one line, no control characters, valid UTF-8. The first byte says colours or not. */
#include "cli/line.h"
#include "cli/terminal.h"
#include "kanal/sdk/json.h"
#include "kanal/sdk/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(kanal_str line)
{
    if (!kanal_str_utf8(line))
        __builtin_trap();
    for (size_t i = 0; i < line.len; i++) {
        unsigned char c = (unsigned char)line.ptr[i];

        if (c < 0x20 || c == 0x7f || (c == 0xc2 && i + 1 < line.len && (unsigned char)line.ptr[i + 1] < 0xa0))
            __builtin_trap();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kanal_buffer out = { 0 }, again = { 0 };
    struct line_style style = { .now_ms = INT64_C(1795294800000) };
    kanal_str text = kanal_str_of((const char *)data, size);

    line_write(&out, KANAL_LIT("kanal.events.x"), text, &style);
    check(kanal_buffer_view(&out));
    style.colours = 1;
    line_write(&again, KANAL_LIT("kanal.events.x"), text, &style);
    kanal_buffer_clear(&out);
    kanal_buffer_clear(&again);
    if (terminal_json(&out, text) == 0) {
        check(kanal_buffer_view(&out));
        /* The same value, so a second time nothing changes. */
        if (terminal_json(&again, kanal_buffer_view(&out)) != 0 ||
            !kanal_str_equal(kanal_buffer_view(&out), kanal_buffer_view(&again)))
            __builtin_trap();
    }
    kanal_buffer_release(&out);
    kanal_buffer_release(&again);
    return 0;
}
