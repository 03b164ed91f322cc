// SPDX-License-Identifier: MIT
// Both tables are chains in which each link gives the distance to the next; libelf checks that a link is
// inside the table.
#include "elf/versions.h"
#include <limits.h>
#include <stdlib.h>

#define INDEX_MASK 0x7fff // the bit above hides a definition from those who link without a version

static const char damaged[] = "has damaged symbol versions: its tables are not chains of versions with names";

// Whether there can be a link at `at`, in a table of which `links` links have been read: chains that run over
// each other are endless for practical purposes.
static bool is_link(const Elf_Data *table, size_t at, size_t links) {
    return at < table->d_size && at <= INT_MAX && links <= table->d_size / sizeof(GElf_Vernaux);
}

static void name_index(struct versions *out, uint16_t index, const char *name) {
    index &= INDEX_MASK;
    if (index >= out->names_count) {
        out->names = xrealloc(out->names, (index + 1u) * sizeof(char *));
        while (out->names_count <= index)
            out->names[out->names_count++] = NULL;
    }
    if (!out->names[index])
        out->names[index] = xstrdup(name);
}

const char *versions_name(const struct versions *versions, uint16_t versym) {
    versym &= INDEX_MASK;
    return versym < versions->names_count ? versions->names[versym] : NULL;
}

static bool read_definitions(const struct dynamic *d, struct versions *out) {
    uint64_t count = 0;
    Elf_Data *table = dynamic_table(d, DT_VERDEF, 0, ELF_T_VDEF);
    dynamic_value(d, DT_VERDEFNUM, &count);
    if (!table || !count)
        return !count;
    size_t at = 0;
    for (uint64_t i = 0; i < count; i++) {
        GElf_Verdef def;
        GElf_Verdaux aux;
        if (!is_link(table, at, out->defined.count) || !gelf_getverdef(table, (int)at, &def) ||
            !gelf_getverdaux(table, (int)(at + def.vd_aux), &aux))
            return false;
        const char *name = string_at(d->strings, aux.vda_name);
        if (!name || (def.vd_next == 0 && i + 1 < count))
            return false;
        if (!(def.vd_flags & VER_FLG_BASE)) {
            strings_add(&out->defined, name);
            name_index(out, def.vd_ndx, name);
        }
        at += def.vd_next;
    }
    out->defines = true;
    return true;
}

static void add_need(struct versions *out, const char *file, const char *version, bool weak) {
    out->needs = xrealloc(out->needs, (out->needs_count + 1) * sizeof(*out->needs));
    out->needs[out->needs_count++] =
        (struct version_need){.file = xstrdup(file), .version = xstrdup(version), .weak = weak};
}

static bool read_needs_of_file(const struct dynamic *d, Elf_Data *table, size_t at, const GElf_Verneed *need,
                               struct versions *out) {
    const char *file = string_at(d->strings, need->vn_file);
    at += need->vn_aux;
    for (unsigned int i = 0; i < need->vn_cnt; i++) {
        GElf_Vernaux aux;
        if (!file || !is_link(table, at, out->needs_count) || !gelf_getvernaux(table, (int)at, &aux))
            return false;
        const char *version = string_at(d->strings, aux.vna_name);
        if (!version || (aux.vna_next == 0 && i + 1 < need->vn_cnt))
            return false;
        add_need(out, file, version, aux.vna_flags & VER_FLG_WEAK);
        name_index(out, aux.vna_other, version);
        at += aux.vna_next;
    }
    return true;
}

static bool read_needs(const struct dynamic *d, struct versions *out) {
    uint64_t count = 0;
    Elf_Data *table = dynamic_table(d, DT_VERNEED, 0, ELF_T_VNEED);
    dynamic_value(d, DT_VERNEEDNUM, &count);
    if (!table || !count)
        return !count;
    size_t at = 0;
    for (uint64_t i = 0; i < count; i++) {
        GElf_Verneed need;
        if (!is_link(table, at, out->needs_count) || !gelf_getverneed(table, (int)at, &need) ||
            !read_needs_of_file(d, table, at, &need, out) || (need.vn_next == 0 && i + 1 < count))
            return false;
        at += need.vn_next;
    }
    return true;
}

const char *versions_read(const struct dynamic *d, struct versions *versions) {
    return read_definitions(d, versions) && read_needs(d, versions) ? NULL : damaged;
}
