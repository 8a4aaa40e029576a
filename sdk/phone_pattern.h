/* phone_pattern.h - the patterns of phone_plans.c, for the helpers' own files.
 *
 * A subset of regular expressions over digits: digits, \d, classes [2-57], groups (…) and (?:…), alternatives, $, and ? {n} {n,m} behind one
 * digit or class, ? behind a group. The first alternative that leads to a match wins, as elsewhere. The patterns are ours; the text is
 * somebody's, but has at most PHONE_PATTERN_TEXT digits, which bounds time and stack. */
#ifndef KANAL_SDK_PHONE_PATTERN_INTERNAL_H
#define KANAL_SDK_PHONE_PATTERN_INTERNAL_H
#include "kanal/sdk/str.h"

#define PHONE_PATTERN_TEXT 32u
#define PHONE_PATTERN_GROUPS 2u

struct phone_match {
    size_t end;                            /* of what matched, from the text's beginning */
    unsigned groups;                       /* that the pattern has */
    kanal_str group[PHONE_PATTERN_GROUPS]; /* absent: took no part */
};

/* 1: the whole text matches. An empty pattern matches nothing. */
int phone_pattern_whole(const char *pattern, kanal_str text);
/* 1: the text begins so. ret_match is set only then. */
int phone_pattern_prefix(const char *pattern, kanal_str text, struct phone_match *ret_match);

#endif
