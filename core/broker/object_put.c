/* Storing an object: what stands under the name now is looked up, the chunks are published, a few at a
 * time, then the meta message that makes them the object, and then the chunks of the one before are
 * purged. A failure on the way purges what it left. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/sha.h>
#include "object.h"

#define IN_FLIGHT 4u
#define TIMEOUT_MS 30000u

struct put {
    struct broker *broker;
    js_result_fn *fn;
    void *user;
    char bucket[128], stream[160];
    char nuid[OBJECT_NUID + 1], old_nuid[129], digest[OBJECT_DIGEST];
    struct kanal_buffer data, meta_subject, chunk_subject;
    char *name, *content_type, *filename;
    size_t sent;        /* bytes */
    uint32_t under_way; /* chunks */
    uint64_t chunks;
    kanal_status status; /* the first failure */
    char reason[200];
};

static void put_free(struct put *p)
{
    kanal_buffer_release(&p->data);
    kanal_buffer_release(&p->meta_subject);
    kanal_buffer_release(&p->chunk_subject);
    free(p->name);
    free(p->content_type);
    free(p->filename);
    free(p);
}

static void purged(void *user, const struct js_answer *answer)
{
    struct put *p = user;

    (void)answer; /* chunks that stay behind cost room, no more */
    p->fn(p->user, p->status, kanal_str_c(p->reason));
    put_free(p);
}

static void purge(struct put *p, const char *nuid)
{
    struct kanal_buffer filter, body;
    struct kanal_json j;
    char subject[200];

    kanal_buffer_init(&filter);
    kanal_buffer_init(&body);
    object_chunk_subject(&filter, p->bucket, kanal_str_c(nuid));
    kanal_json_init(&j, &body);
    kanal_json_object(&j);
    kanal_json_member_str(&j, "filter", kanal_buffer_view(&filter));
    kanal_json_object_end(&j);
    snprintf(subject, sizeof subject, "STREAM.PURGE.%s", p->stream);
    if (filter.failed || body.failed)
        purged(p, NULL); /* without a filter it would purge everything */
    else
        js_api(p->broker, subject, kanal_buffer_view(&body), purged, p);
    kanal_buffer_release(&filter);
    kanal_buffer_release(&body);
}

static void finish(struct put *p)
{
    if (p->status != KANAL_OK && p->chunks > 0)
        purge(p, p->nuid);
    else if (p->status == KANAL_OK && p->old_nuid[0] != '\0')
        purge(p, p->old_nuid);
    else
        purged(p, NULL);
}

static void fail(struct put *p, kanal_status status, kanal_str reason)
{
    if (p->status != KANAL_OK)
        return;
    p->status = status;
    snprintf(p->reason, sizeof p->reason, "%.*s", (int)(reason.len < 199 ? reason.len : 199),
             reason.ptr ? reason.ptr : "");
}

static void meta_stored(void *user, kanal_status status, const struct js_ack *ack, kanal_str reason)
{
    struct put *p = user;

    (void)ack;
    if (status != KANAL_OK)
        fail(p, status, reason);
    /* Perhaps it was stored: then the chunks must stay. */
    if (status == KANAL_E_TIMEOUT || status == KANAL_E_MAYBE || status == KANAL_E_CANCELLED)
        purged(p, NULL);
    else
        finish(p);
}

static void publish_meta(struct put *p)
{
    struct object_meta meta = { .name = kanal_str_c(p->name),
                                .content_type = kanal_str_c(p->content_type),
                                .filename = kanal_str_c(p->filename),
                                .nuid = kanal_str_c(p->nuid),
                                .digest = kanal_str_c(p->digest),
                                .size = p->data.len,
                                .chunks = p->chunks };
    kanal_field rollup = { KANAL_LIT("Nats-Rollup"), KANAL_LIT("sub") };
    struct kanal_buffer json;
    struct broker_out out = { .subject = kanal_buffer_view(&p->meta_subject),
                              .headers = &rollup,
                              .header_count = 1 };

    kanal_buffer_init(&json);
    object_meta_write(&json, p->bucket, &meta);
    out.payload = kanal_buffer_view(&json);
    if (json.failed) {
        fail(p, KANAL_E_BUSY, KANAL_LIT("out of memory"));
        finish(p);
    } else {
        js_publish(p->broker, &out, kanal_str_of(NULL, 0), JS_ANY_SEQUENCE, TIMEOUT_MS, meta_stored, p);
    }
    kanal_buffer_release(&json);
}

