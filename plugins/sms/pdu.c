#include "pdu.h"

/* ---- The facts ---- */

enum kind { BYTE, TEXT, SHORT_MESSAGE };

/* A mandatory field: where it stands in struct sms_message, and how many bytes a text may have without its NUL. */
struct field {
    enum kind kind;
    uint16_t offset, max;
};
#define AT(member) offsetof(struct sms_message, member)

/* Reading allows longer addresses than 20 characters: there are providers who send them. */
static const struct field message_fields[] = {
    { TEXT, AT(service_type), 5 },
    { BYTE, AT(source_ton), 0 },
    { BYTE, AT(source_npi), 0 },
    { TEXT, AT(source), SMS_ADDRESS_BYTES_MAX },
    { BYTE, AT(destination_ton), 0 },
    { BYTE, AT(destination_npi), 0 },
    { TEXT, AT(destination), SMS_ADDRESS_BYTES_MAX },
    { BYTE, AT(esm_class), 0 },
    { BYTE, AT(protocol_id), 0 },
    { BYTE, AT(priority), 0 },
    { TEXT, AT(schedule), 16 },
    { TEXT, AT(validity), 16 },
    { BYTE, AT(registered_delivery), 0 },
    { BYTE, AT(replace), 0 },
    { BYTE, AT(data_coding), 0 },
    { BYTE, AT(default_id), 0 },
    { SHORT_MESSAGE, AT(text), SMS_TEXT_BYTES_MAX },
};

static const struct field data_fields[] = {
    { TEXT, AT(service_type), 5 },
    { BYTE, AT(source_ton), 0 },
    { BYTE, AT(source_npi), 0 },
    { TEXT, AT(source), SMS_ADDRESS_BYTES_MAX },
    { BYTE, AT(destination_ton), 0 },
    { BYTE, AT(destination_npi), 0 },
    { TEXT, AT(destination), SMS_ADDRESS_BYTES_MAX },
    { BYTE, AT(esm_class), 0 },
    { BYTE, AT(registered_delivery), 0 },
    { BYTE, AT(data_coding), 0 },
};

enum tag {
    RECEIPTED_MESSAGE_ID = 0x001e,
    SAR_REFERENCE = 0x020c,
    SAR_TOTAL = 0x020e,
    SAR_SEQUENCE = 0x020f,
    NETWORK_ERROR = 0x0423,
    MESSAGE_PAYLOAD = 0x0424,
    MESSAGE_STATE = 0x0427
};

static const struct field *fields_of(uint32_t command, size_t *ret_count)
{
    int is_data = command == SMS_DATA_SM;
    *ret_count =
        is_data ? sizeof data_fields / sizeof *data_fields : sizeof message_fields / sizeof *message_fields;
    return is_data ? data_fields : message_fields;
}

/* ---- Numbers ---- */

static uint32_t number_at(const char *bytes, size_t width)
{
    uint32_t number = 0;
    for (size_t i = 0; i < width; i++)
        number = number << 8 | (unsigned char)bytes[i];
    return number;
}

static void put_number(char *bytes, size_t width, uint32_t number)
{
    for (size_t i = width; i-- > 0; number >>= 8)
        bytes[i] = (char)(number & 0xff);
}

static void append_number(struct kanal_buffer *out, size_t width, uint32_t number)
{
    char bytes[4];
    put_number(bytes, width, number);
    kanal_buffer_append(out, bytes, width);
}

/* ---- Reading ---- */

int sms_header_read(struct sms_header *header, kanal_str bytes)
{
    if (bytes.len < 4)
        return 0;
    header->length = number_at(bytes.ptr, 4);
    if (header->length < SMS_PDU_HEADER_BYTES || header->length > SMS_PDU_BYTES_MAX)
        return KANAL_E_INVALID;
    if (bytes.len < SMS_PDU_HEADER_BYTES)
        return 0;
    header->command = number_at(bytes.ptr + 4, 4);
    header->status = number_at(bytes.ptr + 8, 4);
    header->sequence = number_at(bytes.ptr + 12, 4);
    return bytes.len >= header->length;
}

