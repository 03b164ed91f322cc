// SPDX-License-Identifier: MIT
// Symbol versions of an ELF object: those it defines (verdef) and those it needs of others (verneed).
#pragma once
#include "elf/dynamic.h"
#include "common/util.h"

struct version_need {
    char *file;    // the name under which the object that defines it was loaded
    char *version; // "GLIBC_2.38"
    bool weak;     // the loader goes on without it
};

struct versions {
    struct strings defined; // without the base version, which is the object's own name
    bool defines;           // there are definitions at all
    struct version_need *needs;
    size_t needs_count;
    char **names; // of both, by the index that the symbols have; NULL where there is none
    size_t names_count;
};

// Reads both. NULL, or what is wrong with them.
const char *versions_read(const struct dynamic *d, struct versions *versions);

// The version that an entry of DT_VERSYM tells of; NULL: none, or the base version.
const char *versions_name(const struct versions *versions, uint16_t versym);
