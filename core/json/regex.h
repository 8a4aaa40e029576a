/* json/regex.h - the regular expressions of JSON Schema's `pattern`, compiled once and matched in linear time.
 *
 * ECMA-262 with the u flag (JSON Schema 2020-12, 6.4), as far as it is a regular language: literals, '.', classes with
 * ranges, \d \w \s \D \W \S, \t \n \v \f \r \0 \xHH \uHHHH \u{H…} \cX, anchors, groups, alternatives, greedy and lazy quantifiers.
 * Look-around, back-references, \b and \p are refused. Works on Unicode code points; a match may start and end anywhere.
 * Matching neither allocates nor writes to the program, so that many threads may share one. [any thread] */
#ifndef KANAL_JSON_REGEX_H
#define KANAL_JSON_REGEX_H
#include "kanal/plugin.h"

struct json_regex;

/* KANAL_E_INVALID: *ret_reason (static text) says what is wrong; also for programs that would be too large. */
int json_regex_new(struct json_regex **ret_regex, kanal_str pattern, const char **ret_reason);
void json_regex_free(struct json_regex *);
/* 1 or 0. Invalid UTF-8 counts as U+FFFD, byte by byte. Takes at most (length of text × size of pattern) steps. */
int json_regex_match(const struct json_regex *, kanal_str text);

/* The next code point of well-formed UTF-8, or U+FFFD for one wrong byte; *at moves on. at < text.len. */
uint32_t json_utf8_next(kanal_str text, size_t *at);

#endif
