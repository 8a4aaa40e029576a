/* channel.h - one mailbox: what its parts share. Everything runs in the channel's lane.
 *
 *   email.c          the descriptor, life
 *   session.c        the IMAP connection: lease, log-in, waiting, trying again
 *   folder.c         its commands, one after another, and what the server answers
 *   intake.c         the bytes of a mail through the reader, its attachments into the store
 *   store.c          events, what threads need, and only then the cursor
 *   deliver.c        a delivery: thread, composed mail, submission, outcome
 *   reader.c mail*.c html.c quote.c charset.c cursor.c compose*.c outcome.c settings.c    no host, only data */
#ifndef EMAIL_CHANNEL_H
#define EMAIL_CHANNEL_H
#include "cursor.h"
#include "kanal/ext/blob.h"
#include "kanal/ext/lease.h"
#include "kanal/ext/transfer.h"
#include "kanal/sdk/imap.h"
#include "kanal/sdk/report.h"
#include "mail.h"
#include "settings.h"

#define UIDS_MAX 1000u      /* of one search that are remembered */
#define BATCH_MAILS_MAX 32u /* mails that are stored at once */

/* What may be wrong with a channel, each by itself. */
#define EMAIL_ILL_READING 1u /* the mailbox cannot be reached or opened */
#define EMAIL_ILL_SENDING 2u /* the mail server refuses the channel itself */

/* A wait: at most one at a time; setting it again replaces it. */
struct timer {
    struct tick *tick; /* NULL: none is set */
};

struct folder {
    struct cursor cursor;
    uint64_t revision; /* of its state; 0: there is none */
    int32_t is_loaded, reserved;
};

enum step {
    STEP_NONE,
    STEP_CAPABILITY,
    STEP_SELECT,
    STEP_BASELINE,
    STEP_SEARCH,
    STEP_FETCH,
    STEP_SEEN,
    STEP_IDLE
};

/* What the server is saying, line by line. */
struct answer {
    uint32_t words;
    int32_t is_tagged, is_untagged, is_ok;
    char number[24], item[40]; /* of "* 12 EXISTS"; the last name of a FETCH item */
    uint64_t uid, size;
    int64_t received_ms;
};

/* The mail whose bytes are coming. */
struct intake {
    struct reader reader;
    struct mail mail;
    struct kanal_buffer quoted; /* a body that came as a quoted string */
    struct kanal_buffer piece;  /* of the file that is being stored, not yet handed over */
    struct mail_file *file;     /* NULL: none */
    enum mail_role role;
    kanal_op blob; /* 0: not begun */
    uint64_t left; /* bytes of the literal that have not come */
    int32_t is_on, is_reading, is_ended, is_ending_file;
};

struct mailbox {
    kanal_op lease, stream;
    kanal_op pending; /* the op that everything waits for */
    uint32_t puts;    /* thread records that are being stored */
    int32_t is_open, is_dropped, has_idle, has_news, is_idling;
    uint32_t failures; /* in a row */
    struct timer timer;
    struct kanal_imap parser;
    struct kanal_buffer in, later; /* what the parser looks at, and what came meanwhile */
    enum step step;
    uint32_t command; /* its number */
    struct answer answer;
    uint64_t validity, next_uid, exists;
    struct folder *folders; /* owned: as many as the settings name */
    uint32_t folder;
    uint64_t uids[UIDS_MAX];
    uint32_t uid_count, uid_at, chunk, chunk_max;
    struct intake intake;
    struct kanal_batch batch, spare;
    struct mail_thread threads[BATCH_MAILS_MAX];
    uint64_t keys[BATCH_MAILS_MAX];       /* of the mails of the batch */
    uint32_t mails, thread_count, single; /* single: events are stored one by one, from here */
    size_t batch_bytes;
    uint64_t batch_uid; /* the cursor, once the batch is stored */
    void (*stored)(struct kanal_channel *);
    int32_t is_single, is_spare;
};

struct delivery;

struct kanal_channel {
    const kanal_host *host;
    const kanal_transfer_host *transfer;
    const kanal_stream_host *streams;
    const kanal_blob2_host *blobs;  /* NULL: files are not kept */
    const kanal_lease_host *leases; /* NULL: this host has none, and every replica reads */
    struct settings settings;
    struct mailbox mailbox;
    struct delivery *deliveries;
    struct timer stop_timer;
    uint32_t ticks;    /* timers of the host that have not come back */
    kanal_op stopping; /* the op of stop(); 0 before */
    struct kanal_health health;
};

/* ---- email.c ---- */

/* Answers stop() once nothing is open any more; called whenever something ended. */
void settle(struct kanal_channel *);
void timer_set(struct kanal_channel *, struct timer *, uint32_t delay_ms,
               void (*fired)(struct kanal_channel *));
void timer_clear(struct timer *);

/* ---- session.c ---- */

extern const kanal_lease_plugin email_leases;
extern const kanal_stream_plugin email_streams;

void session_start(struct kanal_channel *);
void session_stop(struct kanal_channel *);
void session_release(struct kanal_channel *);
/* Goes on with what has come; whenever something that was waited for has ended. */
void session_run(struct kanal_channel *);
/* The connection is given up, and another one tried later. words: for the log, or NULL. */
void session_drop(struct kanal_channel *, const char *words, kanal_str detail);
/* Right before what only one replica may do. */
int session_is_ours(const struct kanal_channel *);
void session_write(struct kanal_channel *, kanal_str line);

/* ---- folder.c ---- */

/* The first command of a connection; a round through all folders. */
void folder_begin(struct kanal_channel *);
void folder_round(struct kanal_channel *);
void folder_take(struct kanal_channel *, const struct kanal_imap_token *);
/* The pause between two rounds ends. */
void folder_wake(struct kanal_channel *);

/* ---- intake.c ---- */

void intake_begin(struct kanal_channel *, uint64_t bytes);
void intake_feed(struct kanal_channel *, kanal_str bytes);
/* A body that is no literal: it is whole. */
void intake_quoted(struct kanal_channel *, kanal_str body);
/* Reads on; 1: it needs more bytes, or is ready; 0: it waits for the store. */
int intake_run(struct kanal_channel *);
void intake_clear(struct kanal_channel *);

/* ---- store.c ---- */

/* The mail that was read becomes events of the batch. 1: go on; 0: the batch is being stored. */
int store_add(struct kanal_channel *);
/* Stores the batch and moves the cursor to uid; then goes on with `then`. */
void store_flush(struct kanal_channel *, uint64_t uid, void (*then)(struct kanal_channel *));
void store_load(struct kanal_channel *, void (*then)(struct kanal_channel *));
void store_clear(struct kanal_channel *);
/* The key of the record that a thread has: "thread/" and a hash. */
#define THREAD_KEY_BYTES 40u
void store_thread_key(char out[THREAD_KEY_BYTES], const char *chat);

/* ---- deliver.c ---- */

void deliver(struct kanal_channel *, kanal_op, const kanal_delivery *);
void deliver_cut_off(struct kanal_channel *);

#endif
