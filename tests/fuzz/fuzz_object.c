// SPDX-License-Identifier: MIT
// What the packer reads of ELF files: dynamic section, symbols, versions, notes, on any bytes. What it makes
// of them hangs together.
#include "packer.h"
#include <stdlib.h>
#include <string.h>
#include "tools/drupe/elf/object.h"

static void check_strings(const struct strings *strings) {
    for (size_t i = 0; i < strings->count; i++)
        packer_check(strlen(strings->at[i]) < SIZE_MAX);
}

static void check_symbols(const struct object *o) {
    const struct symbols *s = &o->symbols;
    for (size_t i = 0; i < s->defined_count; i++) {
        packer_check(i == 0 || strcmp(s->defined[i - 1].name, s->defined[i].name) <= 0);
        packer_check(*s->defined[i].name && symbols_define(s, s->defined[i].name, s->defined[i].version));
    }
    for (size_t i = 0; i < s->undefined_count; i++)
        packer_check(*s->undefined[i].name && symbols_use(s, s->undefined[i].name));
}

static void check_versions(const struct versions *v) {
    check_strings(&v->defined);
    packer_check(v->defines || !v->defined.count);
    for (size_t i = 0; i < v->needs_count; i++)
        packer_check(v->needs[i].file && v->needs[i].version);
    for (size_t i = 0; i <= v->names_count && i <= UINT16_MAX; i++) {
        const char *name = versions_name(v, (uint16_t)i);
        packer_check(!name || strlen(name) < SIZE_MAX);
    }
}

static void check_dlopens(const struct dlopen_notes *notes) {
    for (size_t i = 0; i < notes->count; i++) {
        packer_check(notes->at[i].priority <= DLOPEN_SUGGESTED && notes->at[i].sonames.count);
        check_strings(&notes->at[i].sonames);
        packer_check(!notes->at[i].feature || utf8_is_valid(notes->at[i].feature));
        packer_check(!notes->at[i].description || utf8_is_valid(notes->at[i].description));
    }
}

static void read_object(const uint8_t *bytes, size_t size) {
    const struct object *o = object_of_elf("the\nobject", bytes, size);
    packer_check(o->kind == OBJECT_OTHER || o->kind == OBJECT_ELF || o->kind == OBJECT_BAD);
    packer_check((o->kind == OBJECT_BAD) == (o->problem != NULL));
    packer_check(o->kind == OBJECT_BAD || !o->wrong_machine);
    if (o->problem) {
        complain("%s %s", o->host, o->problem);
        return;
    }
    if (o->build_id)
        packer_check(strlen(o->build_id) % 2 == 0 &&
                     strspn(o->build_id, "0123456789abcdef") == strlen(o->build_id));
    check_strings(&o->needed);
    check_versions(&o->versions);
    check_symbols(o);
    check_dlopens(&o->dlopens);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    packer_check(packer_run(read_object, bytes, size) == 0); // a bad object is told of, and ends nothing
    return 0;
}