static int read_byte(kanal_str *rest, uint8_t *ret_byte)
{
    if (rest->len < 1)
        return -1;
    *ret_byte = (uint8_t)rest->ptr[0];
    *rest = kanal_str_from(*rest, 1);
    return 0;
}

/* Up to its NUL, which is not part of it. */
static int read_text(kanal_str *rest, size_t max, kanal_str *ret_text)
{
    const char *end = rest->len > 0 ? (const char *)memchr(rest->ptr, 0, rest->len) : NULL;
    if (!end || (size_t)(end - rest->ptr) > max)
        return -1;
    *ret_text = kanal_str_of(rest->ptr, (size_t)(end - rest->ptr));
    *rest = kanal_str_from(*rest, ret_text->len + 1);
    return 0;
}

static int read_counted(kanal_str *rest, kanal_str *ret_bytes)
{
    uint8_t len;
    if (read_byte(rest, &len) != 0 || rest->len < len)
        return -1;
    *ret_bytes = kanal_str_of(rest->ptr, len);
    *rest = kanal_str_from(*rest, len);
    return 0;
}

static int read_field(struct sms_message *message, const struct field *field, kanal_str *rest)
{
    void *member = (char *)message + field->offset;
    switch (field->kind) {
    case BYTE:
        return read_byte(rest, (uint8_t *)member);
    case TEXT:
        return read_text(rest, field->max, (kanal_str *)member);
    default:
        return read_counted(rest, (kanal_str *)member);
    }
}

/* An optional parameter; unknown ones, and known ones of a wrong length, say nothing. */
static void take_parameter(struct sms_message *message, uint32_t tag, kanal_str value)
{
    uint32_t number = value.len >= 1 && value.len <= 2 ? number_at(value.ptr, value.len) : 0;
    switch (tag) {
    case MESSAGE_PAYLOAD:
        message->has_payload = 1;
        message->text = value;
        break;
    case RECEIPTED_MESSAGE_ID: /* a text with its NUL, which some leave out */
        while (value.len > 0 && value.ptr[value.len - 1] == 0)
            value.len--;
        if (value.len > 0 && value.len <= SMS_ID_BYTES_MAX && !memchr(value.ptr, 0, value.len))
            message->receipted = value;
        break;
    case NETWORK_ERROR:
        if (value.len == 3)
            message->network_error = value;
        break;
    case MESSAGE_STATE:
        message->has_state = value.len == 1;
        message->state = (uint8_t)number;
        break;
    case SAR_REFERENCE:
        message->has_sar_reference = value.len == 2;
        message->sar_reference = (uint16_t)number;
        break;
    case SAR_TOTAL:
        message->has_sar_total = value.len == 1;
        message->sar_total = (uint8_t)number;
        break;
    case SAR_SEQUENCE:
        message->has_sar_sequence = value.len == 1;
        message->sar_sequence = (uint8_t)number;
        break;
    default:
        break;
    }
}

uint32_t sms_message_read(struct sms_message *message, uint32_t command, kanal_str body)
{
    size_t count;
    const struct field *fields = fields_of(command, &count);
    memset(message, 0, sizeof *message);
    for (size_t i = 0; i < count; i++) {
        if (read_field(message, &fields[i], &body) != 0)
            return SMS_INVALID_LENGTH;
    }
    while (body.len > 0) {
        uint32_t len = body.len >= 4 ? number_at(body.ptr + 2, 2) : 0;
        if (body.len < 4 || body.len - 4 < len)
            return SMS_BROKEN_PARAMETERS;
        take_parameter(message, number_at(body.ptr, 2), kanal_str_of(body.ptr + 4, len));
        body = kanal_str_from(body, 4 + (size_t)len);
    }
    return SMS_OK;
}

kanal_str sms_response_text(kanal_str body, size_t max)
{
    const char *end = body.len > 0 ? (const char *)memchr(body.ptr, 0, body.len) : NULL;
    size_t len =
        end ? (size_t)(end - body.ptr) : body.len; /* some forget the NUL: the message is sent all the same */
    return len <= max ? kanal_str_of(body.ptr, len) : kanal_str_of(NULL, 0);
}

/* ---- Writing ---- */

static size_t begin(struct kanal_buffer *out, uint32_t command, uint32_t status, uint32_t sequence)
{
    size_t start = out->len;
    append_number(out, 4, 0);
    append_number(out, 4, command);
    append_number(out, 4, status);
    append_number(out, 4, sequence);
    return start;
}