static void chunk_stored(void *user, kanal_status status, const struct js_ack *ack, kanal_str reason);

static void publish_chunks(struct put *p)
{
    while (p->status == KANAL_OK && p->under_way < IN_FLIGHT && p->sent < p->data.len) {
        size_t left = p->data.len - p->sent, len = left < OBJECT_CHUNK ? left : OBJECT_CHUNK;
        struct broker_out out = { .subject = kanal_buffer_view(&p->chunk_subject),
                                  .payload = kanal_str_of(p->data.data + p->sent, len) };

        p->sent += len;
        p->chunks++;
        p->under_way++;
        js_publish(p->broker, &out, kanal_str_of(NULL, 0), JS_ANY_SEQUENCE, TIMEOUT_MS, chunk_stored, p);
    }
    if (p->under_way > 0)
        return;
    if (p->status == KANAL_OK)
        publish_meta(p);
    else
        finish(p);
}

static void chunk_stored(void *user, kanal_status status, const struct js_ack *ack, kanal_str reason)
{
    struct put *p = user;

    (void)ack;
    p->under_way--;
    if (status != KANAL_OK)
        fail(p, status, reason);
    publish_chunks(p);
}

static void got_old(void *user, kanal_status status, const struct js_message *m)
{
    struct put *p = user;
    struct object_meta old;
    yyjson_doc *doc = NULL;

    if (status == KANAL_OK && object_meta_parse(m->payload, &doc, &old) == 0 && !old.deleted && !old.is_link)
        snprintf(p->old_nuid, sizeof p->old_nuid, "%.*s", (int)old.nuid.len, old.nuid.ptr);
    yyjson_doc_free(doc);
    if (status != KANAL_OK && status != KANAL_E_NOT_FOUND) {
        fail(p, status, js_status_reason(status));
        finish(p);
        return;
    }
    publish_chunks(p);
}

static int copy_text(char **ret_copy, kanal_str text)
{
    if (text.len == 0)
        return 0;
    *ret_copy = kanal_str_dup(text);
    return *ret_copy ? 0 : -1;
}

static void fail_later(const struct broker_asker *asker, kanal_status status, const struct broker_in *in)
{
    (void)in;
    ((js_result_fn *)asker->fn)(asker->user, status, js_status_reason(status));
}

static struct put *put_new(struct broker *b, const char *bucket, const struct object_info *info,
                           kanal_str data)
{
    struct put *p = calloc(1, sizeof *p);
    unsigned char sha256[32];

    if (!p)
        return NULL;
    p->broker = b;
    snprintf(p->bucket, sizeof p->bucket, "%s", bucket);
    snprintf(p->stream, sizeof p->stream, "OBJ_%s", bucket);
    kanal_buffer_str(&p->data, data);
    object_meta_subject(&p->meta_subject, bucket, info->name);
    if (object_nuid(p->nuid) != 0 || copy_text(&p->name, info->name) != 0 ||
        copy_text(&p->content_type, info->content_type) != 0 ||
        copy_text(&p->filename, info->filename) != 0) {
        put_free(p);
        return NULL;
    }
    object_chunk_subject(&p->chunk_subject, bucket, kanal_str_c(p->nuid));
    SHA256((const unsigned char *)(data.ptr ? data.ptr : ""), data.len, sha256);
    object_digest(sha256, p->digest);
    if (p->data.failed || p->meta_subject.failed || p->chunk_subject.failed) {
        put_free(p);
        return NULL;
    }
    return p;
}

void object_put(struct broker *b, const char *bucket, const struct object_info *info, kanal_str data,
                js_result_fn *fn, void *user)
{
    struct broker_asker asker = { fail_later, (void (*)(void))fn, user };
    struct put *p;

    if (!js_name_valid(kanal_str_c(bucket)) || strlen(bucket) > 100 || info->name.len == 0 ||
        info->name.len > 512 || memchr(info->name.ptr, '\0', info->name.len)) {
        broker_defer(b, &asker, KANAL_E_INVALID);
        return;
    }
    p = put_new(b, bucket, info, data);
    if (!p) {
        broker_defer(b, &asker, KANAL_E_BUSY);
        return;
    }
    p->fn = fn;
    p->user = user;
    js_get_last(b, p->stream, kanal_buffer_view(&p->meta_subject), got_old, p);
}
