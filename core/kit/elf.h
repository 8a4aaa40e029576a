/* kit/elf.h - what a shared object says of itself before any of its code runs: symbols, needed libraries, flags.
 *
 * The file is somebody else's: every offset and length is checked against it. Views point into the given bytes. [any thread] */
#ifndef KANAL_KIT_ELF_H
#define KANAL_KIT_ELF_H
#include "kanal/sdk/str.h"

struct elf_symbol {
    kanal_str name;
    int is_defined; /* else it is imported */
    int is_weak;
};
struct elf_file {
    const unsigned char *bytes;
    size_t len;
    uint16_t machine;
    int has_executable_stack, has_text_relocations, has_run_path;
    uint64_t constructor_bytes; /* of DT_INIT_ARRAY */
    /* the tables of .dynsym and .dynamic, as offsets into the file */
    uint64_t symbols, symbol_count, names, names_len, dynamic, dynamic_count;
};

/* 0, or KANAL_E_INVALID and *ret_reason (a literal): no 64-bit little-endian ELF shared object with a dynamic symbol table. */
int elf_read(struct elf_file *ret_file, kanal_str bytes, const char **ret_reason);
/* The index-th global symbol of .dynsym; 0 at the end. */
int elf_symbol_at(const struct elf_file *, uint64_t index, struct elf_symbol *ret_symbol);
/* True if it needs a library whose name starts so: "libasan.so". ret_name may be NULL. */
int elf_needs(const struct elf_file *, const char *prefix, kanal_str *ret_name);

#endif
