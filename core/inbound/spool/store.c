#include "inbound/spool/store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "kanal/sdk/str.h"

#define APPLICATION_ID 0x4b616e61 /* "Kana" */
#define VERSION 1
#define PAGE_BYTES 4096u
#define LOCK_WAIT_MS 2000 /* for a predecessor that is ending */

static const char *const texts[STORE_STATEMENTS] = {
    [STORE_ADD] = "INSERT OR IGNORE INTO event (id, channel, class, is_late, created_ms, since_ms, key1, "
                  "key2, bytes, checksum, "
                  "subject, json, raw) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)",
    [STORE_REMOVE] = "DELETE FROM event WHERE seq = ?",
    [STORE_REFUSE] = "UPDATE event SET refused = ? WHERE seq = ?",
    [STORE_READ] = "SELECT seq, id, channel, class, is_late, created_ms, since_ms, key1, key2, checksum, "
                   "subject, json, raw "
                   "FROM event WHERE seq > ? AND refused IS NULL ORDER BY seq LIMIT ?",
    [STORE_MEASURE] = "SELECT count(*), coalesce(sum(bytes), 0) FROM event WHERE refused IS NULL",
    [STORE_OLDEST] = "SELECT created_ms FROM event WHERE refused IS NULL ORDER BY seq LIMIT 1",
    [STORE_BEGIN] = "BEGIN IMMEDIATE",
    [STORE_COMMIT] = "COMMIT",
    [STORE_ROLLBACK] = "ROLLBACK",
};

/* The long ones last: what stands before them is read without following their pages. */
static const char schema[] = "CREATE TABLE event (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL "
                             "UNIQUE, channel TEXT NOT NULL, "
                             "class INTEGER NOT NULL, is_late INTEGER NOT NULL, created_ms INTEGER NOT NULL, "
                             "since_ms INTEGER NOT NULL, "
                             "key1 INTEGER NOT NULL, key2 INTEGER NOT NULL, bytes INTEGER NOT NULL, checksum "
                             "INTEGER NOT NULL, refused TEXT, "
                             "subject TEXT NOT NULL, json BLOB NOT NULL, raw BLOB)";

/* ---- Errors ---- */

static void store_say(struct store *s, char reason[STORE_REASON_BYTES])
{
    snprintf(reason, STORE_REASON_BYTES, "%.140s: %.100s", s->path,
             s->db ? sqlite3_errmsg(s->db) : "out of memory");
}

int store_failed(struct store *s, char reason[STORE_REASON_BYTES])
{
    int code = s->db ? sqlite3_extended_errcode(s->db) : SQLITE_NOMEM;
    store_say(s, reason);
    /* A quota, or a limit on the file's size, is a write error to SQLite; to us it is a full disk. */
    return (code & 0xff) == SQLITE_FULL || code == SQLITE_IOERR_WRITE ? KANAL_E_BUSY : KANAL_E_INTERNAL;
}

static int is_damage(int code)
{
    return (code & 0xff) == SQLITE_CORRUPT || (code & 0xff) == SQLITE_NOTADB;
}

/* ---- Opening ---- */

static int make_directory(const char *directory, char reason[STORE_REASON_BYTES])
{
    char parent[440];
    snprintf(parent, sizeof parent, "%s", directory);
    char *slash = strrchr(parent, '/');
    if (slash && slash > parent)
        *slash = 0;
    int is_wrong =
        (mkdir(parent, 0700) != 0 && errno != EEXIST) || (mkdir(directory, 0700) != 0 && errno != EEXIST);
    if (is_wrong) {
        snprintf(reason, STORE_REASON_BYTES, "cannot make the folder %.150s: %s", directory, strerror(errno));
        return KANAL_E_INTERNAL;
    }
    return 0;
}

