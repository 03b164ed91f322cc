// SPDX-License-Identifier: MIT
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "closure.h"
#include "commands.h"
#include "input.h"

static const char help[] =
    "Usage: drupe deps [--sysroot DIR]... PROGRAM...\n"
    "Prints what PROGRAM needs, as a tree: its loader, its libraries, theirs; for a script its interpreter. "
    "The\n"
    "libraries are searched as `drupe pack` does it. What stands in the tree already is not unfolded again.\n"
    "\n"
    "  -s, --sysroot DIR   the target's files are below DIR; may be given more than once, the first wins\n"
    "  -h, --help          this text\n"
    "\n"
    "The exit status is 1 if anything is missing.\n";

static void print_needs(const struct closure *c, size_t index, int depth, bool *shown) {
    const struct loaded *l = &c->all[index];
    const struct object *o = l->object;
    for (size_t i = 0; i < l->needs_count; i++) {
        bool loader = index == 0 && o->interp && i == 0;
        const char *name = loader ? o->interp : o->needed.at[i - (index == 0 && o->interp ? 1 : 0)];
        size_t need = l->needs[i];
        printf("%*s%s", 2 * depth, "", name);
        if (need == SIZE_MAX)
            fputs(" => not found", stdout);
        else if (strcmp(name, c->all[need].path) != 0 &&
                 (*name != '/' || strcmp(name + 1, c->all[need].path) != 0))
            printf(" => /%s", c->all[need].path);
        puts(loader ? " (loader)" : "");
        if (need != SIZE_MAX && !shown[need]) {
            shown[need] = true;
            print_needs(c, need, depth + 1, shown);
        }
    }
}

static void print_tree(struct view *v, const char *path, int depth) {
    struct closure c;
    closure_of(v, path, &c);
    if (c.count && c.all[0].object->kind == OBJECT_SCRIPT && depth < 8) {
        const struct object *o = c.all[0].object;
        printf("%*s%s (interpreter)\n", 2 * depth, "", o->interp);
        print_tree(v, o->interp, depth + 1);
    }
    if (c.count) {
        bool *shown = xcalloc(c.count, sizeof(*shown));
        shown[0] = true;
        print_needs(&c, 0, depth, shown);
        free(shown);
    }
    closure_free(&c);
}

int command_deps(int argc, char **argv) {
    static const struct option options[] = {
        {"sysroot", required_argument, NULL, 's'}, {"help", no_argument, NULL, 'h'}, {0}};
    struct view v = {.keep_owner = false};
    for (int c; (c = getopt_long(argc, argv, "s:h", options, NULL)) != -1;) {
        if (c == 's') {
            input_sysroot(&v, optarg);
        } else if (c == 'h') {
            fputs(help, stdout);
            return EXIT_SUCCESS;
        } else {
            misuse("deps", "unknown or incomplete option");
        }
    }
    if (optind == argc)
        misuse("deps", "a PROGRAM is needed");
    for (int i = optind; i < argc; i++) {
        char *guest = input_host(&v, argv[i]);
        printf("%s%s\n", *guest == '/' ? "" : "/", guest);
        fflush(stdout);
        print_tree(&v, guest, 1);
        free(guest);
    }
    closure_complete(&v); // complains of what a script or a library by itself lacks
    return complaints() ? EXIT_FAILURE : EXIT_SUCCESS;
}
