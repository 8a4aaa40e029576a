/* project/profiles.h - the records of nodes (profile.h) in the bucket <prefix>_profiles: how they are kept, and how they are read. [loop]
 *
 * Key "<generation>.<node>". A rebuild folds into the next generation beside the present one; the position names the one that counts.
 * Written by the projector alone, by compare-and-set; a batch costs one put a node. */
#ifndef KANAL_PROJECT_PROFILES_H
#define KANAL_PROJECT_PROFILES_H
#include "project/position.h"
#include "project/profile.h"

/* ---- The projection ---- */

struct profiles;

/* 0, or KANAL_E_INTERNAL. */
int profiles_new(struct profiles **ret_profiles, struct host *, const char *prefix);
struct projection *profiles_projection(struct profiles *);
/* Before its reader starts. */
void profiles_set_generation(struct profiles *, uint64_t generation);
/* After broker_shut(). NULL is fine. */
void profiles_free(struct profiles *);

/* ---- Reading, in every gateway ---- */

struct profile_book;

/* 0, or KANAL_E_INTERNAL. */
int profile_book_new(struct profile_book **ret_book, struct host *, const char *prefix);
/* The bucket is there: the position is watched. */
void profile_book_start(struct profile_book *);
/* As it is known here: a moment late. */
const struct position *profile_book_position(const struct profile_book *);
/* What is known of each node: a record, NULL where there is none; borrowed for the call. Once, never inside the call, unless there is no
 * memory. status: KANAL_OK, or the broker's failure. */
typedef void profile_records_fn(void *user, kanal_status, yyjson_val *const *records, size_t count);
void profile_book_get(struct profile_book *, const struct id *nodes, size_t count, profile_records_fn *done,
                      void *user);
/* After broker_shut(). NULL is fine. */
void profile_book_free(struct profile_book *);

/* The bucket's name; a record's key. */
void profiles_bucket(const char *prefix, char ret_bucket[64]);
kanal_str profiles_key(uint64_t generation, const char *node, char ret_key[64]);

#endif
