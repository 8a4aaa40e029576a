/* outcome.h - what the SMS centre's command_status means (SMPP 5.1.3). Pure. */
#ifndef SMS_OUTCOME_H
#define SMS_OUTCOME_H
#include "kanal/plugin.h"
#include "pdu.h"

#define SMS_CODE_BYTES 11u /* "0x00000058" and its NUL */

/* Fills a result of a submit_sm_resp that is not ESME_ROK. retried: codes of the provider's own that mean "later", or NULL. Texts are static, or in scratch. */
void sms_result_of_status(kanal_result *, uint32_t status, const uint32_t *retried, size_t retried_count,
                          char scratch[SMS_CODE_BYTES]);
/* Words for a person. */
const char *sms_status_words(uint32_t status);
void sms_status_code(char out[SMS_CODE_BYTES], uint32_t status);

#endif
