#include "receipt.h"

/* ---- Ids ---- */

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : 16;
}

/* 0, or -1: no such number, or over 64 bits. */
static int read_number(kanal_str text, uint64_t base, uint64_t *ret_number)
{
    uint64_t number = 0;
    for (size_t i = 0; i < text.len; i++) {
        uint64_t digit = (uint64_t)digit_of(text.ptr[i]);
        if (digit >= base || number > (UINT64_MAX - digit) / base)
            return -1;
        number = number * base + digit;
    }
    *ret_number = number;
    return text.len > 0 ? 0 : -1;
}

void sms_id_write(char out[SMS_ID_BYTES_MAX + 1], enum sms_ids ids, enum sms_id_source source, kanal_str id)
{
    uint64_t number = 0;
    int is_hex =
        ids == SMS_IDS_HEX || ids == (source == SMS_ID_OF_SUBMIT ? SMS_IDS_SUBMIT_HEX : SMS_IDS_RECEIPT_HEX);
    size_t n = 0;
    if (id.len > SMS_ID_BYTES_MAX)
        id.len = 0;
    if (ids == SMS_IDS_SAME || read_number(id, is_hex ? 16 : 10, &number) != 0) {
        for (; n < id.len; n++) /* the same on both sides; ids are text in events */
            out[n] = (char)(id.ptr[n] >= ' ' && id.ptr[n] <= '~' ? id.ptr[n] : '?');
        out[n] = 0;
        return;
    }
    char digits[20];
    do {
        digits[n++] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    for (size_t i = 0; i < n; i++)
        out[i] = digits[n - 1 - i];
    out[n] = 0;
}

/* ---- Text ---- */

static char lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

/* The value behind a key, up to the next space; keys stand at the start or after a space, in any case. */
static kanal_str value_of(kanal_str text, const char *key)
{
    size_t len = strlen(key);
    for (size_t i = 0; i + len <= text.len; i++) {
        size_t n = 0;
        if (i > 0 && text.ptr[i - 1] != ' ')
            continue;
        while (n < len && lower(text.ptr[i + n]) == key[n])
            n++;
        if (n < len)
            continue;
        kanal_str value = kanal_str_from(text, i + len);
        for (n = 0; n < value.len && (unsigned char)value.ptr[n] > ' '; n++)
            ;
        return kanal_str_of(value.ptr, n);
    }
    return kanal_str_of(NULL, 0);
}

static enum sms_state state_of(kanal_str word)
{
    static const struct {
        const char *start; /* as much as all providers agree on */
        enum sms_state state;
    } words[] = { { "delivr", SMS_STATE_DELIVERED },    { "deliver", SMS_STATE_DELIVERED },
                  { "expir", SMS_STATE_EXPIRED },       { "delet", SMS_STATE_DELETED },
                  { "undel", SMS_STATE_UNDELIVERABLE }, { "accept", SMS_STATE_ACCEPTED },
                  { "unknown", SMS_STATE_UNKNOWN },     { "reject", SMS_STATE_REJECTED },
                  { "enrout", SMS_STATE_ENROUTE },      { "fail", SMS_STATE_UNDELIVERABLE },
                  { "skip", SMS_STATE_SKIPPED },        { "acked", SMS_STATE_ACCEPTED },
                  { "buffer", SMS_STATE_ENROUTE } };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        size_t n = 0;
        while (n < word.len && words[i].start[n] && lower(word.ptr[n]) == words[i].start[n])
            n++;
        if (!words[i].start[n])
            return words[i].state;
    }
    return SMS_STATE_NONE;
}

/* ---- Receipts ---- */

int sms_is_receipt(const struct sms_message *message)
{
    unsigned type = message->esm_class & SMS_CLASS_TYPE;
    return type == SMS_CLASS_RECEIPT || type == SMS_CLASS_INTERMEDIATE ||
           (message->receipted.len > 0 && message->has_state);
}

kanal_status sms_receipt_read(struct sms_receipt *receipt, const struct sms_message *message,
                              enum sms_ids ids)
{
    kanal_str text = message->text, id = value_of(text, "id:");
    memset(receipt, 0, sizeof *receipt);
    if (message->esm_class & SMS_CLASS_UDH)
        text = id = kanal_str_of(NULL, 0);
    receipt->word = value_of(text, "stat:");
    receipt->error = value_of(text, "err:");
    receipt->submitted = value_of(text, "submit date:");
    receipt->done = value_of(text, "done date:");
    /* A parameter says what the text says, but in a form that is not in doubt. */
    receipt->state = message->has_state ? (enum sms_state)message->state : state_of(receipt->word);
    if (message->receipted.len > 0)
        sms_id_write(receipt->id, ids, SMS_ID_OF_SUBMIT, message->receipted);
    else
        sms_id_write(receipt->id, ids, SMS_ID_OF_TEXT, id);
    if (message->network_error.len == 3) {
        const unsigned char *bytes = (const unsigned char *)message->network_error.ptr;
        receipt->network = bytes[0];
        receipt->network_error = (uint32_t)bytes[1] << 8 | bytes[2];
    }
    int is_known = receipt->state >= SMS_STATE_ENROUTE && receipt->state <= SMS_STATE_SKIPPED;
    return receipt->id[0] && is_known ? KANAL_OK : KANAL_E_INVALID;
}
