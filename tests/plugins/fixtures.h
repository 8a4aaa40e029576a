/* fixtures.h - payloads of a provider as files, for the unit tests of plugins: read, held against golden files, mutated.
 *
 * A golden file (expected/NAME.json beside the fixtures) holds the events that a fixture tells, without what the core adds;
 * KANAL_WRITE_GOLDEN=1 writes them anew, for a person to read. */
#ifndef KANAL_TESTS_PLUGINS_FIXTURES_H
#define KANAL_TESTS_PLUGINS_FIXTURES_H
#include <criterion/criterion.h>

#include "kanal/testing/fakehost.h"
#include "kanal/sdk/json.h"

/* The whole file, NUL-ended; free() it. The test fails if it cannot be read. */
char *fixture_read(const char *folder, const char *name, size_t *ret_len);

typedef void fixture_fn(const char *name, void *user);
/* Every fixture of the folder; how many there are. */
size_t fixture_each(const char *folder, fixture_fn *, void *user);

/* Holds what was published against expected/NAME.json. */
void fixture_check(struct fake_host *, const char *folder, const char *name);

typedef void fixture_body_fn(kanal_str body, void *user);
/* The document with each of its values in turn replaced by others of every JSON type and by odd ones, and with each member
 * in turn removed; or its text cut at every byte. How many bodies there were. */
size_t fixture_mutate(kanal_str text, fixture_body_fn *, void *user);
size_t fixture_truncate(kanal_str text, fixture_body_fn *, void *user);

/* The value that a path of members names, "message/content/0/text", as text: strings as they are, others as JSON; "" if it
 * is not there. Valid until the next call. */
const char *value_at(yyjson_val *root, const char *path);
/* The same, of a published event's data. */
const char *event_value(struct fake_host *, size_t event, const char *path);

#define EXPECT_TEXT(actual, expected)                                                                        \
    cr_expect_str_eq(actual, expected, "%s is \"%s\", not \"%s\"", #actual, actual, expected)

#endif