static int take_lock(struct store *s, const char *directory, char reason[STORE_REASON_BYTES])
{
    char path[440];
    snprintf(path, sizeof path, "%s/lock", directory);
    s->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (s->lock < 0) {
        snprintf(reason, STORE_REASON_BYTES, "cannot write %.150s: %s", path, strerror(errno));
        return KANAL_E_INTERNAL;
    }
    for (int waited_ms = 0; flock(s->lock, LOCK_EX | LOCK_NB) != 0; waited_ms += 50) {
        if (errno != EWOULDBLOCK || waited_ms >= LOCK_WAIT_MS) {
            snprintf(reason, STORE_REASON_BYTES, "%.150s is locked: another kanal runs on this data_dir",
                     path);
            return KANAL_E_REJECTED;
        }
        poll(NULL, 0, 50);
    }
    return 0;
}

/* The names of new files must last, too. */
static void sync_directory(const char *directory)
{
    char parent[440];
    snprintf(parent, sizeof parent, "%.400s/..", directory);
    const char *const both[] = { directory, parent };
    for (size_t i = 0; i < 2; i++) {
        int fd = open(both[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd >= 0) {
            (void)fsync(fd);
            close(fd);
        }
    }
}

static int run(struct store *s, const char *sql)
{
    return sqlite3_exec(s->db, sql, NULL, NULL, NULL);
}

static int64_t number_of(struct store *s, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    int64_t number = -1;
    if (sqlite3_prepare_v2(s->db, sql, -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW)
        number = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return number;
}

/* 1: what is read of it fits together. */
static int is_sound(struct store *s, char reason[STORE_REASON_BYTES])
{
    sqlite3_stmt *statement = NULL;
    int ok = 0;
    if (sqlite3_prepare_v2(s->db, "PRAGMA quick_check(1)", -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW) {
        const char *words = (const char *)sqlite3_column_text(statement, 0);
        ok = words && strcmp(words, "ok") == 0;
        snprintf(reason, STORE_REASON_BYTES, "%.140s: %.100s", s->path, words ? words : "?");
    } else {
        store_say(s, reason);
    }
    sqlite3_finalize(statement);
    return ok;
}

static int make_tables(struct store *s)
{
    char id[64];
    snprintf(id, sizeof id, "PRAGMA application_id = %d; PRAGMA user_version = %d", APPLICATION_ID, VERSION);
    return run(s, "BEGIN IMMEDIATE") == SQLITE_OK && run(s, schema) == SQLITE_OK && run(s, id) == SQLITE_OK &&
                   run(s, "COMMIT") == SQLITE_OK
               ? 0
               : -1;
}

static void close_file(struct store *s)
{
    for (size_t i = 0; i < STORE_STATEMENTS; i++)
        sqlite3_finalize(s->statements[i]);
    memset(s->statements, 0, sizeof s->statements);
    sqlite3_close(s->db);
    s->db = NULL;
}

/* 0; KANAL_E_NOT_FOUND: it is damaged or is something else; KANAL_E_INTERNAL: the system says no. */
static int open_file(struct store *s, uint64_t max_bytes, char reason[STORE_REASON_BYTES])
{
    /* Exclusive, before anything else: no -shm file, which could not be made on a full disk; and nobody else writes. */
    static const char settings[] =
        "PRAGMA locking_mode = EXCLUSIVE; PRAGMA auto_vacuum = INCREMENTAL; "
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON; "
        "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; "
        "PRAGMA journal_size_limit = 4194304";
    char limit[64];
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, code;
    if ((code = sqlite3_open_v2(s->path, &s->db, flags, NULL)) != SQLITE_OK ||
        (code = run(s, settings)) != SQLITE_OK) {
        store_say(s, reason);
        return is_damage(code) ? KANAL_E_NOT_FOUND : KANAL_E_INTERNAL;
    }
    if (!is_sound(s, reason))
        return (sqlite3_errcode(s->db) & 0xff) == SQLITE_IOERR ? KANAL_E_INTERNAL : KANAL_E_NOT_FOUND;
    int64_t objects = number_of(s, "SELECT count(*) FROM sqlite_schema");
    if (objects == 0 && make_tables(s) != 0) {
        store_say(s, reason);
        return KANAL_E_INTERNAL;
    }
    if (number_of(s, "PRAGMA application_id") != APPLICATION_ID ||
        number_of(s, "PRAGMA user_version") != VERSION) {
        snprintf(reason, STORE_REASON_BYTES, "%.140s is no spool of this version", s->path);
        return KANAL_E_NOT_FOUND;
    }
    if (max_bytes > 0) {
        snprintf(limit, sizeof limit, "PRAGMA max_page_count = %llu",
                 (unsigned long long)(max_bytes / PAGE_BYTES + 8));
        (void)run(s, limit);
    }
    for (size_t i = 0; i < STORE_STATEMENTS; i++)
        if (sqlite3_prepare_v3(s->db, texts[i], -1, SQLITE_PREPARE_PERSISTENT, &s->statements[i], NULL) !=
            SQLITE_OK) {
            store_say(s, reason);
            return KANAL_E_NOT_FOUND; /* a table with other columns */
        }
    return 0;
}

static int set_aside(struct store *s, struct store_opened *opened, const char *why,
                     char reason[STORE_REASON_BYTES])
{
    static const char *const ends[] = { "", "-wal", "-shm" };
    char from[460], to[500], stamp[32];
    time_t now = time(NULL);
    struct tm utc;
    gmtime_r(&now, &utc);
    strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%SZ", &utc);
    snprintf(opened->aside, sizeof opened->aside, "%s.corrupt-%s", s->path, stamp);
    for (int i = 1; access(opened->aside, F_OK) == 0 && i < 100; i++)
        snprintf(opened->aside, sizeof opened->aside, "%s.corrupt-%s-%d", s->path, stamp, i);
    snprintf(opened->aside_reason, sizeof opened->aside_reason, "%s", why);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        snprintf(from, sizeof from, "%s%s", s->path, ends[i]);
        snprintf(to, sizeof to, "%.480s%s", opened->aside, ends[i]);
        if (rename(from, to) != 0 && (i == 0 || errno != ENOENT)) {
            snprintf(reason, STORE_REASON_BYTES, "%.120s is damaged and cannot be renamed: %s", from,
                     strerror(errno));
            return KANAL_E_INTERNAL;
        }
    }
    return 0;
}

int store_open(struct store **ret_store, const char *directory, uint64_t max_bytes,
               struct store_opened *ret_opened, char reason[STORE_REASON_BYTES])
{
    struct store *s = calloc(1, sizeof *s);
    struct store_opened opened = { 0 };
    struct store_size size = { 0 };
    if (!s) {
        snprintf(reason, STORE_REASON_BYTES, "out of memory");
        return KANAL_E_INTERNAL;
    }
    s->lock = -1;
    int status = KANAL_E_INTERNAL;
    if (snprintf(s->path, sizeof s->path, "%s/spool.db", directory) >= 400) {
        snprintf(reason, STORE_REASON_BYTES, "data_dir is too long");
    } else if ((status = make_directory(directory, reason)) == 0 &&
               (status = take_lock(s, directory, reason)) == 0) {
        status = open_file(s, max_bytes, reason);
        if (status == KANAL_E_NOT_FOUND) {
            char why[STORE_REASON_BYTES];
            snprintf(why, sizeof why, "%s", reason);
            close_file(s);
            status = set_aside(s, &opened, why, reason);
            if (status == 0)
                status = open_file(s, max_bytes, reason) == 0 ? 0 : KANAL_E_INTERNAL;
        }
    }
    if (status == 0)
        status = store_measure(s, &size, reason);
    if (status != 0) {
        store_close(s);
        return status;
    }
    sync_directory(directory);
    opened.size = size;
    *ret_opened = opened;
    *ret_store = s;
    return 0;
}

void store_close(struct store *s)
{
    if (!s)
        return;
    close_file(s);
    if (s->lock >= 0)
        close(s->lock);
    free(s);
}
