/* text.h - what a short message's bytes say (data_coding, SMPP 5.2.19; user data header, 3GPP TS 23.040, 9.2.3.24), and how a text becomes
 * bytes. Pure. */
#ifndef SMS_TEXT_H
#define SMS_TEXT_H
#include "kanal/sdk/gsm7.h"
#include "pdu.h"

/* What stands for data_coding 0 at this provider. */
enum sms_default_alphabet { SMS_DEFAULT_GSM7, SMS_DEFAULT_LATIN1 };

/* How the segments of a long message are joined. */
enum sms_join { SMS_JOIN_UDH8, SMS_JOIN_UDH16, SMS_JOIN_SAR, SMS_JOIN_PAYLOAD };

/* ---- In ---- */

/* Appends UTF-8. 1; or 0: these are no characters that are known here (binary, JIS …), and nothing was appended. */
int sms_text_decode(struct kanal_buffer *out, uint8_t data_coding, enum sms_default_alphabet,
                    kanal_str bytes);

struct sms_part { /* of a message in several segments */
    uint32_t
        reference; /* with bit 16 set if it is a 16-bit one, bit 17 if it came by sar_: other numbers, other messages */
    uint8_t total, sequence; /* 1 of 1: a message of its own */
    int has_port;            /* it is for a program, not for a person … */
    uint16_t port;           /* … at this port */
    kanal_str bytes;         /* what follows the header */
};
/* Which segment a message is, by its header or its sar_ parameters; with neither, or with ones that make no sense, it is whole. */
void sms_part_read(struct sms_part *, const struct sms_message *);

/* ---- Out ---- */

#define SMS_SEGMENTS_MAX 255u

struct sms_text {
    uint8_t data_coding;
    enum kanal_sms_alphabet alphabet;
    struct kanal_buffer bytes;
    uint32_t count;                        /* of segments */
    uint32_t starts[SMS_SEGMENTS_MAX + 1]; /* bytes; starts[count] is the end */
};
/* As few bytes as the alphabets allow; latin1: ISO 8859-1 may be used where it says all. 0; KANAL_E_TOO_LARGE: over SMS_SEGMENTS_MAX, or over 64 KiB as a
 * payload; KANAL_E_INTERNAL: out of memory. Released by sms_text_release() in any case. */
kanal_status sms_text_encode(struct sms_text *, kanal_str text, enum sms_default_alphabet, int latin1,
                             enum sms_join);
void sms_text_release(struct sms_text *);
/* Puts segment `index` into a message: text, data_coding, header or sar_ parameters. scratch: SMS_TEXT_BYTES_MAX bytes. */
void sms_text_segment(const struct sms_text *, uint32_t index, enum sms_join, uint16_t reference,
                      struct sms_message *, char scratch[SMS_TEXT_BYTES_MAX]);

#endif
