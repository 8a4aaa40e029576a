/* channel.h - one Viber bot: what its parts share. Everything runs in the channel's lane. */
#ifndef VIBER_CHANNEL_H
#define VIBER_CHANNEL_H
#include "kanal/plugin.h"
#include "kanal/sdk/calls.h"
#include "kanal/sdk/json.h"
#include "kanal/sdk/report.h"

#define VIBER_URI_BYTES_MAX 128u
#define VIBER_ACCOUNT_BYTES_MAX 128
#define VIBER_NAME_CHARS_MAX 28 /* of a sender, as Viber says */

struct viber_settings {
    char *api_url;       /* owned, without a trailing slash */
    char *sender_name;   /* owned; NULL: the account's */
    char *sender_avatar; /* owned; NULL: none */
    char *welcome;       /* owned; NULL: a conversation is not greeted */
};

/* Which account the token is of (get_account_info): its id stands in every address. */
struct viber_account {
    char id[VIBER_ACCOUNT_BYTES_MAX + 1]; /* "pa:75346594275468546724"; empty: not known yet */
    char name[VIBER_NAME_CHARS_MAX * 4 + 1];
    char uri[VIBER_URI_BYTES_MAX + 1]; /* "shopbot", in links to the chat; empty: not told */
};

/* What may be wrong with the channel. */
#define VIBER_ILL_TOKEN 1u   /* Viber refuses the token */
#define VIBER_ILL_ACCOUNT 2u /* Viber lets the account send nothing */

struct kanal_channel {
    const kanal_host *host;
    char *id; /* owned: the channel's */
    struct viber_settings settings;
    struct viber_account account;
    struct kanal_calls calls;
    kanal_op starting;          /* the op of start(), while the account is not known */
    struct kanal_health health; /* VIBER_ILL_… */
};

/* Settings out of the validated JSON. 0, or KANAL_E_INVALID / KANAL_E_INTERNAL with *ret_error saying what is
 * wrong. */
int viber_settings_read(struct viber_settings *, kanal_str json, const char **ret_error);
void viber_settings_release(struct viber_settings *);
/* The account out of get_account_info, or of what was stored. 0, or KANAL_E_INVALID. */
int viber_account_read(struct viber_account *, yyjson_val *told);
void viber_account_write(const struct viber_account *, struct kanal_buffer *out);

#endif
