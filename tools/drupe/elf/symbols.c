// SPDX-License-Identifier: MIT
#include "elf/symbols.h"
#include <stdlib.h>
#include <string.h>

// A word of a table; 0 behind its end.
static uint32_t word(const Elf_Data *table, uint64_t index) {
    uint32_t value = 0;
    if (table && index < table->d_size / sizeof(value))
        memcpy(&value, (const char *)table->d_buf + index * sizeof(value), sizeof(value));
    return value;
}

// The number of symbols as the section headers have it; 0: they are not there.
static uint64_t count_of_section(Elf *elf) {
    GElf_Shdr header;
    for (Elf_Scn *section = NULL; (section = elf_nextscn(elf, section));)
        if (gelf_getshdr(section, &header) && header.sh_type == SHT_DYNSYM && header.sh_entsize)
            return header.sh_size / header.sh_entsize;
    return 0;
}

// The dynamic section does not say how many symbols there are. DT_HASH has a chain for each; DT_GNU_HASH
// knows the last of those that are defined, which come last, but nothing if none is.
static uint64_t count_symbols(const struct dynamic *d) {
    Elf_Data *hash = dynamic_table(d, DT_HASH, 0, ELF_T_WORD);
    uint64_t count = hash ? word(hash, 1) : count_of_section(d->elf);
    if (count)
        return count;
    Elf_Data *gnu = dynamic_table(d, DT_GNU_HASH, 0, ELF_T_WORD);
    uint32_t buckets = word(gnu, 0), first = word(gnu, 1);
    uint64_t table = 4 + 2 * (uint64_t)word(gnu, 2), chains = table + buckets, last = 0;
    for (uint64_t i = table; gnu && i < chains && i < gnu->d_size / 4; i++)
        last = word(gnu, i) > last ? word(gnu, i) : last;
    if (last < first)
        return first;
    while (gnu && chains + last - first < gnu->d_size / 4 && !(word(gnu, chains + last - first) & 1))
        last++;
    return last + 1;
}

static void add(struct symbol **to, size_t *count, const char *name, const char *version) {
    if ((*count & (*count - 1)) == 0) // full at powers of two
        *to = xrealloc(*to, (*count ? 2 * *count : 1) * sizeof(**to));
    (*to)[(*count)++] = (struct symbol){.name = xstrdup(name), .version = version ? xstrdup(version) : NULL};
}

static int compare(const void *a, const void *b) {
    return strcmp(((const struct symbol *)a)->name, ((const struct symbol *)b)->name);
}

const char *symbols_read(const struct dynamic *d, const struct versions *versions, struct symbols *out) {
    uint64_t address, count = count_symbols(d);
    if (!dynamic_value(d, DT_SYMTAB, &address) || !count)
        return NULL;
    Elf_Data *all = dynamic_table(d, DT_SYMTAB, 0, ELF_T_SYM);
    Elf_Data *versym = dynamic_table(d, DT_VERSYM, 0, ELF_T_HALF);
    if (!all || count > all->d_size / sizeof(Elf64_Sym))
        return "has a damaged dynamic section: its symbols are outside the file";
    for (uint64_t i = 1; i < count; i++) {
        GElf_Sym symbol;
        GElf_Versym version = 0;
        if (!gelf_getsym(all, (int)i, &symbol))
            return "has a damaged dynamic section: its symbols are outside the file";
        unsigned char binding = GELF_ST_BIND(symbol.st_info);
        const char *name = string_at(d->strings, symbol.st_name);
        if (binding == STB_LOCAL || (symbol.st_shndx == SHN_UNDEF && binding == STB_WEAK))
            continue;
        if (!name)
            return "has a damaged dynamic section: a symbol's name is outside its string table";
        if (versym && i < versym->d_size / sizeof(version))
            memcpy(&version, (const char *)versym->d_buf + i * sizeof(version), sizeof(version));
        const char *version_name = versions_name(versions, version);
        if (symbol.st_shndx == SHN_UNDEF && *name)
            add(&out->undefined, &out->undefined_count, name, version_name);
        else if (*name)
            add(&out->defined, &out->defined_count, name, version_name);
    }
    if (out->defined_count)
        qsort(out->defined, out->defined_count, sizeof(*out->defined), compare);
    return NULL;
}

bool symbols_define(const struct symbols *symbols, const char *name, const char *version) {
    size_t low = 0, high = symbols->defined_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (strcmp(symbols->defined[middle].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < symbols->defined_count && strcmp(symbols->defined[low].name, name) == 0; low++) {
        const char *has = symbols->defined[low].version;
        if (!version || !has || strcmp(has, version) == 0)
            return true;
    }
    return false;
}

bool symbols_use(const struct symbols *symbols, const char *name) {
    for (size_t i = 0; i < symbols->undefined_count; i++)
        if (strcmp(symbols->undefined[i].name, name) == 0)
            return true;
    return false;
}
