/* An object that is written piece by piece: its size is known only at the end. As object_put.c, chunks first, then the meta message
 * that makes them the object; a failure, or being given up, purges what is there. Names are never used twice, so there is no
 * older object to look up. */
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "object.h"

#define TIMEOUT_MS 30000u

struct object_write {
    struct broker *broker;
    char bucket[128], stream[160];
    char nuid[OBJECT_NUID + 1], digest[OBJECT_DIGEST];
    struct kanal_buffer meta_subject, chunk_subject, pending; /* pending: less than a chunk, not sent yet */
    char *name, *content_type, *filename;
    EVP_MD_CTX *hash;
    uint64_t size, chunks, under_way_bytes;
    uint32_t under_way;
    kanal_status status; /* the first failure */
    int committing, abandoned, meta_sent;
    void (*room)(void *user);
    js_result_fn *committed;
    void *user;
};

static void write_free(struct object_write *w)
{
    kanal_buffer_release(&w->meta_subject);
    kanal_buffer_release(&w->chunk_subject);
    kanal_buffer_release(&w->pending);
    EVP_MD_CTX_free(w->hash);
    free(w->name);
    free(w->content_type);
    free(w->filename);
    free(w);
}

static void over(struct object_write *w)
{
    if (!w->abandoned)
        w->committed(w->user, w->status, js_status_reason(w->status));
    write_free(w);
}

static void on_purged(void *user, const struct js_answer *answer)
{
    (void)answer; /* chunks that stay behind cost room until the bucket forgets them */
    over(user);
}

static void purge(struct object_write *w)
{
    struct kanal_buffer body = { 0 };
    struct kanal_json json;
    char subject[200];
    kanal_json_init(&json, &body);
    kanal_json_object(&json);
    kanal_json_member_str(&json, "filter", kanal_buffer_view(&w->chunk_subject));
    kanal_json_object_end(&json);
    snprintf(subject, sizeof subject, "STREAM.PURGE.%s", w->stream);
    /* Without a filter it would purge everything; without a broker nobody answers, and the retention removes them. */
    if (w->chunks == 0 || body.failed || broker_get_state(w->broker) != BROKER_UP)
        over(w);
    else
        js_api(w->broker, subject, kanal_buffer_view(&body), on_purged, w);
    kanal_buffer_release(&body);
}

static void on_meta_stored(void *user, kanal_status status, const struct js_ack *ack, kanal_str reason)
{
    struct object_write *w = user;
    (void)ack, (void)reason;
    w->status = status;
    /* Perhaps it was stored: then the chunks must stay. */
    if (status == KANAL_OK || status == KANAL_E_TIMEOUT || status == KANAL_E_MAYBE ||
        status == KANAL_E_CANCELLED)
        over(w);
    else
        purge(w);
}

static void publish_meta(struct object_write *w)
{
    unsigned char sha256[EVP_MAX_MD_SIZE];
    EVP_DigestFinal_ex(w->hash, sha256, NULL);
    object_digest(sha256, w->digest);
    struct object_meta meta = { .name = kanal_str_c(w->name),
                                .content_type = kanal_str_c(w->content_type),
                                .filename = kanal_str_c(w->filename),
                                .nuid = kanal_str_c(w->nuid),
                                .digest = kanal_str_c(w->digest),
                                .size = w->size,
                                .chunks = w->chunks };
    kanal_field rollup = { KANAL_LIT("Nats-Rollup"), KANAL_LIT("sub") };
    struct kanal_buffer json = { 0 };
    struct broker_out out = { .subject = kanal_buffer_view(&w->meta_subject),
                              .headers = &rollup,
                              .header_count = 1 };
    w->meta_sent = 1;
    object_meta_write(&json, w->bucket, &meta);
    out.payload = kanal_buffer_view(&json);
    if (json.failed) {
        w->status = KANAL_E_BUSY;
        purge(w);
    } else {
        js_publish(w->broker, &out, kanal_str_of(NULL, 0), JS_ANY_SEQUENCE, TIMEOUT_MS, on_meta_stored, w);
    }
    kanal_buffer_release(&json);
}

