#include "text.h"

#define PAYLOAD_BYTES_MAX 65535u

/* ---- Alphabets in ---- */

enum alphabet { DEFAULT, ASCII, LATIN1, CYRILLIC, UCS2, NONE };

/* data_coding is SMPP's own list below 16, and GSM's groups (TS 23.038, 4) above. */
static enum alphabet alphabet_of(uint8_t coding)
{
    static const enum alphabet gsm[] = { DEFAULT, NONE, UCS2, NONE };
    switch (coding) {
    case 0x00:
        return DEFAULT;
    case 0x01:
        return ASCII;
    case 0x03:
        return LATIN1;
    case 0x06:
        return CYRILLIC;
    case 0x08:
        return UCS2;
    default:
        break;
    }
    if (coding < 0x10)
        return NONE;
    if (coding < 0x80 && !(coding & 0x20)) /* bit 5: compressed */
        return gsm[coding >> 2 & 3];
    if (coding >= 0xc0 && coding < 0xe0)
        return DEFAULT; /* message waiting */
    if (coding >= 0xe0 && coding < 0xf0)
        return UCS2;
    return coding >= 0xf0 && !(coding & 4) ? DEFAULT : NONE;
}

/* ISO 8859-5: what is not below U+00AE stands 0x360 higher, but for three. */
static uint32_t cyrillic(unsigned char byte)
{
    if (byte <= 0xa0 || byte == 0xad)
        return byte;
    return byte == 0xf0 ? 0x2116 : byte == 0xfd ? 0xa7 : byte + 0x360u;
}

static void decode_bytes(struct kanal_buffer *out, enum alphabet alphabet, kanal_str bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        unsigned char byte = (unsigned char)bytes.ptr[i];
        kanal_utf8_append(out, alphabet == CYRILLIC                ? cyrillic(byte)
                               : alphabet == ASCII && byte >= 0x80 ? 0xfffd
                                                                   : byte);
    }
}

int sms_text_decode(struct kanal_buffer *out, uint8_t data_coding, enum sms_default_alphabet standard,
                    kanal_str bytes)
{
    enum alphabet alphabet = alphabet_of(data_coding);
    if (alphabet == NONE)
        return 0;
    if (alphabet == UCS2)
        kanal_ucs2_decode(out, bytes);
    else if (alphabet == DEFAULT && standard == SMS_DEFAULT_GSM7)
        kanal_gsm7_decode(out, bytes);
    else
        decode_bytes(out, alphabet, bytes);
    return 1;
}

/* ---- Segments in ---- */

static uint32_t big_endian(const char *bytes, size_t width)
{
    uint32_t number = 0;
    for (size_t i = 0; i < width; i++)
        number = number << 8 | (unsigned char)bytes[i];
    return number;
}

static void set_part(struct sms_part *part, uint32_t reference, uint32_t total, uint32_t sequence)
{
    if (sequence < 1 || sequence > total)
        return; /* "shall be ignored" (9.2.3.24.1) */
    part->reference = reference;
    part->total = (uint8_t)total;
    part->sequence = (uint8_t)sequence;
}

static void read_element(struct sms_part *part, unsigned char id, kanal_str data)
{
    if (id == 0x00 && data.len == 3)
        set_part(part, big_endian(data.ptr, 1), (unsigned char)data.ptr[1], (unsigned char)data.ptr[2]);
    else if (id == 0x08 && data.len == 4)
        set_part(part, 0x10000u | big_endian(data.ptr, 2), (unsigned char)data.ptr[2],
                 (unsigned char)data.ptr[3]);
    else if ((id == 0x04 && data.len == 2) || (id == 0x05 && data.len == 4)) {
        part->has_port = 1;
        part->port = (uint16_t)big_endian(data.ptr, data.len / 2);
    }
}

static void read_header(struct sms_part *part, kanal_str text)
{
    size_t len = text.len > 0 ? (unsigned char)text.ptr[0] : 0;
    if (text.len == 0 || len > text.len - 1)
        return; /* no header after all: the bytes are shown as they are */
    kanal_str header = kanal_str_of(text.ptr + 1, len);
    part->bytes = kanal_str_from(text, len + 1);
    while (header.len >= 2) {
        size_t size = (unsigned char)header.ptr[1];
        if (size > header.len - 2)
            break;
        read_element(part, (unsigned char)header.ptr[0], kanal_str_of(header.ptr + 2, size));
        header = kanal_str_from(header, 2 + size);
    }
}

void sms_part_read(struct sms_part *part, const struct sms_message *message)
{
    memset(part, 0, sizeof *part);
    part->total = part->sequence = 1;
    part->bytes = message->text;
    if (message->esm_class & SMS_CLASS_UDH)
        read_header(part, message->text);
    if (part->total == 1 && message->has_sar_reference && message->has_sar_total && message->has_sar_sequence)
        set_part(part, 0x20000u | message->sar_reference, message->sar_total, message->sar_sequence);
}

/* ---- Out ---- */

