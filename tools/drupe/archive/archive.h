// SPDX-License-Identifier: MIT
// Writes a tree as a newc archive. Equal trees give equal bytes: names in the tree's order, inodes numbered
// from 1, device 0. The data of a file of a page or more begin on a page, by NULs behind the name, where the
// name field stays within PATH_MAX.
#pragma once
#include "archive/compress.h"
#include "closure/tree.h"

struct archive_options {
    const char *output; // a path, or "-" for standard output
    struct compression compression;
    bool keep_mtime; // else `mtime` for all
    uint32_t mtime;
    const void *
        below; // an archive, or several, that this one is laid over: goes before it as it is, alone if the tree is empty
    uint64_t below_size;
    uint64_t output_at; // where in the output it begins, which is a file then
};

struct archive_totals {
    uint64_t entries, bytes; // of the whole archive
};

// Writes to a temporary file beside `output` that gets the name at the end, so that there is the old file or
// the new one. Ends the program where that fails; the temporary file is removed then, also on a signal.
void archive_write(struct tree *t, const struct archive_options *options, struct archive_totals *totals);
