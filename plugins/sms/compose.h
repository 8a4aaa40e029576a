/* compose.h - what a delivery asks for: its text, and what is said beside it. Pure. */
#ifndef SMS_COMPOSE_H
#define SMS_COMPOSE_H
#include "address.h"
#include "kanal/sdk/json.h"

struct sms_wish {
    struct kanal_buffer text; /* UTF-8 */
    struct sms_place sender;  /* number empty: the channel's */
    int flash;                /* shown at once and not kept (class 0) */
    uint8_t priority;
    char validity[17];               /* relative, 7.1.1; empty: the provider's own */
    const char *error_code, *reason; /* why it cannot be sent */
};

/* data: of the delivery. validity_ms: the channel's own; 0: none. 0; KANAL_E_REJECTED with error_code and reason; KANAL_E_INTERNAL. */
kanal_status sms_compose(struct sms_wish *, yyjson_val *data, int64_t now_ms, int64_t validity_ms);
void sms_wish_release(struct sms_wish *);
/* "000002013000000R": two days, one hour and a half. At least a minute, at most 63 weeks. */
void sms_validity_write(char out[17], int64_t ms);

#endif
