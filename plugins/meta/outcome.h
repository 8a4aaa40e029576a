/* outcome.h - what Meta's answer means for a delivery, and what an error means that a webhook tells. Pure.
 *
 * Meta says to decide by `code` (and `error_subcode`), not by words
 * (https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes, …/docs/graph-api/guides/error-handling). What
 * the plugin's own rules do not name, the common ones of the Graph API decide; what these do not name, the HTTP code. */
#ifndef META_OUTCOME_H
#define META_OUTCOME_H
#include "graph.h"
#include "kanal/sdk/outcome.h"

struct meta_rule {
    int32_t from, to; /* error.code */
    int32_t subcode;  /* 0: any */
    int32_t outcome;  /* KANAL_RETRY or KANAL_FAILED */
    int32_t scope;
    const char *error_code; /* of proto/ */
};

struct meta_rules { /* a plugin's own */
    const struct meta_rule *rows;
    size_t count;
};

/* The rule for an error, or NULL. */
const struct meta_rule *meta_rule_of(const struct meta_rules *, int64_t code, int64_t subcode);

#define META_CODE_MAX 48
/* "131026", or "10/2018278" with its subcode; absent without a code. */
kanal_str meta_code_text(int64_t code, int64_t subcode, char scratch[META_CODE_MAX]);

/* Fills a result of an answer that is not ok (exchange: KANAL_EXCHANGE_…); its texts are static, views into the reply, or into scratch. */
void meta_result_of_reply(kanal_result *, const struct meta_reply *, const struct meta_rules *,
                          uint32_t exchange, char scratch[META_CODE_MAX]);

/* Status of a start, a registration or a look-up: DENIED: the token or its rights; REJECTED: another "no" for good. */
kanal_status meta_status_of_reply(const struct meta_reply *);

#endif
