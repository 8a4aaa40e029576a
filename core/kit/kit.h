/* kit/kit.h - the author's kit behind `kanal plugin`: writes a new plugin, and checks a finished one.
 *
 * The checker loads the plugin into child processes only, one a test, and plays the host there (kanal/testing/fakehost.h): clock, network
 * and chance are its own, so that a run is repeated by its seed. What kills or hangs a child is blamed on the call it was in. */
#ifndef KANAL_KIT_KIT_H
#define KANAL_KIT_KIT_H
#include <stdint.h>
#include "kanal/sdk/buffer.h"

struct kit_check_options {
    const char *file; /* as it was named */
    const char *path; /* set by kit_check() itself: the same, absolute */
    const char *
        fixtures; /* folder with conformance.json; NULL: fixtures/ beside the file, or in the working directory */
    const char *settings; /* a file that replaces its settings; NULL: none */
    const char *only;     /* one test, or a group: "provider"; NULL: all */
    uint64_t seed;
    uint32_t limit_s; /* of one test, real time */
    int json;
};
/* Prints the report to stdout. How many tests failed; negative: it could not begin, error says why. */
int kit_check(const struct kit_check_options *, struct kanal_buffer *error);
/* Prints every test's name and what it looks at. */
void kit_check_list(void);

/* Writes the plugin NAME into a folder, which is made if it is not there; refuses to replace any file, and then writes nothing.
 * name: as a plugin's id. 0 or a negative kanal_status; error says why. Prints the files' names. */
int kit_new(const char *name, const char *directory, struct kanal_buffer *error);

#endif
