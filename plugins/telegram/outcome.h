/* outcome.h - what Telegram's answer means for a delivery. Pure.
 *
 * Telegram documents error_code and parameters; the descriptions are its words as bots report them, so they
 * only refine: a 400 or 403 whose words nobody knows is still final. */
#ifndef TELEGRAM_OUTCOME_H
#define TELEGRAM_OUTCOME_H
#include "api.h"

struct tg_ask {      /* what was asked */
    int is_upload;   /* a form with a file of a source_url */
    int is_group;    /* the chat is a group or channel: its own limits may have been hit */
    int is_stopping; /* the channel is being stopped: what was cancelled was cut off */
};

/* What to try again at once, within the same delivery. */
enum tg_again {
    TG_AGAIN_NO,
    TG_AGAIN_MIGRATED, /* reply->migrate_to is the chat now */
    TG_AGAIN_UPLOAD,   /* Telegram could not fetch the URL */
    TG_AGAIN_CAPTION,  /* the message to edit has no text but a caption */
    TG_AGAIN_UNCHANGED /* nothing: it is already as wanted, so it is done */
};
enum tg_again tg_again_of(const struct tg_reply *);

/* Fills a result of an answer that is not ok; its texts are static or views into the reply. */
void tg_result_of_reply(kanal_result *, const struct tg_reply *, const struct tg_ask *,
                        char code_scratch[24]);

/* Status and reason of a start, poll or registration that did not succeed. */
kanal_status tg_status_of_reply(const struct tg_reply *);

#endif