static int encode_latin1(struct kanal_buffer *out, kanal_str text)
{
    size_t before = out->len, len;
    for (size_t i = 0; i < text.len; i += len) {
        uint32_t c = kanal_utf8_first(kanal_str_from(text, i), &len);
        if (c > 0xff) {
            out->len = before;
            return -1;
        }
        kanal_buffer_byte(out, (char)c);
    }
    return 0;
}

/* Bytes of one segment: Latin-1 has 140, as an alphabet of its own would. */
static size_t room_of(const struct sms_text *text, uint32_t udh_bytes)
{
    return text->data_coding == 8 || text->alphabet == KANAL_SMS_GSM7
               ? kanal_sms_room(text->alphabet, udh_bytes)
               : KANAL_SMS_OCTETS - udh_bytes;
}

static size_t cut(const struct sms_text *text, kanal_str rest, size_t room)
{
    if (text->data_coding == 8 || text->alphabet == KANAL_SMS_GSM7)
        return kanal_sms_cut(text->alphabet, rest, room);
    return rest.len < room ? rest.len : room;
}

static void encode(struct sms_text *text, kanal_str words, enum sms_default_alphabet standard, int latin1)
{
    text->alphabet = KANAL_SMS_GSM7;
    text->data_coding = 0;
    if (standard == SMS_DEFAULT_GSM7 && kanal_gsm7_encode(&text->bytes, words) == KANAL_OK)
        return;
    text->alphabet = KANAL_SMS_UCS2;
    text->data_coding = standard == SMS_DEFAULT_LATIN1 ? 0 : 3;
    if ((latin1 || standard == SMS_DEFAULT_LATIN1) && encode_latin1(&text->bytes, words) == 0)
        return;
    text->data_coding = 8;
    kanal_ucs2_encode(&text->bytes, words);
}

static uint32_t join_bytes(enum sms_join join)
{
    /* With sar_ the provider writes the header, and may take the longer one. */
    return join == SMS_JOIN_UDH8 ? KANAL_SMS_UDH_8 : KANAL_SMS_UDH_16;
}

kanal_status sms_text_encode(struct sms_text *text, kanal_str words, enum sms_default_alphabet standard,
                             int latin1, enum sms_join join)
{
    memset(text, 0, sizeof *text);
    encode(text, words, standard, latin1);
    if (text->bytes.failed)
        return KANAL_E_INTERNAL;
    kanal_str rest = kanal_buffer_view(&text->bytes);
    size_t room = room_of(text, 0);
    if (rest.len > room)
        room = join == SMS_JOIN_PAYLOAD ? PAYLOAD_BYTES_MAX : room_of(text, join_bytes(join));
    if (join == SMS_JOIN_PAYLOAD && rest.len > PAYLOAD_BYTES_MAX)
        return KANAL_E_TOO_LARGE;
    do {
        if (text->count == SMS_SEGMENTS_MAX)
            return KANAL_E_TOO_LARGE;
        size_t n = cut(text, rest, room);
        text->starts[text->count + 1] = text->starts[text->count] + (uint32_t)n;
        text->count++;
        rest = kanal_str_from(rest, n);
    } while (rest.len > 0);
    return KANAL_OK;
}

void sms_text_release(struct sms_text *text)
{
    kanal_buffer_release(&text->bytes);
    text->count = 0;
}

static size_t write_header(char *out, enum sms_join join, uint16_t reference, uint32_t total,
                           uint32_t sequence)
{
    int is_long = join == SMS_JOIN_UDH16;
    size_t n = 0;
    out[n++] = (char)(is_long ? 6 : 5);
    out[n++] = (char)(is_long ? 8 : 0);
    out[n++] = (char)(is_long ? 4 : 3);
    if (is_long)
        out[n++] = (char)(reference >> 8);
    out[n++] = (char)(reference & 0xff);
    out[n++] = (char)total;
    out[n++] = (char)sequence;
    return n;
}

void sms_text_segment(const struct sms_text *text, uint32_t index, enum sms_join join, uint16_t reference,
                      struct sms_message *message, char scratch[SMS_TEXT_BYTES_MAX])
{
    uint32_t start = text->starts[index], len = text->starts[index + 1] - start;
    message->data_coding = text->data_coding;
    message->text = kanal_str_of(text->bytes.data + start, len);
    message->has_payload = len > room_of(text, 0); /* only where a payload takes all */
    if (text->count == 1)
        return;
    if (join == SMS_JOIN_SAR) {
        message->has_sar_reference = message->has_sar_total = message->has_sar_sequence = 1;
        message->sar_reference = reference;
        message->sar_total = (uint8_t)text->count;
        message->sar_sequence = (uint8_t)(index + 1);
        return;
    }
    size_t n = write_header(scratch, join, reference, text->count, index + 1);
    memcpy(scratch + n, message->text.ptr, len); /* at most 160 in all */
    message->text = kanal_str_of(scratch, n + len);
    message->esm_class |= SMS_CLASS_UDH;
}
