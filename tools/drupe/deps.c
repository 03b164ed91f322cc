// SPDX-License-Identifier: MIT
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "closure/base.h"
#include "closure/closure.h"
#include "commands.h"
#include "common/json.h"
#include "closure/input.h"

static const char help[] =
    "Usage: drupe deps [OPTION...] PROGRAM...\n"
    "Prints what PROGRAM needs, as a tree: its loader, its libraries, theirs; for a script its interpreter. "
    "The\n"
    "libraries are searched where `drupe run` and `drupe pack` do it: in the sysroots, and then in the root "
    "of the\n"
    "kernel that came with this command. What stands in the tree already is not unfolded again.\n"
    "\n"
    "  -s, --sysroot DIR   the target's files are below DIR; may be given more than once, the first wins\n"
    "  -k, --kernel FILE   look in this kernel's root instead\n"
    "  -b, --bare          look in no kernel's root\n"
    "  -w, --why LIB       instead: who needs LIB (a name, such as libz.so.1, or a path on the target), each "
    "with\n"
    "                      a shortest chain from PROGRAM to it\n"
    "  -l, --list          instead: what the loader loads, and as what, as its own --list prints it\n"
    "  -L, --library-path DIRS  PROGRAM will run with this LD_LIBRARY_PATH: paths on the target\n"
    "      --json          as JSON, an array with an object for each PROGRAM: program, and objects: each "
    "with its path "
    "and what\n"
    "                      it needs (name, kind, and the path; null where it is missing)\n"
    "      --check-symbols also tell of symbols that are needed but defined by nothing they are loaded with\n"
    "  -h, --help          this text\n"
    "\n"
    "The exit status is 1 if anything is missing, or if nothing needs LIB.\n";

// ---- the tree ----

