/* Any bytes as a shared object. */
#include "kit/elf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct elf_file file;
    struct elf_symbol symbol;
    const char *reason;
    size_t bytes = 0;
    if (elf_read(&file, kanal_str_of((const char *)data, size), &reason) != 0)
        return 0;
    for (uint64_t i = 0; i < 4096 && elf_symbol_at(&file, i, &symbol); i++)
        for (size_t k = 0; k < symbol.name.len; k++)
            bytes += (unsigned char)symbol.name.ptr[k];
    elf_needs(&file, "libc", &symbol.name);
    return bytes == 1;
}
