/* kit/report.h - what the tests found, kept in the parent, and told to a person or a program. */
#ifndef KANAL_KIT_REPORT_H
#define KANAL_KIT_REPORT_H
#include "kit/inside.h"

struct finding {
    struct finding *next;
    char kind; /* 'F' failure, 'W' warning, 'S' the reason for skipping */
    char *step, *text;
};
struct outcome {
    const struct kit_test *test;
    struct finding *findings, **end;
    size_t failures, warnings;
    int skipped;
    int64_t took_ms;
};
struct report {
    const struct kit_check_options *options;
    struct outcome *outcomes; /* in the order of the tests */
    size_t count, capacity;
    char title[160]; /* "echo 1.0.0, ABI 1.0" */
    int use_colour;
};

struct outcome *report_add(struct report *, const struct kit_test *); /* NULL: out of memory */
/* One line of a child: see child.c. What is no such line is passed over. 1: it was the end of the test; 2: and its output is to be
 * shown. */
int report_line(struct outcome *, kanal_str line);
void report_finding(struct outcome *, char kind, kanal_str step, kanal_str text);
/* To stdout: one test as soon as it is done, and the sum; or everything as one JSON object. */
void report_print_title(const struct report *);
void report_print(const struct report *, const struct outcome *);
void report_print_sum(const struct report *);
void report_print_json(const struct report *);
size_t report_failed(const struct report *);
void report_release(struct report *);

#endif
