// SPDX-License-Identifier: MIT
// `drupe root`: a root from a distribution's packages. The machine's own apt finds, fetches and checks them, set up for the other
// architecture by the scripts of deps/ that are in the command; their files go into an archive as in root/, and nothing of them is run.
#include <errno.h>
#include <fnmatch.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "archive/archive.h"
#include "commands.h"
#include "common/util.h"
#include "lib/path.h"
#include "root/deb.h"

#define CANNOT_BE_HAD 75 // exit status of the scripts

extern const char package_scripts[], package_scripts_end[];

static const char help[] =
    "Usage: drupe root [OPTION...] -o FILE SUITE PACKAGE...\n"
    "Makes a root of packages of Debian's riscv64 port and all they depend on: a cpio archive, for --root "
    "and -initrd.\n"
    "SUITE is a name such as trixie. Packages are found and fetched by this machine's apt, with its sources, "
    "keys and proxies,\n"
    "and checked by it; no privileges are needed. Their files are taken as they are; their scripts are not "
    "run, which leaves\n"
    "out what only these make: /etc/passwd and the like, alternatives (awk, editor), /bin/sh of dash, "
    "caches, certificates.\n"
    "\n"
    "  -x, --omit GLOB      leave out what matches: a path without slash in front; a directory with all "
    "below it\n"
    "  -o, --output FILE    the archive; '-': standard output\n"
    "  -c, --compress HOW   zstd, gzip, lz4, xz, with the level behind a colon, as in zstd:19; or none\n"
    "  -v, --verbose        name the packages, and those that have scripts\n"
    "  -h, --help           this text\n"
    "\n"
    "Exit status 75 if the packages cannot be had here.\n";

struct request {
    struct archive_options options;
    struct strings omits;
    bool verbose;
};

static void parse(int argc, char **argv, struct request *r) {
    static const struct option options[] = {
        {"omit", required_argument, NULL, 'x'},     {"output", required_argument, NULL, 'o'},
        {"compress", required_argument, NULL, 'c'}, {"verbose", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, 'h'},           {0},
    };
    for (int c; (c = getopt_long(argc, argv, "x:o:c:vh", options, NULL)) != -1;) {
        switch (c) {
        case 'x':
            strings_add(&r->omits, optarg);
            break;
        case 'o':
            r->options.output = optarg;
            break;
        case 'c':
            if (!compression_parse(optarg, &r->options.compression))
                misuse("root", "--compress is none, gzip, zstd, lz4 or xz, as in zstd:19; not %s", optarg);
            break;
        case 'v':
            r->verbose = true;
            break;
        case 'h':
            fputs(help, stdout);
            exit(EXIT_SUCCESS);
        default:
            misuse_option("root", options, argv);
        }
    }
    if (argc - optind < 2)
        misuse("root", "which suite, and which packages?");
    if (!r->options.output)
        misuse("root", "where should the archive go? (-o FILE, or -o - for standard output)");
}

// What apt would take for something else: an option, a file, a pattern.
static void check_names(char **names) {
    static const char first[] = "abcdefghijklmnopqrstuvwxyz0123456789",
                      all[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                              "0123456789+-.:=~";
    for (; *names; names++)
        if (!**names || !strchr(first, **names) || names[0][strspn(*names, all)])
            misuse("root", "%s is no name of a suite or package", *names);
}

static _Noreturn void become_script(char **names, int out) {
    char *script = xasprintf("set -eu\n%.*s\npackages_fetch \"$@\"\n",
                             (int)(package_scripts_end - package_scripts), package_scripts);
    char *const head[] = {"sh", "-c", script, "drupe root"};
    struct strings words = {0};
    for (size_t i = 0; i < sizeof(head) / sizeof(head[0]); i++)
        strings_add(&words, head[i]);
    for (; *names; names++)
        strings_add(&words, *names);
    dup2(out, STDOUT_FILENO);
    execv("/bin/sh", strings_list(&words));
    complain("/bin/sh: %s", trouble("/bin/sh", errno));
    _exit(EXIT_FAILURE);
}

// The .deb files.
static void fetch(char **names, struct strings *debs) {
    int ends[2], status;
    char *line = NULL;
    size_t size = 0;
    if (pipe(ends) < 0)
        fail("a pipe: %s", strerror(errno));
    pid_t script = fork();
    if (script < 0)
        fail("a process: %s", strerror(errno));
    if (script == 0)
        become_script(names, ends[1]);
    close(ends[1]);
    FILE *f = fdopen(ends[0], "r");
    while (f && getline(&line, &size, f) > 0) {
        line[strcspn(line, "\n")] = '\0';
        strings_add(debs, line);
    }
    while (waitpid(script, &status, 0) < 0 && errno == EINTR)
        ;
    if (WIFEXITED(status) && WEXITSTATUS(status) == CANNOT_BE_HAD)
        exit(CANNOT_BE_HAD); // it has said why
    if (!f || status != 0 || !debs->count)
        fail("the packages could not be fetched; nothing was made");
    fclose(f);
    free(line);
}

static bool is_omitted(const struct request *r, const char *path) {
    for (size_t i = 0; i < r->omits.count; i++)
        if (fnmatch(r->omits.at[i], path, FNM_PATHNAME | FNM_LEADING_DIR) == 0)
            return true;
    return false;
}

static void omit(const struct request *r, struct tree *all, struct tree *out) {
    for (struct entry *e = tree_first(all); e; e = tree_next(e))
        if (!is_omitted(r, e->path))
            tree_add(out, e);
    for (size_t i = 0; i < r->omits.count; i++) {
        bool used = false;
        for (struct entry *e = tree_first(all); e && !used; e = tree_next(e))
            used = fnmatch(r->omits.at[i], e->path, FNM_PATHNAME | FNM_LEADING_DIR) == 0;
        if (!used)
            note("--omit %s matches nothing", r->omits.at[i]);
    }
}

int command_root(int argc, char **argv) {
    struct request r = {.options = {.keep_mtime = true}};
    struct strings debs = {0};
    struct tree all = {0}, kept = {0};
    struct archive_totals totals;
    struct layers layers;
    unsigned int scripts = 0;
    parse(argc, argv, &r);
    check_names(argv + optind);
    fetch(argv + optind, &debs);
    deb_begin(&layers);
    for (size_t i = 0; i < debs.count; i++) {
        bool has_scripts = deb_lay(&layers, debs.at[i]);
        scripts += has_scripts;
        if (r.verbose)
            note("%s%s", pathname_base(debs.at[i]), has_scripts ? ", whose scripts were not run" : "");
    }
    layers_to_tree(&layers, "the packages", &all);
    omit(&r, &all, &kept);
    if (complaints())
        fail("nothing was written");
    archive_write(&kept, &r.options, &totals);
    if (r.verbose)
        note("%zu packages, %u of them with scripts that were not run; %llu entries, %llu bytes", debs.count,
             scripts, (unsigned long long)totals.entries, (unsigned long long)totals.bytes);
    return EXIT_SUCCESS;
}
