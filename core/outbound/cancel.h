/* outbound/cancel.h - commands that were called back. [loop]
 *
 * k.<key> in the bucket of the ledger says so; every gateway watches these, so that whoever holds the command, in its lane or until its
 * time comes, drops it. What has left cannot be called back. */
#ifndef KANAL_OUTBOUND_CANCEL_H
#define KANAL_OUTBOUND_CANCEL_H
#include "outbound/internal.h"

/* NULL: no memory. fn runs for each command that is called back while we run, its key without "k.". */
struct cancels *cancels_new(struct outbound *, void (*fn)(struct outbound *, const char *key));
void cancels_start(struct cancels *);
void cancels_free(struct cancels *);
/* 1: it was called back. */
int cancels_have(const struct cancels *, const char *key);
void cancels_add(struct cancels *, const char *key, published_fn *done, void *user);

#endif
