/* receipt.h - delivery receipts: in parameters (receipted_message_id, message_state; SMPP 5.3.2.12, 5.3.2.35) and in the text of appendix B
 * ("id:… sub:… dlvrd:… submit date:… done date:… stat:… err:… text:…"), which each provider writes a little differently. Pure. */
#ifndef SMS_RECEIPT_H
#define SMS_RECEIPT_H
#include "pdu.h"

/* How the ids of submit_sm_resp and of receipts go together. */
enum sms_ids {
    SMS_IDS_SAME,       /* they are the same text */
    SMS_IDS_HEX,        /* both hexadecimal, but in another case or with other zeros before */
    SMS_IDS_SUBMIT_HEX, /* submit_sm_resp in hexadecimal, the receipt's text in decimal */
    SMS_IDS_RECEIPT_HEX /* the other way round */
};

enum sms_id_source { SMS_ID_OF_SUBMIT, SMS_ID_OF_TEXT };

/* An id in the one form that both sides are turned into: decimal digits, but for SMS_IDS_SAME; as it is where it is no such number,
 * but for bytes that are no printable ASCII: '?'. */
void sms_id_write(char out[SMS_ID_BYTES_MAX + 1], enum sms_ids, enum sms_id_source, kanal_str id);

/* message_state, 5.2.28. */
enum sms_state {
    SMS_STATE_NONE = 0,
    SMS_STATE_ENROUTE = 1,
    SMS_STATE_DELIVERED = 2,
    SMS_STATE_EXPIRED = 3,
    SMS_STATE_DELETED = 4,
    SMS_STATE_UNDELIVERABLE = 5,
    SMS_STATE_ACCEPTED = 6,
    SMS_STATE_UNKNOWN = 7,
    SMS_STATE_REJECTED = 8,
    SMS_STATE_SKIPPED = 9 /* of SMPP 5, which some send */
};

struct sms_receipt {
    char id[SMS_ID_BYTES_MAX + 1]; /* in the form of sms_id_write() */
    enum sms_state state;
    kanal_str word;                  /* "DELIVRD", as the provider wrote it; absent: in parameters only */
    kanal_str error;                 /* "err:", of the text */
    kanal_str submitted, done;       /* dates of the text: local time of the provider */
    uint32_t network, network_error; /* network_error_code; 0: none */
};

/* True of a deliver_sm (or data_sm) that tells of a message of ours. */
int sms_is_receipt(const struct sms_message *);
/* Views into the message. 0, or KANAL_E_INVALID: it does not say of which message, or what became of it. */
kanal_status sms_receipt_read(struct sms_receipt *, const struct sms_message *, enum sms_ids);

#endif