/* When nothing is under way any more. */
static void go_on(struct object_write *w)
{
    if (w->under_way > 0 || w->meta_sent)
        return;
    if (w->abandoned || (w->committing && w->status != KANAL_OK))
        purge(w);
    else if (w->committing)
        publish_meta(w);
}

static void on_chunk_stored(void *user, kanal_status status, const struct js_ack *ack, kanal_str reason)
{
    struct object_write *w = user;
    (void)ack, (void)reason;
    w->under_way--;
    if (status != KANAL_OK && w->status == KANAL_OK)
        w->status = status;
    if (!w->abandoned && !w->committing)
        w->room(w->user);
    else
        go_on(w);
}

static void publish_chunk(struct object_write *w, size_t len)
{
    struct broker_out out = { .subject = kanal_buffer_view(&w->chunk_subject),
                              .payload = kanal_str_of(w->pending.data, len) };
    w->chunks++;
    w->under_way++;
    js_publish(w->broker, &out, kanal_str_of(NULL, 0), JS_ANY_SEQUENCE, TIMEOUT_MS, on_chunk_stored, w);
    memmove(w->pending.data, w->pending.data + len, w->pending.len - len);
    w->pending.len -= len;
}

kanal_status object_write_piece(struct object_write *w, kanal_str piece)
{
    if (w->status != KANAL_OK)
        return w->status;
    EVP_DigestUpdate(w->hash, piece.ptr, piece.len);
    w->size += piece.len;
    /* Chunk by chunk, so that no more than a chunk is ever moved. */
    while (piece.len > 0 && !w->pending.failed) {
        size_t room = OBJECT_CHUNK - w->pending.len, n = piece.len < room ? piece.len : room;
        kanal_buffer_append(&w->pending, piece.ptr, n);
        piece = kanal_str_from(piece, n);
        if (w->pending.len == OBJECT_CHUNK)
            publish_chunk(w, OBJECT_CHUNK);
    }
    if (w->pending.failed)
        w->status = KANAL_E_BUSY;
    return w->status;
}

size_t object_write_waiting(const struct object_write *w)
{
    return (size_t)w->under_way * OBJECT_CHUNK;
}

kanal_status object_write_status(const struct object_write *w)
{
    return w->status;
}

void object_write_commit(struct object_write *w)
{
    w->committing = 1;
    if (w->status == KANAL_OK && w->pending.len > 0)
        publish_chunk(w, w->pending.len);
    go_on(w);
}

void object_write_abandon(struct object_write *w)
{
    if (!w || w->abandoned)
        return;
    w->abandoned = 1;
    go_on(w);
}

static int copy_text(char **ret_copy, kanal_str text)
{
    if (text.len == 0)
        return 0;
    *ret_copy = kanal_str_dup(text);
    return *ret_copy ? 0 : -1;
}

int object_write_start(struct broker *b, const char *bucket, const struct object_info *info,
                       void (*room)(void *user), js_result_fn *committed, void *user,
                       struct object_write **ret_write)
{
    struct object_write *w = calloc(1, sizeof *w);
    if (!w)
        return KANAL_E_BUSY;
    w->broker = b;
    w->room = room;
    w->committed = committed;
    w->user = user;
    snprintf(w->bucket, sizeof w->bucket, "%s", bucket);
    snprintf(w->stream, sizeof w->stream, "OBJ_%s", bucket);
    object_meta_subject(&w->meta_subject, bucket, info->name);
    w->hash = EVP_MD_CTX_new();
    if (object_nuid(w->nuid) != 0 || copy_text(&w->name, info->name) != 0 ||
        copy_text(&w->content_type, info->content_type) != 0 ||
        copy_text(&w->filename, info->filename) != 0 || !w->hash ||
        EVP_DigestInit_ex(w->hash, EVP_sha256(), NULL) != 1)
        goto fail;
    object_chunk_subject(&w->chunk_subject, bucket, kanal_str_c(w->nuid));
    if (w->meta_subject.failed || w->chunk_subject.failed)
        goto fail;
    *ret_write = w;
    return 0;
fail:
    write_free(w);
    return KANAL_E_BUSY;
}
