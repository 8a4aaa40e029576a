/* Reading an object: its meta message, then chunk after chunk, each found by DIRECT.GET as the next one
 * under the chunks' subject. No consumer is made that would have to be removed, and to pause is not to
 * ask. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/evp.h>
#include "object.h"

#define RETRIES 5u /* a replica may not have a chunk yet that its leader has */
#define RETRY_MS 200u

struct object_read {
    struct broker *broker;
    struct object_sink sink;
    void *user;
    char stream[160], bucket[128];
    struct kanal_buffer chunk_subject;
    char digest[128];
    EVP_MD_CTX *hash;
    uv_timer_t retry;
    uint64_t size, received, next_sequence;
    uint32_t missing; /* answers in a row that there is no further chunk */
    int busy, paused, over, closed;
};

static void maybe_free(struct object_read *r)
{
    if (!r->closed || r->busy)
        return;
    kanal_buffer_release(&r->chunk_subject);
    EVP_MD_CTX_free(r->hash);
    free(r);
}

static void retry_closed(uv_handle_t *handle)
{
    struct object_read *r = handle->data;

    r->closed = 1;
    maybe_free(r);
}

static void end(struct object_read *r)
{
    r->over = 1;
    uv_close((uv_handle_t *)&r->retry, retry_closed);
}

static void done(struct object_read *r, kanal_status status)
{
    if (r->over)
        return;
    end(r);
    r->sink.done(r->user, status);
}

static void finish(struct object_read *r)
{
    unsigned char sha256[EVP_MAX_MD_SIZE];
    char digest[OBJECT_DIGEST];
    unsigned len = 0;

    if (EVP_DigestFinal_ex(r->hash, sha256, &len) != 1 || len != 32) {
        done(r, KANAL_E_INTERNAL);
        return;
    }
    object_digest(sha256, digest);
    done(r, strcmp(digest, r->digest) == 0 ? KANAL_OK : KANAL_E_REJECTED);
}

static void ask(struct object_read *r);

static void retry_cb(uv_timer_t *timer)
{
    ask(timer->data);
}

static void got_chunk(void *user, kanal_status status, const struct js_message *m)
{
    struct object_read *r = user;

    r->busy = 0;
    if (r->over) {
        maybe_free(r);
        return;
    }
    if (status == KANAL_E_NOT_FOUND && r->missing++ < RETRIES) {
        uv_timer_start(&r->retry, retry_cb, RETRY_MS, 0);
        return;
    }
    if (status != KANAL_OK) {
        done(r, status == KANAL_E_NOT_FOUND ? KANAL_E_REJECTED : status);
        return;
    }
    r->missing = 0;
    r->next_sequence = m->sequence + 1;
    r->received += m->payload.len;
    if (r->received > r->size || EVP_DigestUpdate(r->hash, m->payload.ptr, m->payload.len) != 1) {
        done(r, KANAL_E_REJECTED);
        return;
    }
    if (r->sink.data(r->user, m->payload) != 0)
        r->paused = 1;
    ask(r);
}

static void ask(struct object_read *r)
{
    if (r->over || r->busy || r->paused)
        return;
    if (r->received == r->size) {
        finish(r);
        return;
    }
    r->busy = 1;
    js_get_next(r->broker, r->stream, kanal_buffer_view(&r->chunk_subject), r->next_sequence, got_chunk, r);
}

static void got_meta(void *user, kanal_status status, const struct js_message *m)
{
    struct object_read *r = user;
    struct object_meta meta;
    struct object_info info;
    yyjson_doc *doc = NULL;

    r->busy = 0;
    if (r->over) {
        maybe_free(r);
        return;
    }
    if (status == KANAL_OK && object_meta_parse(m->payload, &doc, &meta) != 0)
        status = KANAL_E_REJECTED;
    else if (status == KANAL_OK && (meta.deleted || meta.is_link))
        status = KANAL_E_NOT_FOUND;
    if (status == KANAL_OK) {
        r->size = meta.size;
        snprintf(r->digest, sizeof r->digest, "%.*s", (int)(meta.digest.len < 127 ? meta.digest.len : 127),
                 meta.digest.ptr ? meta.digest.ptr : "");
        object_chunk_subject(&r->chunk_subject, r->bucket, meta.nuid);
        info = (struct object_info){ meta.name, meta.content_type, meta.filename, meta.size };
        r->sink.info(r->user, &info);
        ask(r);
    } else {
        done(r, status);
    }
    yyjson_doc_free(doc);
}

int object_read_start(struct broker *b, const char *bucket, kanal_str name, const struct object_sink *sink,
                      void *user, struct object_read **ret_read)
{
    struct kanal_buffer subject;
    struct object_read *r;

    if (!js_name_valid(kanal_str_c(bucket)) || strlen(bucket) > 100 || name.len == 0 || name.len > 512)
        return KANAL_E_INVALID;
    r = calloc(1, sizeof *r);
    if (!r)
        return KANAL_E_INTERNAL;
    r->hash = EVP_MD_CTX_new();
    kanal_buffer_init(&subject);
    object_meta_subject(&subject, bucket, name);
    if (!r->hash || EVP_DigestInit_ex(r->hash, EVP_sha256(), NULL) != 1 || subject.failed) {
        kanal_buffer_release(&subject);
        EVP_MD_CTX_free(r->hash);
        free(r);
        return KANAL_E_INTERNAL;
    }
    r->broker = b;
    r->sink = *sink;
    r->user = user;
    r->next_sequence = 1;
    snprintf(r->stream, sizeof r->stream, "OBJ_%s", bucket);
    snprintf(r->bucket, sizeof r->bucket, "%s", bucket);
    uv_timer_init(b->loop, &r->retry);
    r->retry.data = r;
    r->busy = 1;
    js_get_last(b, r->stream, kanal_buffer_view(&subject), got_meta, r);
    kanal_buffer_release(&subject);
    *ret_read = r;
    return 0;
}

void object_read_resume(struct object_read *r)
{
    if (!r->paused || r->over)
        return;
    r->paused = 0;
    /* Not inside this call: its caller may not be ready for done(). */
    uv_timer_start(&r->retry, retry_cb, 0, 0);
}

void object_read_cancel(struct object_read *r)
{
    if (r && !r->over)
        end(r);
}
