/* inbound/spool/store_private.h - what store.c (the file) and store_rows.c (what is in it) share. */
#ifndef KANAL_INBOUND_SPOOL_STORE_PRIVATE_H
#define KANAL_INBOUND_SPOOL_STORE_PRIVATE_H
#include <sqlite3.h>
#include "inbound/spool/store.h"

enum store_statement {
    STORE_ADD,
    STORE_REMOVE,
    STORE_REFUSE,
    STORE_READ,
    STORE_MEASURE,
    STORE_OLDEST,
    STORE_BEGIN,
    STORE_COMMIT,
    STORE_ROLLBACK,
    STORE_STATEMENTS
};

struct store {
    sqlite3 *db;
    sqlite3_stmt *statements[STORE_STATEMENTS];
    int lock;
    char path[440];
};

/* Makes the status and the words of what SQLite said last. */
int store_failed(struct store *, char reason[STORE_REASON_BYTES]);

#endif
