/* channel.h - one account at an SMS centre: what its parts share. Everything runs in the channel's lane. */
#ifndef SMS_CHANNEL_H
#define SMS_CHANNEL_H
#include "kanal/plugin.h"
#include "address.h"
#include "deliver.h"
#include "incoming.h"
#include "kanal/sdk/calls.h"
#include "kanal/sdk/json.h"
#include "kanal/sdk/report.h"
#include "link.h"
#include "reassemble.h"
#include "receipt.h"
#include "text.h"

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
    struct kanal_calls calls;   /* everything that is owed to us holds it, the open stream too */
    kanal_op drain;             /* the timer of stop(); 0: none */
    struct kanal_health health; /* SMS_ILL_… */
};

/* Settings out of the validated JSON. 0, or KANAL_E_INVALID with *ret_error saying what is wrong. */
int sms_settings_read(struct sms_settings *, kanal_str json, const char **ret_error);

/* Of stop(), when less is under way: unbinds when nothing is any more. */
void sms_settle(struct kanal_channel *);
void sms_stop(struct kanal_channel *, kanal_op);

#endif
