// SPDX-License-Identifier: MIT
// What an ELF object says that it will dlopen(): the note of the FDO packaging metadata specification, owner
// "FDO", type 0x407c0c0a, a JSON array of {feature, description, priority, soname[]}.
#pragma once
#include <gelf.h>
#include <libelf.h>
#include "common/util.h"

enum dlopen_priority { DLOPEN_REQUIRED, DLOPEN_RECOMMENDED, DLOPEN_SUGGESTED };

struct dlopen_note {
    enum dlopen_priority priority;
    char *feature, *description; // or NULL
    struct strings sonames;      // tried in this order, the first that is there is opened
};

struct dlopen_notes {
    struct dlopen_note *at;
    size_t count;
};

// Adds the notes of a PT_NOTE segment. What is not understood is told of in a note that names `host`.
void dlopen_read(Elf *elf, const GElf_Phdr *ph, const char *host, struct dlopen_notes *notes);
