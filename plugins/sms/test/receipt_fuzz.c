/* Receipts' texts and ids. */
#include <stdint.h>

#include "receipt.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    const kanal_str text = kanal_str_of((const char *)bytes, len);
    char id[SMS_ID_BYTES_MAX + 1];
    for (int ids = SMS_IDS_SAME; ids <= SMS_IDS_RECEIPT_HEX; ids++) {
        struct sms_receipt receipt;
        const struct sms_message message = { .esm_class = SMS_CLASS_RECEIPT, .text = text };
        if (sms_receipt_read(&receipt, &message, (enum sms_ids)ids) == KANAL_OK &&
            (receipt.id[0] == 0 || strlen(receipt.id) > SMS_ID_BYTES_MAX))
            __builtin_trap();
        sms_id_write(id, (enum sms_ids)ids, SMS_ID_OF_TEXT, text);
        sms_id_write(id, (enum sms_ids)ids, SMS_ID_OF_SUBMIT, text);
    }
    return 0;
}
