/* pdu.h - the PDUs of SMPP 3.4 ("Short Message Peer to Peer Protocol Specification v3.4", Issue 1.2, chapters 3 to 5), as far as a
 * transceiver needs them. Pure: bytes in, views out; no memory but the buffer that is written to.
 *
 * Everything that is read is bounded by the PDU's own length. Views live as long as the bytes. */
#ifndef SMS_PDU_H
#define SMS_PDU_H
#include "kanal/sdk/buffer.h"
#include "kanal/sdk/str.h"

#define SMS_PDU_HEADER_BYTES 16u
#define SMS_PDU_BYTES_MAX 70000u /* a message_payload of 64 KiB, and what stands around it */
#define SMS_ADDRESS_BYTES_MAX 64u
#define SMS_ID_BYTES_MAX 64u
#define SMS_TEXT_BYTES_MAX 254u /* of short_message */

enum sms_command {
    SMS_GENERIC_NACK = 0,
    SMS_SUBMIT_SM = 0x04,
    SMS_DELIVER_SM = 0x05,
    SMS_UNBIND = 0x06,
    SMS_BIND_TRANSCEIVER = 0x09,
    SMS_OUTBIND = 0x0b,
    SMS_ENQUIRE_LINK = 0x15,
    SMS_ALERT_NOTIFICATION = 0x102,
    SMS_DATA_SM = 0x103
};
#define SMS_RESPONSE 0x80000000u

/* command_status, 5.1.3: what this side says and asks for by name. */
enum sms_status {
    SMS_OK = 0,
    SMS_INVALID_LENGTH = 0x01, /* of the message */
    SMS_INVALID_COMMAND_LENGTH = 0x02,
    SMS_INVALID_COMMAND = 0x03,
    SMS_NOT_BOUND = 0x04,
    SMS_ALREADY_BOUND = 0x05,
    SMS_SYSTEM_ERROR = 0x08,
    SMS_BIND_FAILED = 0x0d,
    SMS_INVALID_PASSWORD = 0x0e,
    SMS_INVALID_SYSTEM_ID = 0x0f,
    SMS_QUEUE_FULL = 0x14,
    SMS_THROTTLED = 0x58,
    SMS_TEMPORARY = 0x64, /* ESME_RX_T_APPN: come again */
    SMS_PERMANENT = 0x65, /* ESME_RX_P_APPN */
    SMS_BROKEN_PARAMETERS = 0xc0
};

/* esm_class, 5.2.12. */
#define SMS_CLASS_TYPE 0x3c /* of deliver_sm: what kind of message it is */
#define SMS_CLASS_RECEIPT 0x04
#define SMS_CLASS_INTERMEDIATE 0x20
#define SMS_CLASS_UDH 0x40

struct sms_header {
    uint32_t length, command, status, sequence;
};

/* The header of what has come so far. 1: the whole PDU is there; 0: it is not yet; KANAL_E_INVALID: a length that cannot be: nothing after it
 * can be read either. */
int sms_header_read(struct sms_header *, kanal_str bytes);

/* ---- Messages: submit_sm (4.4.1) and deliver_sm (4.6.1), which look alike, and data_sm (4.7.1) ---- */

struct sms_message {
    kanal_str service_type;
    uint8_t source_ton, source_npi;
    kanal_str source;
    uint8_t destination_ton, destination_npi;
    kanal_str destination;
    uint8_t esm_class, protocol_id, priority;
    kanal_str schedule, validity; /* times of 7.1.1, or empty */
    uint8_t registered_delivery, replace, data_coding, default_id;
    kanal_str text; /* short_message, or message_payload where there is one */
    /* Optional ones, 5.3; has_: it was there. */
    int has_payload;         /* text is message_payload */
    kanal_str receipted;     /* receipted_message_id; absent: none */
    kanal_str network_error; /* 3 bytes: the network's type, its code */
    uint8_t state, sar_total, sar_sequence;
    uint16_t sar_reference;
    int has_state, has_sar_reference, has_sar_total, has_sar_sequence;
};

/* The body of a deliver_sm, submit_sm or data_sm. 0, or the command_status to answer: SMS_INVALID_LENGTH (it ends too early, or a text has no end),
 * SMS_BROKEN_PARAMETERS (of the optional ones). */
uint32_t sms_message_read(struct sms_message *, uint32_t command, kanal_str body);
/* A whole submit_sm, deliver_sm or data_sm. 0, or KANAL_E_INVALID: a field is too long for its place. */
kanal_status sms_message_write(struct kanal_buffer *out, uint32_t command, uint32_t sequence,
                               const struct sms_message *);

/* ---- The others ---- */

/* A response to a submit_sm, deliver_sm or data_sm, or to a bind: its one text, which is bounded to max; empty if there is none. */
kanal_str sms_response_text(kanal_str body, size_t max);

struct sms_bind {
    kanal_str system_id, system_type, address_range;
};
/* A bind_transceiver with an empty password, and no type or plan for the address_range; ret_password: the byte before which it is to be inserted. */
void sms_bind_write(struct kanal_buffer *out, uint32_t sequence, const struct sms_bind *,
                    uint32_t *ret_password);
/* A PDU without a body; of responses that have an (empty) message id too: with_text 1. */
void sms_plain_write(struct kanal_buffer *out, uint32_t command, uint32_t status, uint32_t sequence,
                     int with_text);

#endif
