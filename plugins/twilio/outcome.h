/* outcome.h - what Twilio's codes mean (https://www.twilio.com/docs/api/errors), of answers to requests and of statuses. Pure. */
#ifndef TWILIO_OUTCOME_H
#define TWILIO_OUTCOME_H
#include "api.h"

/* The recipient has opted out: told as consent.withdrawn too. */
#define TW_OPTED_OUT 21610
#define TW_OPTED_OUT_TEXT "21610"

struct tw_rule {
    int64_t code;
    int32_t outcome, scope;
    const char *error_code; /* of proto/ */
    uint32_t retry_after_ms;
};

/* Never NULL: an unknown code is a failure of the message. */
const struct tw_rule *tw_rule_of(int64_t code);
/* Fills a result of an answer that is not ok; its texts are static or views into the reply. exchange: KANAL_EXCHANGE_… */
void tw_result_of_reply(kanal_result *, const struct tw_reply *, uint32_t exchange, char code_scratch[24]);
/* Of a request that is no delivery: KANAL_OK, or what became of it. */
kanal_status tw_status_of_reply(const struct tw_reply *);

#endif
