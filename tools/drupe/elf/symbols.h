// SPDX-License-Identifier: MIT
// The dynamic symbols of an ELF object.
#pragma once
#include "elf/dynamic.h"
#include "elf/versions.h"

struct symbol {
    char *name, *version; // version: or NULL
};

struct symbols {
    struct symbol *undefined; // those that must be found: not the weak ones
    size_t undefined_count;
    struct symbol *defined; // sorted by name
    size_t defined_count;
};

// NULL, or what is wrong with them.
const char *symbols_read(const struct dynamic *d, const struct versions *versions, struct symbols *out);

// Whether a symbol is defined; with a version (or NULL, any), only if it is defined with that version or
// without one.
bool symbols_define(const struct symbols *symbols, const char *name, const char *version);

// Whether one of the undefined symbols has this name.
bool symbols_use(const struct symbols *symbols, const char *name);
