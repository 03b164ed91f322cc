// SPDX-License-Identifier: MIT
// The dynamic section of an ELF file and its tables, found through the program headers as the loader finds
// them, so that files without section headers are understood as well. Nothing is read outside the file.
#pragma once
#include <gelf.h>
#include <libelf.h>
#include <stdbool.h>
#include <stdint.h>

struct dynamic {
    Elf *elf;
    Elf_Data *entries;
    Elf_Data *strings; // DT_STRTAB, or NULL
};

// Bytes [offset, offset + size) of the file, as they stand or as an array of `type`; NULL where they are not
// there.
Elf_Data *elf_chunk(Elf *elf, uint64_t offset, uint64_t size, Elf_Type type);

// The notes of a PT_NOTE segment, for gelf_getnote(); NULL where they are not there.
Elf_Data *elf_notes(Elf *elf, const GElf_Phdr *ph);

// The dynamic section that a program header tells of; false where it is outside the file.
bool dynamic_open(struct dynamic *d, Elf *elf, const GElf_Phdr *ph);

// The value of a tag's first entry; false: there is none.
bool dynamic_value(const struct dynamic *d, int64_t tag, uint64_t *value);

// The `size` bytes (0: all that the segment has) at the address that a tag's entry gives; NULL where they are
// not there.
Elf_Data *dynamic_table(const struct dynamic *d, int64_t tag, uint64_t size, Elf_Type type);

// The string at `index` of a string table; NULL where it is not one.
const char *string_at(const Elf_Data *table, uint64_t index);
