/* cli/draft.h - a command as `kanal send` makes it: from the words of the call, or from a JSON file. Checked against the contract
 * that is compiled in, so that what is wrong with it is said at once and nothing is sent. */
#ifndef KANAL_CLI_DRAFT_H
#define KANAL_CLI_DRAFT_H
#include "kanal/sdk/buffer.h"

#define DRAFT_LIST 32u
#define DRAFT_BYTES (512u * 1024) /* as the gateway takes it */

struct draft_words {
    const char *verb;    /* NULL: of the JSON's `type`, else message.send */
    const char *id;      /* NULL: of the JSON, else a random one */
    const char *address; /* telegram:1; c_… is a customer, v_… a conversation; NULL with chat */
    const char *chat, *text, *reply_to, *reference;
    int64_t expires_ms;              /* 0: never */
    const char *buttons[DRAFT_LIST]; /* TEXT or TEXT=PAYLOAD */
    size_t button_count;
    struct draft_media {
        const char *type, *url;
    } media[DRAFT_LIST];
    size_t media_count;
};

struct draft {
    char id[129], verb[65];
    int is_routed; /* it may go by another channel than the one it was sent to */
    struct kanal_buffer json;
};

void draft_release(struct draft *);
/* 0, or KANAL_E_INVALID and what is wrong appended to error, a line each. */
int draft_make(struct draft *, const struct draft_words *, struct kanal_buffer *error);
int draft_read(struct draft *, kanal_str json, const struct draft_words *, struct kanal_buffer *error);
/* By the schema of its verb. */
int draft_check(const struct draft *, struct kanal_buffer *error);

#endif
