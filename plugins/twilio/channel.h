/* channel.h - one Twilio number or messaging service: what its parts share. Everything runs in the channel's lane. */
#ifndef TWILIO_CHANNEL_H
#define TWILIO_CHANNEL_H
#include "kanal/plugin.h"
#include "kanal/sdk/calls.h"
#include "kanal/sdk/json.h"
#include "kanal/sdk/report.h"

#define TW_SID_BYTES 34u

/* How an incoming call is answered. */
enum tw_answer { TW_ANSWER_REJECT, TW_ANSWER_SAY, TW_ANSWER_RECORD, TW_ANSWER_DIAL };
/* How media go out. */
enum tw_media_way { TW_MEDIA_AUTO, TW_MEDIA_MMS, TW_MEDIA_LINK };

struct tw_settings {
    char *api_url;                     /* owned, without a trailing slash */
    char account[TW_SID_BYTES + 1];    /* AC… */
    char api_key[TW_SID_BYTES + 1];    /* SK…; empty: requests are made with the auth token */
    char service[TW_SID_BYTES + 1];    /* MG…; empty: none */
    char number_sid[TW_SID_BYTES + 1]; /* PN…; empty: webhooks are registered by hand */
    char *from;                        /* owned; NULL: the service chooses */
    char *language, *voice;            /* owned; NULL: Twilio's own */
    char *greeting, *dial;             /* owned; NULL: none */
    enum tw_media_way media;
    enum tw_answer answer;
    int records;                           /* calls that are put through */
    int64_t validity_s, ring_s, message_s; /* validity_s 0: Twilio's own */
};

#define TW_ILL_TOKEN 1u   /* Twilio refuses the credentials */
#define TW_ILL_ACCOUNT 2u /* Twilio lets the account or number send nothing */

struct kanal_channel {
    const kanal_host *host;
    char *id;         /* owned: the channel's */
    char *public_url; /* owned, without a trailing slash; NULL: none is configured */
    struct tw_settings settings;
    struct kanal_calls calls;
    struct kanal_health health; /* TW_ILL_… */
};

/* Settings out of the validated JSON. 0, or KANAL_E_INVALID / KANAL_E_INTERNAL with *ret_error saying what is wrong. */
int tw_settings_read(struct tw_settings *, kanal_str json, const char **ret_error);
void tw_settings_release(struct tw_settings *);

#endif
