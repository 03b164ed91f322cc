// SPDX-License-Identifier: MIT
// The files of the program's root: what was asked for, the program, and all that it needs.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "closure/advice.h"
#include "closure/closure.h"
#include "closure/input.h"
#include "closure/xattrs.h"
#include "commands.h"
#include "machine/machine.h"
#include "run/run.h"

// The init's bytes (tools/guest/init.c).
extern const uint8_t run_init[], run_init_end[];

// HOST[:GUEST] as GUEST=HOST.
void run_add_file(struct view *v, const char *argument) {
    const char *colon = strrchr(argument, ':');
    if (colon && colon[1] != '/' && access(argument, F_OK) == 0)
        colon = NULL; // the colon is in the file's name
    char *host = xstrndup(argument, colon ? (size_t)(colon - argument) : strlen(argument));
    char *pair = xasprintf("%s=%s", colon ? colon + 1 : "", host);
    if (colon && colon[1] != '/')
        misuse("run", "--file HOST:GUEST: GUEST is an absolute path, not %s", colon + 1);
    free(input_host(v, pair));
    free(pair);
    free(host);
}

static bool is_in_view(struct view *v, const char *path, struct found *f) {
    return view_resolve(v, path, 0, f) == 0 && S_ISREG(f->st.st_mode);
}

static char *add_from_view(struct view *v, const char *path) {
    struct found f;
    view_resolve(v, path, VIEW_ADD, &f);
    view_add(v, &f)->named = true;
    return xstrdup(path);
}

// A colon is in the names of images.
static const char *of_images(const char *name) {
    return strchr(name, ':')
               ? xasprintf(
                     "; an image of that name: docker save --platform linux/riscv64 %s | drupe run --root -",
                     name)
               : "";
}

// A name without a slash, in the machine's $PATH.
static char *add_by_name(struct view *v, const char *name) {
    struct found f;
    for (const char *dir = RUN_PATH; *dir;) {
        size_t length = strcspn(dir, ":");
        char *path = xasprintf("%.*s/%s", (int)length, dir, name);
        if (is_in_view(v, path, &f))
            return add_from_view(v, path);
        free(path);
        dir += length + (dir[length] == ':');
    }
    complain("%s is in none of the machine's directories for programs (" RUN_PATH ")%s", name,
             access(name, F_OK) == 0 ? "; for the file of that name here write ./ in front of it"
             : strchr(name, ':')
                 ? of_images(name)
                 : "; those of the kernel's root: drupe run ls /bin /usr/bin; others: --sysroot DIR, "
                   "or the path of a file here");
    exit(MACHINE_NOT_FOUND);
}

// Adds the program; gives its path in the machine.
static char *add_program(struct view *v, const char *program) {
    struct found f;
    struct stat st;
    if (!strchr(program, '/'))
        return add_by_name(v, program);
    if (*program == '/' && is_in_view(v, program, &f))
        return add_from_view(v, program);
    if (stat(program, &st) < 0) {
        char *here = trouble(program, errno);
        complain("%s: %.*s, neither here nor in the machine%s%s", program, (int)strcspn(here, ";"), here,
                 here + strcspn(here, ";"), of_images(program));
        if (v->base)
            complain_more("what the machine has: drupe ls %s", v->base->base_name);
        exit(MACHINE_NOT_FOUND);
    }
    if (!S_ISREG(st.st_mode)) {
        complain("%s is no program: it is %s; name a program, and add what is to go along: --file %s:/GUEST",
                 program, S_ISDIR(st.st_mode) ? "a directory" : "no regular file", program);
        exit(MACHINE_CANNOT_EXECUTE);
    }
    char *argument = xasprintf("=%s", program), *guest = input_host(v, argument);
    char *path = xasprintf("/%s", guest);
    free(argument);
    free(guest);
    return path;
}

// Where a sysroot has a symlink in the place of a directory of the base, as /bin -> usr/bin, programs expect that: it
// goes in, and the directory's content goes along when it is laid over.
static void add_links(struct view *v) {
    struct found f;
    for (struct entry *e = v->base ? tree_first(&v->base->tree) : NULL; e; e = tree_next(e))
        if (S_ISDIR(e->mode))
            view_resolve(v, e->path, VIEW_ADD, &f);
}

static void add_init(struct view *v) {
    struct entry init = {.path = RUN_INIT,
                         .mode = S_IFREG | 0700,
                         .host = "the init of drupe run",
                         .bytes = run_init,
                         .size = (uint64_t)(run_init_end - run_init)};
    struct entry console = {.path = "dev/console", .mode = S_IFCHR | 0600, .rdev_major = 5, .rdev_minor = 1};
    struct found f;
    tree_add(&v->tree, &init);
    if (view_resolve(v, console.path, 0, &f) != 0)
        tree_add(&v->tree, &console);
}

void run_add_init(struct view *v) {
    add_links(v);
    add_init(v);
}

// A variable as the program will have it; NULL: it has none.
static const char *variable_of(const struct request *r, const char *name) {
    const char *value = NULL;
    size_t length = strlen(name);
    for (size_t i = 0; i < r->variables.count; i++) {
        const char *variable = r->variables.at[i];
        if (strcmp(variable, name) == 0)
            value = getenv(name);
        else if (strncmp(variable, name, length) == 0 && variable[length] == '=')
            value = variable + length + 1;
    }
    return value;
}

// What the program does not need may be incomplete, or for another machine: nobody said that it would be run.
char *run_files(struct view *v, const struct request *r, const char *program) {
    v->library_path = variable_of(r, "LD_LIBRARY_PATH");
    if (!v->library_path)
        v->library_path = r->library_path;
    v->preload = variable_of(r, "LD_PRELOAD");
    v->audit = variable_of(r, "LD_AUDIT");
    enum saying old = set_saying(r->verbose || r->dry_run ? SAY_ALL : SAY_COMPLAINTS);
    for (size_t i = 0; i < r->files.count; i++)
        run_add_file(v, r->files.at[i]);
    char *path = add_program(v, program);
    input_cross_root(v);
    for (size_t i = 0; i < r->globs.count; i++)
        input_also(v, r->globs.at[i]);
    closure_program(v, path);
    if (complaints())
        fail("%u %s; nothing was run", complaints(), complaints() == 1 ? "error" : "errors");
    set_saying(r->verbose || r->dry_run ? SAY_AS_NOTES : SAY_NOTHING);
    closure_complete(v);
    set_saying(old);
    if (r->verbose || r->dry_run)
        xattrs_tell_left_out(program, v->attributed);
    return path;
}
