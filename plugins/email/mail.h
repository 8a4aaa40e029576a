/* mail.h - one mail as it is read, and the events that it becomes. Pure: the reader's tokens go in, where the attachments were stored is told,
 * events come out.
 *
 * Dedupe. The key of a received mail is a hash of Message-ID, Date, From and Subject; without a Message-ID, of the whole header block. It names
 * no folder and no UID: the same mail in two folders, or seen again after a changed UIDVALIDITY, is told once. Message-ID alone would not do:
 * broken senders use one for many mails, and who knows an id could keep a mail away by sending another one first. */
#ifndef EMAIL_MAIL_H
#define EMAIL_MAIL_H
#include "kanal/sdk/batch.h"
#include "reader.h"
#include "settings.h"

#define MAIL_KEY_BYTES 33u
#define MAIL_ID_BYTES 256u   /* a longer Message-ID is replaced by its hash */
#define MAIL_CHAT_BYTES 128u /* the same of a thread's */
#define MAIL_FILES_MAX 60u
#define MAIL_TEXTS_MAX 16u
#define MAIL_TEXT_MAX (256u * 1024u)  /* bytes of one text; a longer one becomes a file */
#define MAIL_REPORT_MAX (64u * 1024u) /* bytes of a delivery status, and of the header that it returns */

enum mail_role {
    MAIL_SKIP,    /* its data is not needed */
    MAIL_COLLECT, /* its data goes to mail_data() */
    MAIL_FILE     /* its data is to be stored */
};

struct mail_file {
    char *name, *mime, *content_id; /* owned; name and content_id may be NULL */
    char *reference;                /* owned: where it was stored; NULL: it was not */
    uint64_t size;
    const char *unavailable; /* why it was not stored, of the contract */
    int32_t is_inline, reserved;
};

struct mail_text { /* what stands at one place: alternatives of each other */
    uint32_t alternative;
    struct kanal_buffer plain, html; /* UTF-8 */
};

struct mail {                        /* zeroed, then mail_init() */
    const struct settings *settings; /* borrowed */
    kanal_str folder;                /* borrowed */
    uint64_t uid, size;
    int64_t received_ms;
    GMimeMessage *message;
    char key[MAIL_KEY_BYTES];
    struct mail_text texts[MAIL_TEXTS_MAX];
    struct mail_file files[MAIL_FILES_MAX];
    uint32_t text_count, file_count, left_out; /* left_out: files over MAIL_FILES_MAX */
    struct kanal_buffer status, original;      /* of a report: its status, the header it returns */
    struct kanal_buffer raw;                   /* of the part that is collected */
    struct kanal_buffer *collecting;           /* where it goes; NULL: to no place */
    char charset[64];                          /* of the part that is collected */
    size_t taken;                              /* bytes that the last mail_data() kept */
    int32_t is_html, is_disposition, is_cut;
};

/* What events leave behind for an answer in their thread. */
struct mail_thread {
    char chat[MAIL_CHAT_BYTES], last[MAIL_ID_BYTES];
    char *subject, *reply_address, *sender; /* owned */
    int32_t is_auto;
};

void mail_init(struct mail *, const struct settings *, kanal_str folder);
void mail_release(struct mail *);

/* READER_HEAD. */
void mail_head(struct mail *, kanal_str head);
/* READER_PART. ret_file: of MAIL_FILE, what is to be filled in. */
enum mail_role mail_part(struct mail *, const struct reader_part *, struct mail_file **ret_file);
/* READER_DATA of MAIL_COLLECT. 1; 0: it has grown over its bound, and goes on as the file that mail_overflow() makes. */
int mail_data(struct mail *, kanal_str data);
/* *ret_begun: the bytes so far, to be stored first; valid until the next part. NULL: as MAIL_SKIP. */
struct mail_file *mail_overflow(struct mail *, kanal_str *ret_begun);
/* READER_PART_END of MAIL_COLLECT. */
void mail_part_end(struct mail *);
/* After that: the file that the part is kept as too (the setting keep_html), and its bytes, valid until the next part; NULL: it is not. */
struct mail_file *mail_kept(struct mail *, kanal_str *ret_whole);

/* 1: events were added; 0: it is the channel's own mail, and there are none. ret_thread: of message.received, to be released; may be NULL. */
int mail_write(struct mail *, struct kanal_batch *, struct mail_thread *ret_thread);
void mail_thread_release(struct mail_thread *);

/* ---- Parts of it (mail_who.c, mail_report.c, mail_content.c) ---- */

/* "mailto:…" of an address as it stands in a header; 0, or KANAL_E_INVALID. */
kanal_status mail_address_uri(struct kanal_buffer *out, const char *address);
/* The first address of a list, or NULL. Borrowed. */
const char *mail_first_address(InternetAddressList *, const char **ret_name);
/* The hash, of so many bytes as fit in 32 digits. */
void mail_hash(char out[MAIL_KEY_BYTES], const char *const *texts, size_t count);
/* An id that fits into out: itself or its hash; empty if it is absent. */
void mail_id(char *out, size_t size, const char *id);
/* A header of the mail, or NULL. */
const char *mail_header(const struct mail *, const char *name);
/* Written by a program; RFC 3834 and what is usual. */
int mail_is_auto(const struct mail *);
void mail_write_recipients(const struct mail *, struct kanal_json *);
/* customer: {name, identifiers}. */
void mail_write_customer(const struct mail *, struct kanal_json *, const char *name, kanal_str uri);
/* The results that the operator's own server noted, of the setting authserv_id. */
void mail_write_authentication(const struct mail *, struct kanal_json *);
/* content, and quoted. */
void mail_write_content(struct mail *, struct kanal_json *);
/* Events of a delivery status or a read receipt. How many. */
uint32_t mail_write_report(struct mail *, struct kanal_batch *);

#endif
