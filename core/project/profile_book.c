/* Reading records, in every gateway. */
#include <stdio.h>

#include "broker/kv.h"
#include "project/profiles.h"

struct profile_book {
    struct host *host;
    char bucket[64];
    struct kv_watch *watch;
    struct position position;
};

/* Records of several nodes that are asked for together. */
struct reading {
    profile_records_fn *done;
    void *user;
    size_t count, left;
    kanal_status status;
    struct one {
        struct reading *reading;
        yyjson_doc *document;
    } all[];
};

int profile_book_new(struct profile_book **ret_book, struct host *host, const char *prefix)
{
    struct profile_book *book = calloc(1, sizeof *book);
    if (!book)
        return KANAL_E_INTERNAL;
    book->host = host;
    book->position.generation = 1;
    profiles_bucket(prefix, book->bucket);
    *ret_book = book;
    return 0;
}

static void on_position(void *user, kanal_str key, kanal_str value, uint64_t revision)
{
    struct profile_book *book = user;
    if (key.len > 0 && position_read(&book->position, value, revision) != 0)
        log_write(book->host->log, KANAL_LOG_ERROR, "projector", NULL,
                  "%s: the record %s is none of this gateway", book->bucket, POSITION_KEY);
}

void profile_book_start(struct profile_book *book)
{
    if (!book->watch &&
        kv_watch_start(book->host->broker, book->bucket, POSITION_KEY, on_position, book, &book->watch) != 0)
        log_write(book->host->log, KANAL_LOG_ERROR, "projector", NULL, "%s cannot be watched: out of memory",
                  book->bucket);
}

const struct position *profile_book_position(const struct profile_book *book)
{
    return &book->position;
}

void profile_book_free(struct profile_book *book)
{
    if (book && book->watch)
        kv_watch_stop(book->watch);
    free(book);
}

/* ---- Records ---- */

static void finish(struct reading *reading)
{
    yyjson_val **records = calloc(reading->count + 1, sizeof(yyjson_val *));
    for (size_t i = 0; records && i < reading->count; i++)
        records[i] = yyjson_doc_get_root(reading->all[i].document);
    if (records)
        reading->done(reading->user, reading->status, records, reading->count);
    else
        reading->done(reading->user, KANAL_E_INTERNAL, NULL, 0);
    free(records);
    for (size_t i = 0; i < reading->count; i++)
        yyjson_doc_free(reading->all[i].document);
    free(reading);
}

static void on_record(void *user, kanal_status status, kanal_str value, uint64_t revision)
{
    struct one *one = user;
    struct reading *reading = one->reading;
    (void)revision;
    if (status == KANAL_OK)
        one->document = kanal_json_parse(value);
    else if (status != KANAL_E_NOT_FOUND)
        reading->status = status;
    if (--reading->left == 0)
        finish(reading);
}

void profile_book_get(struct profile_book *book, const struct id *nodes, size_t count,
                      profile_records_fn *done, void *user)
{
    char key[64];
    struct reading *reading = calloc(1, sizeof *reading + count * sizeof *reading->all);
    if (!reading || count == 0) {
        free(reading);
        done(user, count == 0 ? KANAL_OK : KANAL_E_INTERNAL, NULL, 0);
        return;
    }
    *reading = (struct reading){ .done = done, .user = user, .count = count, .left = count };
    for (size_t i = 0; i < count; i++)
        reading->all[i].reading = reading;
    for (size_t i = 0; i < count; i++)
        kv_get(book->host->broker, book->bucket, profiles_key(book->position.generation, nodes[i].text, key),
               on_record, &reading->all[i]);
}