static void end(struct kanal_buffer *out, size_t start)
{
    if (!out->failed)
        put_number(out->data + start, 4, (uint32_t)(out->len - start));
}

static void append_text(struct kanal_buffer *out, kanal_str text)
{
    kanal_buffer_str(out, text);
    kanal_buffer_byte(out, 0);
}

/* 0, or -1: too long. */
static int write_field(struct kanal_buffer *out, const struct sms_message *message, const struct field *field)
{
    const void *member = (const char *)message + field->offset;
    const kanal_str *text = (const kanal_str *)member;
    if (field->kind == BYTE) {
        kanal_buffer_byte(out, (char)*(const uint8_t *)member);
        return 0;
    }
    if (field->kind == TEXT) {
        append_text(out, *text);
        return text->len <= field->max && (text->len == 0 || !memchr(text->ptr, 0, text->len)) ? 0 : -1;
    }
    size_t len = message->has_payload ? 0 : text->len;
    kanal_buffer_byte(out, (char)len);
    kanal_buffer_append(out, text->ptr, len);
    return len <= field->max ? 0 : -1;
}

static void write_parameter(struct kanal_buffer *out, uint32_t tag, kanal_str value)
{
    append_number(out, 2, tag);
    append_number(out, 2, (uint32_t)value.len);
    kanal_buffer_str(out, value);
}

static void write_number(struct kanal_buffer *out, int is_there, uint32_t tag, size_t width, uint32_t number)
{
    char bytes[4];
    put_number(bytes, width, number);
    if (is_there)
        write_parameter(out, tag, kanal_str_of(bytes, width));
}

static void write_parameters(struct kanal_buffer *out, const struct sms_message *message)
{
    if (message->receipted.len > 0) {
        append_number(out, 2, RECEIPTED_MESSAGE_ID);
        append_number(out, 2, (uint32_t)message->receipted.len + 1);
        append_text(out, message->receipted);
    }
    write_number(out, message->has_state, MESSAGE_STATE, 1, message->state);
    if (message->network_error.len == 3)
        write_parameter(out, NETWORK_ERROR, message->network_error);
    write_number(out, message->has_sar_reference, SAR_REFERENCE, 2, message->sar_reference);
    write_number(out, message->has_sar_total, SAR_TOTAL, 1, message->sar_total);
    write_number(out, message->has_sar_sequence, SAR_SEQUENCE, 1, message->sar_sequence);
    if (message->has_payload)
        write_parameter(out, MESSAGE_PAYLOAD, message->text);
}

kanal_status sms_message_write(struct kanal_buffer *out, uint32_t command, uint32_t sequence,
                               const struct sms_message *message)
{
    size_t count, start = begin(out, command, SMS_OK, sequence);
    const struct field *fields = fields_of(command, &count);
    int bad = message->text.len > 65535 || message->receipted.len > SMS_ID_BYTES_MAX;
    for (size_t i = 0; i < count; i++)
        bad |= write_field(out, message, &fields[i]) != 0;
    write_parameters(out, message);
    end(out, start);
    if (!bad)
        return KANAL_OK;
    out->len = start < out->len ? start : out->len;
    return KANAL_E_INVALID;
}

void sms_bind_write(struct kanal_buffer *out, uint32_t sequence, const struct sms_bind *bind,
                    uint32_t *ret_password)
{
    size_t start = begin(out, SMS_BIND_TRANSCEIVER, SMS_OK, sequence);
    append_text(out, bind->system_id);
    *ret_password = (uint32_t)(out->len - start);
    append_text(out, KANAL_LIT(""));
    append_text(out, bind->system_type);
    kanal_buffer_append(out, "\x34\0\0", 3); /* version 3.4; address_range: type and plan unknown */
    append_text(out, bind->address_range);
    end(out, start);
}

void sms_plain_write(struct kanal_buffer *out, uint32_t command, uint32_t status, uint32_t sequence,
                     int with_text)
{
    size_t start = begin(out, command, status, sequence);
    if (with_text)
        kanal_buffer_byte(out, 0);
    end(out, start);
}
