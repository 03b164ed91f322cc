// SPDX-License-Identifier: MIT
// What proc/coredump.c, which gathers and writes, and proc/core_notes.c, which describes, share.
#pragma once
#include "proc/coredump.h"
#include "lib/types.h"

// A stretch of memory, as it goes into the file.
struct core_area {
    unsigned long start, end, pgoff;
    unsigned int prot;
    unsigned long size; // bytes from its start that are in the file
    bool of_file;
    bool own; // it has no pages but those of the page table
};

struct core_notes {
    char *data;
    size_t size, room;
    bool failed; // no memory
};

struct core {
    int sig;
    const siginfo_t *info;
    struct core_area *areas;
    unsigned int count, room;
    struct core_notes notes, files; // `files`: the names of files that are mapped, each with its NUL
    unsigned int file_count;
};

// Appends. Failing is kept in `failed`.
void core_append(struct core_notes *notes, const void *data, size_t n);
// All notes of the current process, whose other threads rest; -ENOMEM.
int __must_check core_make_notes(struct core *c);
