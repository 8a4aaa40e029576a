#include "signature.h"
#include "mapping.h"

/* Letters and digits, and what ids are made of: it becomes a dedupe key. */
static int is_id(kanal_str id)
{
    for (size_t i = 0; i < id.len; i++) {
        if (id.ptr[i] <= ' ' || id.ptr[i] > '~')
            return 0;
    }
    return id.len >= 1 && id.len <= WEBHOOK_ID_MAX;
}

/* "v1,BASE64", separated by spaces; other versions (v1a is asymmetric) are passed over, and so is what is no MAC. */
static void read_macs(struct signature *signature, kanal_str header)
{
    size_t at = 0;
    while (at < header.len && signature->count < SIGNATURES_MAX) {
        struct kanal_buffer mac = { 0 };
        size_t end = at;
        while (end < header.len && header.ptr[end] != ' ')
            end++;
        kanal_str one = kanal_str_of(header.ptr + at, end - at);
        if (kanal_str_starts(one, "v1,") &&
            kanal_base64_decode(&mac, kanal_str_from(one, 3), 0) == KANAL_OK && mac.len == SIGNATURE_BYTES)
            memcpy(signature->macs[signature->count++], mac.data, SIGNATURE_BYTES);
        kanal_buffer_release(&mac);
        at = end + 1;
    }
}

const char *signature_read(struct signature *signature, const kanal_field *headers, size_t header_count)
{
    memset(signature, 0, sizeof *signature);
    signature->id = kanal_field_get(headers, header_count, "webhook-id");
    signature->timestamp = kanal_field_get(headers, header_count, "webhook-timestamp");
    kanal_str macs = kanal_field_get(headers, header_count, "webhook-signature");
    if (signature->id.ptr == NULL || signature->timestamp.ptr == NULL || macs.ptr == NULL)
        return "the headers webhook-id, webhook-timestamp and webhook-signature are required";
    if (!is_id(signature->id))
        return "webhook-id has to be 1 to 120 printable characters";
    if (kanal_str_int(signature->timestamp, &signature->time_s) != 0)
        return "webhook-timestamp has to be seconds since 1970";
    read_macs(signature, macs);
    return signature->count > 0 ? NULL : "webhook-signature has none of the version v1";
}

void signature_begin(struct kanal_buffer *out, kanal_str id, kanal_str timestamp, kanal_str body)
{
    kanal_buffer_str(out, id);
    kanal_buffer_byte(out, '.');
    kanal_buffer_str(out, timestamp);
    kanal_buffer_byte(out, '.');
    kanal_buffer_str(out, body);
}
