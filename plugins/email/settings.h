/* settings.h - the settings of an e-mail channel. */
#ifndef EMAIL_SETTINGS_H
#define EMAIL_SETTINGS_H
#include "kanal/sdk/json.h"

#define FOLDERS_MAX 16u

enum smtp_login { SMTP_LOGIN_SAME, SMTP_LOGIN_OWN, SMTP_LOGIN_NONE, SMTP_LOGIN_PLAIN };
enum auto_submitted { AUTO_SUBMITTED_BOTS, AUTO_SUBMITTED_ALWAYS, AUTO_SUBMITTED_NEVER };

struct settings {
    yyjson_doc *doc; /* owned; the texts are views into it, and NUL-ended */
    kanal_str imap_url, smtp_url, user, smtp_user, address, name, subject, authserv_id;
    const char *charset;
    kanal_str folders[FOLDERS_MAX];
    uint32_t folder_count;
    int32_t reads_all, marks_seen, uses_idle, is_token, keeps_html;
    uint32_t poll_s;
    int64_t message_bytes_max;
    enum smtp_login smtp_login;
    enum auto_submitted auto_submitted;
};

extern const char settings_schema[];

/* Out of the validated JSON. 0, or KANAL_E_INVALID / KANAL_E_INTERNAL with *ret_error saying what is wrong. */
kanal_status settings_read(struct settings *, kanal_str json, const char **ret_error);
void settings_release(struct settings *);
/* True of the channel's own address, in any case. */
int settings_is_own(const struct settings *, kanal_str address);

#endif