static void print_needs(const struct closure *c, size_t index, int depth, bool *shown) {
    const struct loaded *l = &c->all[index];
    for (size_t i = 0; i < l->needs_count; i++) {
        const struct need *need = &l->needs[i];
        printf("%*s%s", 2 * depth, "", need->name);
        if (need->index == SIZE_MAX)
            fputs(" => not found", stdout);
        else if (strcmp(need->name, c->all[need->index].path) != 0 &&
                 (*need->name != '/' || strcmp(need->name + 1, c->all[need->index].path) != 0))
            printf(" => /%s", c->all[need->index].path);
        puts(need_kinds[need->kind]);
        if (need->index != SIZE_MAX && !shown[need->index]) {
            shown[need->index] = true;
            print_needs(c, need->index, depth + 1, shown);
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

// ---- why ----

// Whether a need is for the library that was asked about: by the name it is needed by, its soname, its file's
// name, or its path.
static bool is_for(struct view *v, const struct closure *c, const struct need *need, const char *library) {
    if (strcmp(need->name, library) == 0)
        return true;
    if (need->index == SIZE_MAX)
        return false;
    const struct loaded *l = &c->all[need->index];
    if (!strchr(library, '/'))
        return strcmp(pathname_base(l->path), library) == 0 ||
               (l->object->soname && strcmp(l->object->soname, library) == 0);
    struct found f;
    return view_resolve(v, library, 0, &f) == 0 && strcmp(f.path, l->path) == 0;
}

// "/bin/prog -> /lib/liba.so", up to all[index].
static void print_chain(const struct closure *c, size_t index) {
    if (c->all[index].by != index) {
        print_chain(c, c->all[index].by);
        fputs(" -> ", stdout);
    }
    printf("/%s", c->all[index].path);
}

// Prints a line for each object of the program's closure that needs the library; gives their number. `before`
// leads to the program: the scripts it interprets.
static unsigned int print_why(struct view *v, const char *path, const char *library, const char *before) {
    struct closure c;
    unsigned int count = 0;
    closure_of(v, path, &c);
    if (c.count && c.all[0].object->kind == OBJECT_SCRIPT && strlen(before) < PATHNAME_MAX) {
        char *longer = xasprintf("%s/%s -> ", before, c.all[0].path);
        count += print_why(v, c.all[0].object->interp, library, longer);
        free(longer);
    }
    for (size_t i = 0; i < c.count; i++) {
        for (size_t n = 0; n < c.all[i].needs_count; n++) {
            const struct need *need = &c.all[i].needs[n];
            if (!is_for(v, &c, need, library))
                continue;
            fputs(before, stdout);
            print_chain(&c, i);
            printf(" -> %s%s%s\n", need->name, need_kinds[need->kind],
                   need->index == SIZE_MAX ? " (not found)" : "");
            count++;
        }
    }
    closure_free(&c);
    return count;
}

// ---- as the loader lists it ----

// Marks what is loaded when a program starts: not what is opened later, nor what audits in a world of its own.
static void mark_loaded(const struct closure *c, bool *loaded) {
    loaded[0] = c->count > 0;
    for (size_t i = 0; i < c->count; i++)
        for (size_t n = 0; loaded[i] && n < c->all[i].needs_count; n++) {
            const struct need *need = &c->all[i].needs[n];
            if (need->index != SIZE_MAX && need->kind != NEED_DLOPEN && need->kind != NEED_SILENT &&
                need->kind != NEED_AUDIT)
                loaded[need->index] = true;
        }
}

static void print_list(struct view *v, const char *path) {
    struct closure c;
    closure_of(v, path, &c);
    bool *loaded = xcalloc(c.count + 1, sizeof(*loaded));
    mark_loaded(&c, loaded);
    printf("%s%s\n", *path == '/' ? "" : "/", path);
    for (size_t i = 1; i < c.count; i++) {
        if (!loaded[i])
            continue;
        printf("\t%s", c.all[i].name);
        if (strcmp(c.all[i].name, c.all[i].found_as) != 0)
            printf(" => %s", c.all[i].found_as);
        putchar('\n');
    }
    for (size_t i = 0; i < c.count; i++)
        for (size_t n = 0; loaded[i] && n < c.all[i].needs_count; n++)
            if (c.all[i].needs[n].index == SIZE_MAX)
                printf("\t%s => not found\n", c.all[i].needs[n].name);
    free(loaded);
    closure_free(&c);
}

// ---- JSON ----

static void print_json_object(const struct closure *c, const struct loaded *l) {
    char *path = xasprintf("/%s", l->path);
    fputs("{\"path\": ", stdout);
    json_write_string(stdout, path);
    free(path);
    fputs(", \"needs\": [", stdout);
    for (size_t i = 0; i < l->needs_count; i++) {
        const struct need *need = &l->needs[i];
        const char *kind = need_kinds[need->kind];
        char *name = *kind ? xstrndup(kind + 2, strlen(kind) - 3) : xstrdup("needed");
        char *found = need->index == SIZE_MAX ? NULL : xasprintf("/%s", c->all[need->index].path);
        fputs(i ? ", {\"name\": " : "{\"name\": ", stdout);
        json_write_string(stdout, need->name);
        json_write_member(stdout, "kind", name);
        json_write_member(stdout, "path", found);
        putchar('}');
        free(name);
        free(found);
    }
    fputs("]}", stdout);
}

// The objects of a program; of a script, those of its interpreter.
static bool print_json_objects(struct view *v, const char *path, bool is_first, int depth) {
    struct closure c;
    closure_of(v, path, &c);
    for (size_t i = 0; i < c.count; i++, is_first = false) {
        fputs(is_first ? "\n  " : ",\n  ", stdout);
        print_json_object(&c, &c.all[i]);
    }
    if (c.count && c.all[0].object->kind == OBJECT_SCRIPT && depth < 8)
        is_first = print_json_objects(v, c.all[0].object->interp, is_first, depth + 1);
    closure_free(&c);
    return is_first;
}

static void print_json(struct view *v, const char *path, bool is_first) {
    char *program = xasprintf("%s%s", *path == '/' ? "" : "/", path);
    fputs(is_first ? "[{\"program\": " : ",\n{\"program\": ", stdout);
    json_write_string(stdout, program);
    fputs(", \"objects\": [", stdout);
    print_json_objects(v, path, true, 0);
    fputs("]}", stdout);
    free(program);
}

// ---- the command ----

struct request {
    const char *why, *kernel;
    bool list, bare, json;
};

static void parse(int argc, char **argv, struct view *v, struct request *r) {
    static const struct option options[] = {
        {"sysroot", required_argument, NULL, 's'}, {"kernel", required_argument, NULL, 'k'},
        {"bare", no_argument, NULL, 'b'},          {"why", required_argument, NULL, 'w'},
        {"list", no_argument, NULL, 'l'},          {"library-path", required_argument, NULL, 'L'},
        {"json", no_argument, NULL, 'j'},          {"check-symbols", no_argument, NULL, 'C'},
        {"help", no_argument, NULL, 'h'},          {0}};
    for (int c; (c = getopt_long(argc, argv, "s:k:bw:lL:h", options, NULL)) != -1;) {
        if (c == 's') {
            input_sysroot(v, optarg);
        } else if (c == 'k') {
            r->kernel = optarg;
        } else if (c == 'b') {
            r->bare = true;
        } else if (c == 'w') {
            r->why = optarg;
        } else if (c == 'l') {
            r->list = true;
        } else if (c == 'L') {
            v->library_path = optarg;
        } else if (c == 'j') {
            r->json = true;
        } else if (c == 'C') {
            v->check_symbols = true;
        } else if (c == 'h') {
            fputs(help, stdout);
            exit(EXIT_SUCCESS);
        } else {
            misuse_option("deps", options, argv);
        }
    }
    if (optind == argc)
        misuse("deps", "a PROGRAM is needed");
    if (r->json && (r->list || r->why))
        misuse("deps", "--json is a form of its own: leave out --list and --why");
}

int command_deps(int argc, char **argv) {
    struct view v = {.command = COMMAND_DEPS};
    struct request r = {.why = NULL};
    unsigned int reasons = 0;
    struct base base;
    parse(argc, argv, &v, &r);
    if (!r.bare)
        base_lay_under(base_open(&base, r.kernel, NULL), &v);
    for (int i = optind; i < argc; i++) {
        char *guest = input_host(&v, argv[i]);
        input_cross_root(&v);
        if (r.json) {
            print_json(&v, guest, i == optind);
        } else if (r.list) {
            print_list(&v, guest);
        } else if (r.why) {
            reasons += print_why(&v, guest, r.why, "");
        } else {
            printf("%s%s\n", *guest == '/' ? "" : "/", guest);
            fflush(stdout);
            print_tree(&v, guest, 1);
        }
        free(guest);
    }
    if (r.json)
        puts("]");
    closure_complete(&v); // complains of what a script or a library by itself lacks
    if (r.why && !reasons)
        complain("nothing needs %s; `drupe deps` without --why prints what is needed", r.why);
    return complaints() ? EXIT_FAILURE : EXIT_SUCCESS;
}
