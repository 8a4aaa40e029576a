/* layout_reach.c - printed by layout.py, never edited. If this file does not compile, plugins that are already built would break. 64-bit
 * platforms. */
/* clang-format off */
#include "kanal/plugin.h"

#define CONSTANT(name, value) _Static_assert((name) == (value), #name " was renumbered")
#define SAME_TEXT(name, text) _Static_assert(sizeof(name) == sizeof(text) && __builtin_strcmp(name, text) == 0, #name " was renamed")
#define SIZE(type, size) _Static_assert(sizeof(type) == (size), #type " is frozen")
#define LEAST_SIZE(type, size) _Static_assert(sizeof(type) >= (size), #type " shrank")
#define SAME_TYPE(a, ...) _Static_assert(__builtin_types_compatible_p(a, __VA_ARGS__), #a " has another type")
#define MEMBER(type, member, offset, ...)                                                                              \
    _Static_assert(offsetof(type, member) == (offset), #type "." #member " moved");                                    \
    _Static_assert(__builtin_types_compatible_p(__typeof__(((type *)0)->member), __VA_ARGS__),                         \
                   #type "." #member " has another type")
CONSTANT(KANAL_CAP_TO_TEL, 549755813888);
CONSTANT(KANAL_CAP_TO_MAILTO, 1099511627776);
CONSTANT(KANAL_CAP_OPT_OUT, 2251799813685248);
