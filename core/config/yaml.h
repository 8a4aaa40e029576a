/* config/yaml.h - YAML text to a JSON tree with positions.
 *
 * Events of libyaml; plain scalars by the core schema of YAML 1.2 (10.3.2): null, true, false, integers (decimal, 0o, 0x) and floats;
 * everything else, and whatever is quoted, is a string. So yes, no, on and off are strings. Refused, each with its place: anchors,
 * aliases, tags, merge keys, duplicate keys, several documents, keys that are no scalars, NUL, infinities and NaN, integers beyond
 * 64 bits, more than 32 levels. */
#ifndef KANAL_CONFIG_YAML_H
#define KANAL_CONFIG_YAML_H
#include <yyjson.h>
#include "errors.h"
#include "positions.h"

#define CONFIG_YAML_DEPTH 32u

/* The root is set in doc, positions are filled and sorted. Errors are collected: the tree is whole, though perhaps not as meant, if
 * *ret_whole is 1; else it ends where the error stands. 0 or KANAL_E_INTERNAL (no memory). */
int config_yaml_read(yyjson_mut_doc *, kanal_str text, struct config_positions *, struct config_errors *,
                     int *ret_whole);

/* A plain scalar's value: null, true, false or a number is set and 1 returned; 0: it is a string; -1: a number that cannot be kept. */
int config_yaml_plain(yyjson_mut_val *, kanal_str text);

#endif
