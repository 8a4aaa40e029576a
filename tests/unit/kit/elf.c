/* The reader of shared objects, on a real one and on what is left of it. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "kit/elf.h"
#include "kanal/sdk/buffer.h"

static void read_all(const char *path, struct kanal_buffer *out)
{
    char chunk[65536];
    FILE *file = fopen(path, "rb");
    cr_assert_not_null(file, "%s", path);
    for (size_t n; (n = fread(chunk, 1, sizeof chunk, file)) > 0;)
        kanal_buffer_append(out, chunk, n);
    fclose(file);
}

Test(elf, a_plugin)
{
    struct kanal_buffer bytes = { 0 };
    struct elf_file file;
    struct elf_symbol symbol;
    const char *reason = NULL;
    int exports = 0, calloc_is_imported = 0;
    read_all(PLUGIN, &bytes);
    cr_assert_eq(elf_read(&file, kanal_buffer_view(&bytes), &reason), 0, "%s", reason);
    for (uint64_t i = 0; elf_symbol_at(&file, i, &symbol); i++) {
        exports += symbol.is_defined && kanal_str_is(symbol.name, "kanal_plugin_v1");
        calloc_is_imported |= !symbol.is_defined && kanal_str_is(symbol.name, "calloc");
    }
    cr_assert_eq(exports, 1);
    cr_assert(calloc_is_imported);
    cr_assert(elf_needs(&file, "libc.so", NULL));
    cr_assert_not(elf_needs(&file, "libnothing.so", NULL));
    cr_assert_not(file.has_executable_stack);
    cr_assert_not(file.has_text_relocations);
    kanal_buffer_release(&bytes);
}

Test(elf, what_is_cut_off_is_refused_or_read_within_its_bounds)
{
    struct kanal_buffer bytes = { 0 };
    const char *reason;
    read_all(PLUGIN, &bytes);
    for (size_t len = 0; len < bytes.len; len += 1 + len / 7) {
        struct elf_file file;
        struct elf_symbol symbol;
        char *part = malloc(len + 1); /* exactly so long, for the sanitizer */
        memcpy(part, bytes.data, len);
        if (elf_read(&file, kanal_str_of(part, len), &reason) == 0)
            for (uint64_t i = 0; elf_symbol_at(&file, i, &symbol); i++)
                ;
        free(part);
    }
    kanal_buffer_release(&bytes);
}

Test(elf, what_is_none)
{
    struct elf_file file;
    const char *reason = NULL;
    cr_assert_eq(elf_read(&file, KANAL_LIT(""), &reason), KANAL_E_INVALID);
    cr_assert_str_eq(reason, "it is no ELF file");
    cr_assert_eq(elf_read(&file,
                          KANAL_LIT("#!/bin/sh\n"
                                    "0123456789012345678901234567890123456789012345678901234567890"),
                          &reason),
                 KANAL_E_INVALID);
}
