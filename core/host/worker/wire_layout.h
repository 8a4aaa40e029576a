/* host/worker/wire_layout.h - how the members of a struct stand on the wire. Private to wire.c and wire_frames.c. */
#ifndef KANAL_HOST_WORKER_WIRE_LAYOUT_H
#define KANAL_HOST_WORKER_WIRE_LAYOUT_H
#include "wire.h"

enum wire_kind {
    WIRE_U32,       /* also int32_t */
    WIRE_U64,       /* also int64_t, double */
    WIRE_STR,       /* kanal_str */
    WIRE_C_STRING,  /* const char *, NUL-ended, or NULL */
    WIRE_C_STRINGS, /* const char *const *, NULL-ended, or NULL */
    WIRE_LIST,      /* pointer to an array, and its count */
    WIRE_POINTERS,  /* pointer to an array of pointers to structs, and its count */
    WIRE_POINTER    /* to one struct, or NULL */
};

struct wire_field {
    enum wire_kind kind;
    uint16_t offset, count_offset;
    uint32_t most; /* bytes of a text, items of a list; 0: what the frame may hold */
    const struct wire_layout *of;
};

struct wire_layout {
    uint32_t bytes; /* sizeof the struct */
    /* Of a struct that begins with struct_size: the least that is whole (minor 0). 0: a frozen one. */
    uint32_t whole_bytes;
    uint32_t least; /* bytes on the wire that one item takes at least */
    uint32_t count;
    const struct wire_field *fields;
};

struct wire_descriptor {
    const char *name;
    uint32_t sides;                   /* enum wire_side, or'ed */
    uint32_t most;                    /* bytes of the body */
    const struct wire_layout *layout; /* NULL: no members */
};

/* NULL: no such type. */
const struct wire_descriptor *wire_descriptor(uint32_t type);

#endif
