// SPDX-License-Identifier: MIT
// What `drupe run` is asked for.
//
//   run_options.c  the command line
//   run.c          what goes into the machine
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "closure/input.h"
#include "common/util.h"

struct request {
    struct strings files, globs, variables;
    const char *kernel, *qemu, *append, *log;
    const char *harts;
    const char *library_path;
    const char *user, *workdir; // in the machine; NULL: root, and /
    uint64_t memory;            // bytes; 0: as the image wants it
    uint64_t timeout;           // ms; 0: none
    unsigned int gdb_port;
    bool bare, gdb, dry_run, no_stdin, quiet, verbose;
};

// Fills in what the options say, sysroots in `v`; optind is the program's. Ends the command for --help and mistakes.
void run_parse(int argc, char **argv, struct view *v, struct request *r);
