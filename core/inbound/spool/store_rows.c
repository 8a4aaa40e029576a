/* The rows of the spool. */
#include "inbound/spool/store_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inbound/keys.h"
#include "kanal/sdk/str.h"

#define ROW_BYTES 256u /* beside its texts: the rest of its row, and its share of the index */

enum column { SEQ, ID, CHANNEL, CLASS, IS_LATE, CREATED, SINCE, KEY1, KEY2, CHECKSUM, SUBJECT, JSON, RAW };

uint64_t store_bytes_of(const struct spool_event *event)
{
    return ROW_BYTES + event->subject.len + event->json.len + event->raw.len;
}

static int step(struct store *s, enum store_statement which)
{
    sqlite3_stmt *statement = s->statements[which];
    int code = sqlite3_step(statement);
    sqlite3_reset(statement);
    return code == SQLITE_DONE || code == SQLITE_ROW ? 0 : -1;
}

/* ---- Checksums: SQLite's own check sees pages, not what stands in them ---- */

static uint64_t checksum(const struct spool_event *event)
{
    const kanal_str texts[] = { event->id, event->channel, event->subject, event->json, event->raw };
    uint64_t h = KEY_HASH_BEGIN;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        h = key_hash(h, texts[i]);
    return h;
}

/* ---- Adding and removing ---- */

static void bind_text(sqlite3_stmt *statement, int at, kanal_str text)
{
    sqlite3_bind_text64(statement, at, text.ptr ? text.ptr : "", text.len, SQLITE_STATIC, SQLITE_UTF8);
}

static int add_one(struct store *s, struct spool_event *event)
{
    sqlite3_stmt *a = s->statements[STORE_ADD];
    bind_text(a, 1, event->id);
    bind_text(a, 2, event->channel);
    sqlite3_bind_int(a, 3, event->class);
    sqlite3_bind_int(a, 4, event->is_late);
    sqlite3_bind_int64(a, 5, event->created_ms);
    sqlite3_bind_int64(a, 6, event->since_ms);
    sqlite3_bind_int64(a, 7, (int64_t)event->keys[0]);
    sqlite3_bind_int64(a, 8, (int64_t)event->keys[1]);
    sqlite3_bind_int64(a, 9, (int64_t)store_bytes_of(event));
    sqlite3_bind_int64(a, 10, (int64_t)checksum(event));
    bind_text(a, 11, event->subject);
    sqlite3_bind_blob64(a, 12, event->json.ptr ? event->json.ptr : "", event->json.len, SQLITE_STATIC);
    if (event->raw.ptr)
        sqlite3_bind_blob64(a, 13, event->raw.ptr, event->raw.len, SQLITE_STATIC);
    else
        sqlite3_bind_null(a, 13);
    if (step(s, STORE_ADD) != 0)
        return -1;
    event->seq = sqlite3_changes(s->db) > 0 ? sqlite3_last_insert_rowid(s->db) : 0;
    return 0;
}

/* The words are those of what failed first, not of the rollback. */
static int undo(struct store *s, char reason[STORE_REASON_BYTES])
{
    int status = store_failed(s, reason);
    if (!sqlite3_get_autocommit(s->db))
        (void)step(s, STORE_ROLLBACK);
    return status;
}

int store_add(struct store *s, struct spool_event *const *events, size_t count,
              char reason[STORE_REASON_BYTES])
{
    int ok = step(s, STORE_BEGIN) == 0;
    for (size_t i = 0; ok && i < count; i++)
        ok = add_one(s, events[i]) == 0;
    sqlite3_clear_bindings(s->statements[STORE_ADD]);
    if (ok && step(s, STORE_COMMIT) == 0)
        return 0;
    for (size_t i = 0; i < count; i++)
        events[i]->seq = 0;
    return undo(s, reason);
}

int store_remove(struct store *s, const int64_t *seqs, size_t count, char reason[STORE_REASON_BYTES])
{
    int ok = step(s, STORE_BEGIN) == 0;
    for (size_t i = 0; ok && i < count; i++) {
        sqlite3_bind_int64(s->statements[STORE_REMOVE], 1, seqs[i]);
        ok = step(s, STORE_REMOVE) == 0;
    }
    return ok && step(s, STORE_COMMIT) == 0 ? 0 : undo(s, reason);
}

int store_refuse(struct store *s, int64_t seq, const char *why, char reason[STORE_REASON_BYTES])
{
    sqlite3_stmt *statement = s->statements[STORE_REFUSE];
    sqlite3_bind_text(statement, 1, why, -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 2, seq);
    int ok = step(s, STORE_REFUSE) == 0;
    sqlite3_clear_bindings(statement);
    return ok ? 0 : store_failed(s, reason);
}

/* ---- Reading ---- */

static kanal_str column(sqlite3_stmt *statement, int at)
{
    const void *bytes = sqlite3_column_blob(statement, at); /* of a text too: its bytes as they stand */
    int len = sqlite3_column_bytes(statement, at);
    return kanal_str_of(sqlite3_column_type(statement, at) == SQLITE_NULL ? NULL
                        : bytes                                           ? bytes
                                                                          : "",
                        (size_t)len);
}

