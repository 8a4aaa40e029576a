/* broker/kv.h - key-value buckets (ADR-8) and an object store (ADR-20) on JetStream, readable by any NATS
 * client.
 *
 * Everything is [loop]. Keys: [-/_=.a-zA-Z0-9]+, no '.' at the ends. */
#ifndef KANAL_BROKER_KV_H
#define KANAL_BROKER_KV_H
#include "jetstream.h"

struct kv_bucket {
    const char *name; /* "kanal_state" */
    int64_t ttl_ms;   /* 0: for ever */
    int32_t history;  /* 1 to 64 */
    int32_t replicas;
    int32_t max_value; /* bytes; 0: the server's */
};
/* As js_stream_ensure(). */
void kv_ensure(struct broker *, const struct kv_bucket *, js_result_fn *, void *user);

/* KANAL_E_NOT_FOUND: absent or deleted; revision is then that of the delete marker, or 0. */
typedef void kv_value_fn(void *user, kanal_status, kanal_str value, uint64_t revision);
void kv_get(struct broker *, const char *bucket, kanal_str key, kv_value_fn *, void *user);
/* if_revision: JS_ANY_SEQUENCE; 0: none may stand there (a delete marker is nothing: looked up and
 * overwritten); else exactly this. KANAL_E_REJECTED: another revision. The callback brings the new
 * revision. */
void kv_put(struct broker *, const char *bucket, kanal_str key, kanal_str value, uint64_t if_revision,
            kv_value_fn *, void *user);
void kv_delete(struct broker *, const char *bucket, kanal_str key, uint64_t if_revision, kv_value_fn *,
               void *user);

/* Every present value of keys under the filter ("*" tokens, ">"), then entry() with key absent once ("this
 * was all"), then every change. value {NULL,0}: deleted. Survives reconnects (nothing is missed; entries
 * may repeat). Expiry is not told. */
struct kv_watch;
typedef void kv_entry_fn(void *user, kanal_str key, kanal_str value, uint64_t revision);
int kv_watch_start(struct broker *, const char *bucket, const char *filter, kv_entry_fn *, void *user,
                   struct kv_watch **ret_watch);
void kv_watch_stop(struct kv_watch *);

/* ---- Objects: chunks of 128 KiB, digest SHA-256, name as the meta subject says ---- */

struct object_info {
    kanal_str name, content_type, filename;
    uint64_t size;
};
void object_store_ensure(struct broker *, const char *bucket, int64_t ttl_ms, int32_t replicas,
                         js_result_fn *, void *user);
void object_put(struct broker *, const char *bucket, const struct object_info *, kanal_str data,
                js_result_fn *, void *user);
/* An object in pieces, under a name that was never used before. room(): less waits to be stored than before. committed(): once, after
 * object_write_commit(); the write is gone then. 0 or KANAL_E_BUSY. */
struct object_write;
int object_write_start(struct broker *, const char *bucket, const struct object_info *,
                       void (*room)(void *user), js_result_fn *committed, void *user,
                       struct object_write **ret_write);
/* KANAL_OK, or the failure that has ended it: only abandoning is left. */
kanal_status object_write_piece(struct object_write *, kanal_str piece);
kanal_status object_write_status(const struct object_write *);
size_t object_write_waiting(const struct object_write *); /* bytes sent and not known to be stored */
void object_write_commit(struct object_write *);
/* Nothing is called any more. Not after commit(). NULL is fine. */
void object_write_abandon(struct object_write *);
/* The info first (KANAL_E_NOT_FOUND: none), then the pieces in order, then done, after which the read is
 * gone. Pauses when data() returned 1. */
struct object_read;
struct object_sink {
    void (*info)(void *user, const struct object_info *);
    int (*data)(void *user, kanal_str piece);
    void (*done)(void *user, kanal_status); /* KANAL_E_REJECTED: damaged (digest, missing chunks) */
};
int object_read_start(struct broker *, const char *bucket, kanal_str name, const struct object_sink *,
                      void *user, struct object_read **ret_read);
void object_read_resume(struct object_read *);
void object_read_cancel(struct object_read *); /* done() is not called */

#endif
