/* channel.h - one account at an SMS centre: what its parts share. Everything runs in the channel's lane. */
#ifndef SMS_CHANNEL_H
#define SMS_CHANNEL_H
#include "kanal/plugin.h"
#include "address.h"
#include "deliver.h"
#include "incoming.h"
#include "kanal/sdk/json.h"
#include "kanal/sdk/report.h"
#include "link.h"
#include "reassemble.h"
#include "receipt.h"
#include "text.h"
#include "timer.h"

#define SMS_RETRIED_MAX 16u

struct sms_settings {
    char host[256];
    uint32_t port;
    int use_tls;
    char system_id[17], system_type[14], address_range[42], region[3];
    struct sms_place sender;                                      /* number empty: the provider's own */
    int source_ton, source_npi, destination_ton, destination_npi; /* -1: by the number's form */
    uint32_t window, max_segments;
    uint32_t enquire_ms, response_ms, dedupe_ms, reassembly_ms;
    int64_t validity_ms; /* 0: the provider's own */
    enum sms_default_alphabet alphabet;
    enum sms_join join;
    enum sms_ids ids;
    int latin1, receipts, single_bind;
    uint32_t retried[SMS_RETRIED_MAX];
    size_t retried_count;
};

/* Why there is no bind: one of them. */
#define SMS_ILL_BIND 1u /* the log-in is refused */
#define SMS_ILL_LINK 2u /* anything else */

struct kanal_channel {
    const kanal_host *host;
    struct sms_settings settings;
    struct sms_link link;
    struct sms_outgoing outgoing;
    struct sms_incoming incoming;
    struct sms_reassembly reassembly;
    uint32_t open;     /* callbacks that are owed to us */
    kanal_op stopping; /* the op of stop(); 0 before */
    struct sms_timer drain;
    struct kanal_health health; /* SMS_ILL_… */
};

/* Settings out of the validated JSON. 0, or KANAL_E_INVALID with *ret_error saying what is wrong. */
int sms_settings_read(struct sms_settings *, kanal_str json, const char **ret_error);

/* Something is owed to us, or was got: one for one. The last one lets stop() go on. */
void sms_hold(struct kanal_channel *);
void sms_let_go(struct kanal_channel *);
/* stop() goes on where nothing keeps it. */
void sms_settle(struct kanal_channel *);
void sms_stop(struct kanal_channel *, kanal_op);

#endif
