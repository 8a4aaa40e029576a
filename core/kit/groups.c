/* All tests, in the order in which they are run: what explains most comes first. */
#include "kit/inside.h"

const struct kit_test *const kit_groups[] = { file_tests, descriptor_tests, life_tests,   host_tests,
                                              in_tests,   out_tests,        memory_tests, NULL };
