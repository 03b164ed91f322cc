// SPDX-License-Identifier: MIT
// What a file says about the files it needs: an ELF object's dynamic section (read with libelf), a script's
// first line.
#pragma once
#include <stdbool.h>
#include "elf/dlopen.h"
#include "lib/elf.h"
#include "elf/symbols.h"
#include "common/util.h"
#include "elf/versions.h"

enum object_kind {
    OBJECT_OTHER,  // needs nothing: data, a relocatable object, ...
    OBJECT_SCRIPT, // #!
    OBJECT_ELF,    // a program or shared object for RISC-V, 64 bits
    OBJECT_BAD,    // ELF, but unusable: `problem`
};

struct object {
    char *host; // its path, the key of the cache
    enum object_kind kind;
    char *problem;                       // OBJECT_BAD: "is for x86-64, ..."
    bool wrong_machine;                  // and that is the trouble
    char *interp;                        // program: its loader; script: its interpreter
    char *interp_argument;               // script: what follows on the line, or NULL
    struct strings needed;               // DT_NEEDED in order
    struct strings filters, auxiliaries; // DT_FILTER, DT_AUXILIARY
    struct strings audits;               // DT_AUDIT and DT_DEPAUDIT, lists with colons
    bool no_default;                     // -z nodefaultlib
    uint32_t flags;                      // e_flags
    char *soname;                        // or NULL
    char *rpath, *runpath;               // or NULL, as they stand
    char *build_id;                      // in hex, or NULL
    struct versions versions;
    struct symbols symbols;
    struct dlopen_notes dlopens;
    struct object *next; // in its bucket of the cache
};

// Reads the file once and remembers. Never NULL; one that cannot be read is complained of, and needs nothing.
struct object *object_of(const char *host);

// As object_of() for bytes that are not in a file of their own; `name`, which must not be another's, stands
// in for its path.
struct object *object_of_bytes(const char *name, const void *bytes, size_t size, bool executable);

// As object_of_bytes() without a place in the cache; `name` is for messages. Only ELF is
// understood.
struct object *object_of_elf(const char *name, const void *bytes, size_t size);
