/* outcome.h - what a submission's end means for a delivery (RFC 5321, 3463). Pure. */
#ifndef EMAIL_OUTCOME_H
#define EMAIL_OUTCOME_H
#include "kanal/ext/transfer.h"

#define OUTCOME_STOPPING 1u /* the channel is being stopped */
#define OUTCOME_FILES 2u    /* the mail has files that the host fetches */

/* Everything but external_id. scratch: the code's text. */
void outcome_of(kanal_result *, kanal_status, const kanal_mail_result *, uint32_t flags, char scratch[32]);

#endif
