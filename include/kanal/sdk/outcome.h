/* kanal/sdk/outcome.h - results of deliveries. Part of the static helpers, not of the ABI. */
#ifndef KANAL_SDK_OUTCOME_H
#define KANAL_SDK_OUTCOME_H
#include "str.h"
#ifdef __cplusplus
extern "C" {
#endif

/* Of the request that did not come to an answer. */
#define KANAL_EXCHANGE_MEDIA 1u    /* a part of it was streamed from a source_url */
#define KANAL_EXCHANGE_STOPPING 2u /* the channel is being stopped: what was cancelled was cut off */
#define KANAL_EXCHANGE_PREPARES 4u /* it makes nothing that the recipient sees, so it may be made again */

/* A whole result, without external_id and words. code: of proto/, a literal. */
void kanal_result_set(kanal_result *, int32_t outcome, int32_t scope, const char *code);
/* What it means for a delivery that http_send() brought a status and no answer; with words for a person. */
void kanal_result_of_status(kanal_result *, kanal_status, uint32_t exchange);
/* Words for a person for a status that http_send() brought. */
kanal_str kanal_status_words(kanal_status);

#ifdef __cplusplus
}
#endif
#endif