static kanal_str put(char **at, kanal_str text)
{
    char *here = *at;
    if (!text.ptr)
        return text;
    memcpy(here, text.ptr, text.len);
    *at += text.len;
    return kanal_str_of(here, text.len);
}

static struct spool_event copy_row(sqlite3_stmt *r, char **at)
{
    return (struct spool_event){ .seq = sqlite3_column_int64(r, SEQ),
                                 .class = sqlite3_column_int(r, CLASS),
                                 .is_late = sqlite3_column_int(r, IS_LATE),
                                 .created_ms = sqlite3_column_int64(r, CREATED),
                                 .since_ms = sqlite3_column_int64(r, SINCE),
                                 .keys = { (uint64_t)sqlite3_column_int64(r, KEY1),
                                           (uint64_t)sqlite3_column_int64(r, KEY2) },
                                 .id = put(at, column(r, ID)),
                                 .channel = put(at, column(r, CHANNEL)),
                                 .subject = put(at, column(r, SUBJECT)),
                                 .json = put(at, column(r, JSON)),
                                 .raw = put(at, column(r, RAW)) };
}

static size_t text_bytes(sqlite3_stmt *r)
{
    static const int long_ones[] = { ID, CHANNEL, SUBJECT, JSON, RAW };
    size_t bytes = 0;
    for (size_t i = 0; i < sizeof long_ones / sizeof *long_ones; i++)
        bytes += column(r, long_ones[i]).len;
    return bytes;
}

/* 1: read; 0: it is damaged; -1: no memory. */
static int read_row(sqlite3_stmt *r, struct spool_event **ret_event)
{
    struct spool_event *event = malloc(sizeof *event + text_bytes(r) + 1);
    if (!event)
        return -1;
    char *at = (char *)(event + 1);
    *event = copy_row(r, &at);
    if (checksum(event) != (uint64_t)sqlite3_column_int64(r, CHECKSUM)) {
        free(event);
        return 0;
    }
    *ret_event = event;
    return 1;
}

int store_read(struct store *s, int64_t after, size_t count, size_t most_bytes,
               struct spool_event **ret_events, size_t *ret_count, size_t *ret_damaged,
               char reason[STORE_REASON_BYTES])
{
    sqlite3_stmt *r = s->statements[STORE_READ];
    int64_t damaged[16];
    size_t n = 0, bad = 0, bytes = 0;
    int code = SQLITE_DONE, got = 1;
    sqlite3_bind_int64(r, 1, after);
    sqlite3_bind_int64(r, 2, (int64_t)count);
    while (bytes < most_bytes && bad < 16 && got >= 0 && (code = sqlite3_step(r)) == SQLITE_ROW) {
        got = read_row(r, &ret_events[n]);
        if (got > 0)
            bytes += store_bytes_of(ret_events[n++]);
        else if (got == 0)
            damaged[bad++] = sqlite3_column_int64(r, SEQ);
    }
    int status = code == SQLITE_ROW || code == SQLITE_DONE ? 0 : store_failed(s, reason);
    sqlite3_reset(r);
    for (size_t i = 0; status == 0 && i < bad; i++)
        status = store_refuse(s, damaged[i], "its checksum is wrong", reason);
    if (got < 0 && n == 0) {
        snprintf(reason, STORE_REASON_BYTES, "out of memory");
        status = KANAL_E_INTERNAL;
    }
    for (size_t i = 0; status != 0 && i < n; i++)
        free(ret_events[i]);
    if (status != 0)
        return status;
    *ret_count = n;
    *ret_damaged = bad;
    return 0;
}

int store_each(struct store *s, store_row_fn *fn, void *user)
{
    sqlite3_stmt *r = NULL;
    int code = sqlite3_prepare_v2(s->db, "SELECT channel, key1, key2 FROM event WHERE refused IS NULL", -1,
                                  &r, NULL);
    while (code == SQLITE_OK && sqlite3_step(r) == SQLITE_ROW) {
        uint64_t keys[2] = { (uint64_t)sqlite3_column_int64(r, 1), (uint64_t)sqlite3_column_int64(r, 2) };
        fn(user, column(r, 0), keys);
    }
    if (code == SQLITE_OK)
        code = sqlite3_reset(r);
    sqlite3_finalize(r);
    return code == SQLITE_OK ? 0 : KANAL_E_INTERNAL;
}

int store_measure(struct store *s, struct store_size *ret_size, char reason[STORE_REASON_BYTES])
{
    sqlite3_stmt *statement = s->statements[STORE_MEASURE];
    int ok = sqlite3_step(statement) == SQLITE_ROW;
    if (ok)
        *ret_size = (struct store_size){ .rows = (uint64_t)sqlite3_column_int64(statement, 0),
                                         .bytes = (uint64_t)sqlite3_column_int64(statement, 1) };
    sqlite3_reset(statement);
    if (!ok)
        return store_failed(s, reason);
    ret_size->oldest_ms = store_oldest(s);
    return 0;
}

int64_t store_oldest(struct store *s)
{
    sqlite3_stmt *statement = s->statements[STORE_OLDEST];
    int64_t oldest_ms = sqlite3_step(statement) == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
    sqlite3_reset(statement);
    return oldest_ms;
}

void store_trim(struct store *s)
{
    (void)sqlite3_exec(s->db, "PRAGMA incremental_vacuum; PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL, NULL);
}
