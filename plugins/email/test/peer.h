/* peer.h - an IMAP server that plays with the fake host's streams: what the plugin writes is answered as RFC 3501 has it, from mails in memory. */
#ifndef EMAIL_TEST_PEER_H
#define EMAIL_TEST_PEER_H
#include "fixtures.h"

#define PEER_MAILS_MAX 2500

struct peer_mail {
    uint64_t uid;
    const char *text;
    size_t len;
    int seen, gone;
};

struct peer {
    struct fake_host *host;
    kanal_op stream;
    struct peer_mail mails[PEER_MAILS_MAX];
    size_t mail_count;
    uint64_t validity;
    int has_idle, is_idling, speaks_quoted, refuses_uid; /* refuses_uid: a mail that cannot be given */
    uint64_t breaks_at; /* the connection is lost when this mail is to be given */
    uint32_t chunk;     /* bytes that are sent at a time; 0: all */
    const char *refused_folder;
    char idle_tag[16], selected[64];
    struct kanal_buffer heard; /* all commands, one a line */
};

extern const char *const peer_settings; /* start: all */

struct fake_host *peer_host(const char *settings);
void peer_add(struct peer *, uint64_t uid, const char *text, size_t len);
void peer_add_text(struct peer *, uint64_t uid, const char *text);
/* Takes the newest stream of the host, opens it, and answers until the plugin says nothing more. */
void peer_open(struct peer *);
void peer_serve(struct peer *);
/* New mail is told to who idles. */
void peer_tell(struct peer *);
void peer_release(struct peer *);

#endif
