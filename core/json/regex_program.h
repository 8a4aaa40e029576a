/* json/regex_program.h - what regex_compile.c makes and regex_match.c runs. Private to both. */
#ifndef KANAL_JSON_REGEX_PROGRAM_H
#define KANAL_JSON_REGEX_PROGRAM_H
#include "regex.h"

#define REGEX_INSTRUCTIONS                                                                                   \
    2048u /* bounds the matcher's stack (about 9 KiB) and its time for each character */
#define REGEX_RANGES 1024u

enum regex_op {
    REGEX_CHAR,  /* x: the code point */
    REGEX_CLASS, /* x: first range, y: how many, negated */
    REGEX_SPLIT, /* goes on at x and at y */
    REGEX_JUMP,  /* goes on at x */
    REGEX_START,
    REGEX_END,
    REGEX_MATCH
};

struct regex_range {
    uint32_t first, last;
};

struct regex_instruction {
    uint16_t op;
    uint16_t negated;
    uint32_t x, y;
};

struct json_regex {
    uint32_t instruction_count, range_count;
    int anchored; /* every match starts at the start */
    struct regex_instruction *instructions;
    struct regex_range *ranges;
};

#endif
