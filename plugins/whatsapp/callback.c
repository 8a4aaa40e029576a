#include "callback.h"

#include <stdio.h>

#define PREFIX "kanal:"
#define PARTS_MAX 10000
#define COMMAND_ID_MAX 256

void wa_callback_write(struct kanal_buffer *out, uint32_t part, uint32_t parts, kanal_str command_id)
{
    char head[48];
    int n = snprintf(head, sizeof head, PREFIX "%u/%u:", part, parts);
    if (n <= 0 || (size_t)n >= sizeof head || command_id.len == 0 ||
        command_id.len + (size_t)n > WA_CALLBACK_MAX)
        return;
    kanal_buffer_append(out, head, (size_t)n);
    kanal_buffer_str(out, command_id);
}

/* The digits before a separator, which is passed over. */
static int read_number(kanal_str *rest, char separator, int64_t *ret_number)
{
    size_t n = 0;
    while (n < rest->len && rest->ptr[n] >= '0' && rest->ptr[n] <= '9')
        n++;
    if (n == 0 || n == rest->len || rest->ptr[n] != separator ||
        kanal_str_int(kanal_str_of(rest->ptr, n), ret_number) != 0)
        return 0;
    *rest = kanal_str_from(*rest, n + 1);
    return *ret_number >= 1 && *ret_number <= PARTS_MAX;
}

void wa_callback_read(struct wa_callback *callback, kanal_str data)
{
    int64_t part, parts;
    memset(callback, 0, sizeof *callback);
    if (!kanal_str_starts(data, PREFIX))
        return;
    data = kanal_str_from(data, strlen(PREFIX));
    if (!read_number(&data, '/', &part) || !read_number(&data, ':', &parts) || part > parts ||
        data.len == 0 || data.len > COMMAND_ID_MAX || !kanal_str_utf8(data))
        return;
    callback->part = part;
    callback->parts = parts;
    callback->command_id = data;
}

void wa_status_suffix(char *out, size_t size, kanal_str status, kanal_str participant)
{
    int has_participant = participant.len > 0 && participant.len <= 160;
    snprintf(out, size, "%.*s%s%.*s", (int)(status.len < 32 ? status.len : 32), status.ptr,
             has_participant ? ":" : "", has_participant ? (int)participant.len : 0,
             has_participant ? participant.ptr : "");
}
