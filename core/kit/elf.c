#include "kit/elf.h"

#include <elf.h>

static int inside(const struct elf_file *file, uint64_t offset, uint64_t bytes)
{
    return offset <= file->len && bytes <= file->len - offset;
}

/* Copies: nothing in a file need be aligned. */
static int take(const struct elf_file *file, uint64_t offset, void *out, size_t bytes)
{
    if (!inside(file, offset, bytes))
        return -1;
    memcpy(out, file->bytes + offset, bytes);
    return 0;
}

static kanal_str name_at(const struct elf_file *file, uint64_t offset)
{
    if (offset >= file->names_len)
        return kanal_str_of(NULL, 0);
    const char *name = (const char *)file->bytes + file->names + offset;
    return kanal_str_of(name, strnlen(name, file->names_len - offset));
}

static int refuse(const char **ret_reason, const char *reason)
{
    *ret_reason = reason;
    return KANAL_E_INVALID;
}

static int read_sections(struct elf_file *file, const Elf64_Ehdr *header, const char **ret_reason)
{
    Elf64_Shdr section, names;
    for (uint64_t i = 0; i < header->e_shnum; i++) {
        if (take(file, header->e_shoff + i * sizeof section, &section, sizeof section) != 0)
            return refuse(ret_reason, "its section table is cut off");
        if (section.sh_type == SHT_DYNAMIC && inside(file, section.sh_offset, section.sh_size)) {
            file->dynamic = section.sh_offset;
            file->dynamic_count = section.sh_size / sizeof(Elf64_Dyn);
        }
        if (section.sh_type != SHT_DYNSYM)
            continue;
        if (section.sh_link >= header->e_shnum ||
            take(file, header->e_shoff + section.sh_link * sizeof names, &names, sizeof names) != 0 ||
            !inside(file, names.sh_offset, names.sh_size) ||
            !inside(file, section.sh_offset, section.sh_size))
            return refuse(ret_reason, "its symbol table is cut off");
        file->symbols = section.sh_offset;
        file->symbol_count = section.sh_size / sizeof(Elf64_Sym);
        file->names = names.sh_offset;
        file->names_len = names.sh_size;
    }
    return file->symbol_count > 0 ? 0 : refuse(ret_reason, "it has no dynamic symbol table");
}

static void read_flags(struct elf_file *file, const Elf64_Ehdr *header)
{
    Elf64_Phdr segment;
    Elf64_Dyn entry;
    for (uint64_t i = 0; i < header->e_phnum; i++)
        if (take(file, header->e_phoff + i * sizeof segment, &segment, sizeof segment) == 0 &&
            segment.p_type == PT_GNU_STACK)
            file->has_executable_stack = (segment.p_flags & PF_X) != 0;
    for (uint64_t i = 0; i < file->dynamic_count; i++) {
        if (take(file, file->dynamic + i * sizeof entry, &entry, sizeof entry) != 0 || entry.d_tag == DT_NULL)
            break;
        file->has_text_relocations |=
            entry.d_tag == DT_TEXTREL || (entry.d_tag == DT_FLAGS && entry.d_un.d_val & DF_TEXTREL);
        file->has_run_path |= entry.d_tag == DT_RPATH || entry.d_tag == DT_RUNPATH;
        if (entry.d_tag == DT_INIT_ARRAYSZ)
            file->constructor_bytes = entry.d_un.d_val;
    }
}

int elf_read(struct elf_file *ret_file, kanal_str bytes, const char **ret_reason)
{
    struct elf_file file = { .bytes = (const unsigned char *)bytes.ptr, .len = bytes.len };
    Elf64_Ehdr header;
    if (take(&file, 0, &header, sizeof header) != 0 || memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
        return refuse(ret_reason, "it is no ELF file");
    if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB)
        return refuse(ret_reason, "it is no 64-bit little-endian ELF file");
    if (header.e_type != ET_DYN)
        return refuse(ret_reason, "it is no shared object: link it with -shared");
    if (header.e_shentsize != sizeof(Elf64_Shdr) || header.e_phentsize != sizeof(Elf64_Phdr) ||
        header.e_shoff > file.len || header.e_phoff > file.len)
        return refuse(ret_reason, "its tables are of another size");
    file.machine = header.e_machine;
    int status = read_sections(&file, &header, ret_reason);
    if (status != 0)
        return status;
    read_flags(&file, &header);
    *ret_file = file;
    return 0;
}

int elf_symbol_at(const struct elf_file *file, uint64_t index, struct elf_symbol *ret_symbol)
{
    Elf64_Sym symbol;
    if (index >= file->symbol_count ||
        take(file, file->symbols + index * sizeof symbol, &symbol, sizeof symbol) != 0)
        return 0;
    const int binding = ELF64_ST_BIND(symbol.st_info);
    *ret_symbol = (struct elf_symbol){
        .name = binding == STB_LOCAL ? kanal_str_of(NULL, 0) : name_at(file, symbol.st_name),
        .is_defined = symbol.st_shndx != SHN_UNDEF,
        .is_weak = binding == STB_WEAK,
    };
    return 1;
}

int elf_needs(const struct elf_file *file, const char *prefix, kanal_str *ret_name)
{
    Elf64_Dyn entry;
    for (uint64_t i = 0; i < file->dynamic_count; i++) {
        if (take(file, file->dynamic + i * sizeof entry, &entry, sizeof entry) != 0 || entry.d_tag == DT_NULL)
            return 0;
        kanal_str name = entry.d_tag == DT_NEEDED ? name_at(file, entry.d_un.d_val) : kanal_str_of(NULL, 0);
        if (name.len == 0 || !kanal_str_starts(name, prefix))
            continue;
        if (ret_name)
            *ret_name = name;
        return 1;
    }
    return 0;
}
