/* kit/embedded.h - files of the tree that are compiled in. */
#ifndef KANAL_KIT_EMBEDDED_H
#define KANAL_KIT_EMBEDDED_H
#include <stddef.h>
extern const unsigned char kit_conformance_schema[]; /* sdk/conformance.schema.json */
extern const size_t kit_conformance_schema_len;
extern const unsigned char kit_samples[]; /* samples.json */
extern const size_t kit_samples_len;
#endif
