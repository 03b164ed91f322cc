// SPDX-License-Identifier: MIT
#include "elf/dynamic.h"
#include <string.h>

Elf_Data *elf_chunk(Elf *elf, uint64_t offset, uint64_t size, Elf_Type type) {
    size_t file_size = 0;
    elf_rawfile(elf, &file_size);
    if (size == 0 || offset > file_size || size > file_size - offset)
        return NULL;
    return elf_getdata_rawchunk(elf, (int64_t)offset, size, type);
}

Elf_Data *elf_notes(Elf *elf, const GElf_Phdr *ph) {
    return elf_chunk(elf, ph->p_offset, ph->p_filesz, ph->p_align == 8 ? ELF_T_NHDR8 : ELF_T_NHDR);
}

// The file offset of a linked address, and the bytes the file has from there on in that segment.
static bool offset_of(Elf *elf, uint64_t address, uint64_t *offset, uint64_t *room) {
    size_t count;
    GElf_Phdr ph;
    if (elf_getphdrnum(elf, &count) != 0)
        return false;
    for (size_t i = 0; i < count; i++)
        if (gelf_getphdr(elf, (int)i, &ph) && ph.p_type == PT_LOAD && address >= ph.p_vaddr &&
            address - ph.p_vaddr < ph.p_filesz) {
            *offset = ph.p_offset + (address - ph.p_vaddr);
            *room = ph.p_filesz - (address - ph.p_vaddr);
            return true;
        }
    return false;
}

const char *string_at(const Elf_Data *table, uint64_t index) {
    if (!table || index >= table->d_size ||
        !memchr((char *)table->d_buf + index, '\0', table->d_size - index))
        return NULL;
    return (const char *)table->d_buf + index;
}

bool dynamic_value(const struct dynamic *d, int64_t tag, uint64_t *value) {
    GElf_Dyn e;
    for (int i = 0; gelf_getdyn(d->entries, i, &e) && e.d_tag != DT_NULL; i++)
        if (e.d_tag == tag) {
            *value = e.d_un.d_val;
            return true;
        }
    return false;
}

Elf_Data *dynamic_table(const struct dynamic *d, int64_t tag, uint64_t size, Elf_Type type) {
    uint64_t address, offset, room;
    if (!dynamic_value(d, tag, &address) || !offset_of(d->elf, address, &offset, &room) || size > room)
        return NULL;
    return elf_chunk(d->elf, offset, size ? size : room, type);
}

bool dynamic_open(struct dynamic *d, Elf *elf, const GElf_Phdr *ph) {
    uint64_t size;
    *d = (struct dynamic){.elf = elf, .entries = elf_chunk(elf, ph->p_offset, ph->p_filesz, ELF_T_DYN)};
    if (d->entries && dynamic_value(d, DT_STRSZ, &size) && size)
        d->strings = dynamic_table(d, DT_STRTAB, size, ELF_T_BYTE);
    return d->entries != NULL;
}
