/* outcome.h - what Viber's answer means for a delivery (https://developers.viber.com/docs/api/rest-bot-api/#error-codes).
 * Pure. */
#ifndef VIBER_OUTCOME_H
#define VIBER_OUTCOME_H
#include "api.h"

/* Fills a result of an answer that is not ok; its texts are static or views into the reply. exchange:
 * KANAL_EXCHANGE_… */
void viber_result_of_reply(kanal_result *, const struct viber_reply *, uint32_t exchange,
                           char code_scratch[24]);
/* Of a call that is no delivery: KANAL_OK, or what became of it. */
kanal_status viber_status_of_reply(const struct viber_reply *);

#endif
