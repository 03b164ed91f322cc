// SPDX-License-Identifier: MIT
// `drupe`: what a person does with archives and images. Each command has its file here; below, each over those
// before it: common/; elf/, what a file needs; closure/, all that a program needs, over view.c, the guest's
// files before they are packed, into tree.c; archive/ reads and writes archives; image/, kernels with archives;
// root/ makes whole roots;
// machine/, QEMU.
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "commands.h"
#include "kernel/core/version.h"
#include "common/util.h"

static const struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *what;
} commands[] = {
    {"run", command_run, "run a program in a machine of its own"},
    {"pack", command_pack, "pack programs and all they need into an archive"},
    {"ls", command_ls, "list an archive, or the one inside a kernel image"},
    {"diff", command_diff, "compare what two archives unpack to"},
    {"check", command_check, "say what would go wrong with an archive"},
    {"deps", command_deps, "print what a program needs, as a tree"},
    {"root", command_root, "make a root of a distribution's packages"},
    {"cache", command_cache, "list the whole roots that are kept, or remove some"},
    {"image", command_image, "put another archive or command line into a kernel image, or take it out"},
};
#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

void print_version(void) {
    puts("drupe " KERNEL_RELEASE);
}

static void print_help(void) {
    puts("Usage: drupe COMMAND [ARGUMENT...]\n"
         "Makes archives of RISC-V Linux programs for kernels that carry their root file system.\n");
    for (size_t i = 0; i < COMMANDS; i++)
        printf("  %-6s %s\n", commands[i].name, commands[i].what);
    puts("\n`drupe COMMAND --help` tells more. Exit status: 0 done, 1 error, 2 misuse.");
}

int main(int argc, char **argv) {
    opterr = 0;
    setvbuf(stderr, NULL, _IOLBF, 0); // a message is one write(), whole beside other commands' messages
    if (argc < 2)
        misuse("", "which command?");
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        print_help();
        return EXIT_SUCCESS;
    }
    if (strcmp(argv[1], "--version") == 0) {
        print_version();
        return EXIT_SUCCESS;
    }
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    misuse("", "there is no command %s", argv[1]);
}
