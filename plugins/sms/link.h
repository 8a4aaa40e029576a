/* link.h - the bind: one stream to the SMS centre, its log-in, its requests and answers both ways (SMPP 3.4, chapter 2).
 *
 * The link connects again by itself, with backoff and jitter, until the channel stops; where the channel allows one bind only, it does so while this
 * replica holds the lease (kanal/ext/lease.h). What cannot be framed ends the stream: nothing after it could be read. */
#ifndef SMS_LINK_H
#define SMS_LINK_H
#include "kanal/ext/lease.h"
#include "kanal/ext/stream.h"
#include "kanal/sdk/calls.h"
#include "pdu.h"

enum sms_link_state {
    SMS_LINK_DOWN, /* waits for the lease, or for the next try */
    SMS_LINK_CONNECTING,
    SMS_LINK_BINDING,
    SMS_LINK_BOUND,
    SMS_LINK_UNBINDING, /* of stop(): unbind was sent */
    SMS_LINK_CLOSING    /* on_close() is owed */
};

/* What became of a request. KANAL_OK: answered, with any command_status. KANAL_E_TIMEOUT: not in time; it may come yet, and nobody is told then.
 * KANAL_E_MAYBE: the connection ended before. Anything else: no byte of it left. header and body: of an answer only. */
typedef void sms_answer_fn(void *user, kanal_status, const struct sms_header *header, kanal_str body);

struct sms_request; /* ours, until it is answered and written */

struct sms_link {
    const kanal_stream_host *streams;
    const kanal_lease_host *leases;
    kanal_op lease;  /* 0: none is needed */
    kanal_op stream; /* 0: none */
    enum sms_link_state state;
    struct kanal_buffer in; /* of a PDU that is not whole yet */
    struct sms_request *requests;
    uint32_t in_window;  /* submit_sm that are not answered */
    uint32_t unanswered; /* … of these, whose time is over */
    uint32_t sequence;
    uint32_t session; /* which bind this is: another number after each */
    uint32_t failures;
    uint32_t owed; /* bytes of credit that are held back while too much is under way */
    int is_enquiring, is_refused, is_reading;
    int64_t bound_ms, heard_ms; /* bound_ms: 0: this stream never was */
    kanal_status closed;        /* why it was closed by us, for the channel's health … */
    char words[160];            /* … and in words */
    struct kanal_timer retry, tick;
};

/* [lane] Wants the lease if one is needed, and connects. */
void sms_link_start(struct kanal_channel *);
/* Of stop(): no more tries. */
void sms_link_stop(struct kanal_channel *);
/* Then, when nothing is under way: unbinds if bound, and closes. It is over when the stream is 0. */
void sms_link_unbind(struct kanal_channel *);
/* Closes at once. status and words: for the log and the channel's health. */
void sms_link_close(struct kanal_channel *, kanal_status, const char *words);

/* True while something may be submitted. */
int sms_link_is_bound(const struct kanal_channel *);
/* How many more submit_sm may be sent now. */
uint32_t sms_link_room(const struct kanal_channel *);
/* The number of the next request. */
uint32_t sms_link_sequence(struct kanal_channel *);
/* Sends a request with that number; fn runs exactly once, later. secret: NULL: there is none in it. 0, or KANAL_E_INTERNAL: out of memory, and fn
 * never runs. */
kanal_status sms_link_ask(struct kanal_channel *, kanal_str pdu, uint32_t sequence, uint32_t timeout_ms,
                          const kanal_stream_secret *secret, sms_answer_fn *, void *user);
/* Answers a request of the SMS centre, if the session is still the same. */
void sms_link_respond(struct kanal_channel *, uint32_t session, uint32_t command, uint32_t status,
                      uint32_t sequence);
/* Less is under way: what was held back is read on. */
void sms_link_resume(struct kanal_channel *);
/* A PDU of the SMS centre that is an answer; one that nobody waits for is nothing. */
void sms_link_answered(struct kanal_channel *, const struct sms_header *, kanal_str body);
/* The stream has ended: nothing will be answered any more. */
void sms_link_lose(struct kanal_channel *);
/* Frees them all, of destroy(). */
void sms_link_forget(struct kanal_channel *);
/* Requests whose time is over. */
void sms_link_expire(struct kanal_channel *);
/* Frees what is left. */
void sms_link_release(struct kanal_channel *);

extern const kanal_stream_plugin sms_streams;
extern const kanal_lease_plugin sms_leases;

#endif
