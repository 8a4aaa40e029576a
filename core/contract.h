/* contract.h - proto/kanal.schema.json, compiled in. */
#ifndef KANAL_CONTRACT_H
#define KANAL_CONTRACT_H
#include <stddef.h>
extern const unsigned char contract_schema[];
extern const size_t contract_schema_len;
#endif
