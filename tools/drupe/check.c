// SPDX-License-Identifier: MIT
// `drupe check`: what would go wrong with an archive, before it is booted. It is unpacked as the kernel does it;
// then its programs' closures are looked for in it and nowhere else.
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "closure/closure.h"
#include "closure/init.h"
#include "commands.h"
#include "archive/root.h"
#include "common/json.h"
#include "root/whole.h"
#include "common/util.h"

// What the kernel and its tables take besides the archive, about.
#define KERNEL_MEMORY (8u << 20)
#define NAME_MEMORY   640u // for each file or directory

static const char help[] =
    "Usage: drupe check [OPTION...] FILE\n"
    "       drupe check [OPTION...] --root WHAT\n"
    "Says what would go wrong with an archive, or with the one inside a kernel image, before it is booted:\n"
    "what the kernel would not unpack, programs whose loader or libraries are not in it, a missing init,\n"
    "symlinks to nothing, too little memory. FILE may be compressed; '-' is standard input.\n"
    "\n"
    "  -r, --root WHAT      instead of FILE a whole root: a directory, a cpio, a tar or an OCI image\n"
    "      --init PATH      the init that will be asked for (/init, or what the kernel tries without it)\n"
    "  -L, --library-path DIRS  programs will run with this LD_LIBRARY_PATH\n"
    "      --mem SIZE       the machine's memory, as in 256M or 1G\n"
    "      --json           as JSON on standard output: file, complaints, notes\n"
    "      --check-symbols  complain of symbols that nothing in a program's closure defines\n"
    "  -v, --verbose        say what is in it\n"
    "  -h, --help           this text\n"
    "\n"
    "Exit status 1 if the machine would complain of something; notes alone do not count.\n";

struct check {
    const char *file, *root, *init; // one of file and root
    uint64_t memory;                // 0: not said
    bool verbose, json;
};

// ---- what is looked at

static const char *check_init(const struct check *c, struct view *v) {
    struct found f;
    bool is_other;
    const char *init = init_find(v, c->init, &is_other);
    if (!init && c->init)
        complain("there is no %s to start with; pack one: drupe pack -o FILE %s=PROGRAM ...", c->init,
                 c->init);
    else if (!init)
        complain("there is nothing to start with: no /init, /sbin/init, /etc/init, /bin/init or /bin/sh; "
                 "pack one: "
                 "drupe pack -o FILE /init=PROGRAM ...");
    else if (is_other)
        note("there is no /init; the kernel will run %s", init);
    if (!init || view_resolve(v, init, 0, &f))
        return NULL;
    if (!S_ISREG(f.st.st_mode) || !(f.entry->mode & 0111)) {
        complain("%s is %s; the kernel cannot run it; %s, and pack it anew", init,
                 S_ISREG(f.st.st_mode) ? "not executable" : "no regular file",
                 S_ISREG(f.st.st_mode) ? "chmod +x its file" : "name a program");
        return NULL;
    }
    f.entry->named = true; // what it lacks is no mere note
    return init;
}

// Targets that are there only when the machine runs.
static bool is_run_time(const char *target) {
    static const char *const places[] = {"/proc", "/dev", "/sys", "/run", "/tmp", "/var/run"};
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        size_t n = strlen(places[i]);
        if (strncmp(target, places[i], n) == 0 && (!target[n] || target[n] == '/'))
            return true;
    }
    return false;
}

static void check_symlinks(struct view *v) {
    struct found f;
    for (struct entry *e = tree_first(&v->tree); e; e = tree_next(e)) {
        if (!S_ISLNK(e->mode) || is_run_time(e->target))
            continue;
        int err = view_resolve(v, e->path, 0, &f);
        if (err == -ELOOP)
            complain("/%s is a symlink that leads back to itself (to %s); give it another target, and pack "
                     "it anew",
                     e->path, e->target);
        else if (err)
            note("/%s is a symlink to %s, which is not there", e->path, e->target);
    }
}

static void check_memory(const struct check *c, const struct root *r, size_t names) {
    uint64_t plain = r->summary.decompressed;
    uint64_t needed = r->file_size + plain + names * NAME_MEMORY + KERNEL_MEMORY;
    if (c->memory && needed > c->memory)
        complain("it needs about %llu MiB (archive %llu MiB%s, %zu names, the kernel), and the machine has "
                 "%llu MiB; give it more: -m SIZE of QEMU, --mem SIZE of drupe run",
                 (unsigned long long)(needed >> 20) + 1, (unsigned long long)(r->file_size >> 20),
                 plain ? ", and what it decompresses to" : "", names, (unsigned long long)(c->memory >> 20));
}

// ---- JSON

static void print_json(const char *file, const struct strings *said, const struct strings *noted) {
    fputs("{\"file\": ", stdout);
    json_write_string(stdout, file);
    fputs(", \"complaints\": ", stdout);
    json_write_strings(stdout, said);
    fputs(", \"notes\": ", stdout);
    json_write_strings(stdout, noted);
    puts("}");
    if (fflush(stdout) != 0)
        fail("standard output cannot be written; is its disk full? df -h, or write elsewhere");
}

// ---- options

static const char *parse(int argc, char **argv, struct check *c, struct view *v) {
    static const struct option options[] = {
        {"root", required_argument, NULL, 'r'},
        {"init", required_argument, NULL, 'i'},
        {"library-path", required_argument, NULL, 'L'},
        {"mem", required_argument, NULL, 'm'},
        {"json", no_argument, NULL, 'j'},
        {"check-symbols", no_argument, NULL, 'C'},
        {"verbose", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    for (int o; (o = getopt_long(argc, argv, "r:L:vh", options, NULL)) != -1;) {
        switch (o) {
        case 'r':
            c->root = optarg;
            break;
        case 'i':
            c->init = optarg;
            break;
        case 'L':
            v->library_path = optarg;
            break;
        case 'm':
            c->memory = parse_size(optarg);
            if (!c->memory)
                misuse("check", "--mem is a size such as 256M or 1G, not %s", optarg);
            break;
        case 'j':
            c->json = true;
            break;
        case 'C':
            v->check_symbols = true;
            break;
        case 'v':
            c->verbose = true;
            break;
        case 'h':
            fputs(help, stdout);
            exit(EXIT_SUCCESS);
        default:
            misuse_option("check", options, argv);
        }
    }
    if (c->root && optind != argc)
        misuse("check", "--root or a file, one of them at a time");
    if (!c->root && optind != argc - 1)
        misuse("check", optind == argc ? "which file?" : "one file at a time");
    return c->root ? c->root : argv[optind];
}

static void read_whole(const char *what, struct root *out) {
    struct kept kept;
    whole_open(what, &kept);
    root_read_bytes(what, kept.archive, kept.size, out);
}

int command_check(int argc, char **argv) {
    struct view v = {.complete = true, .command = COMMAND_CHECK};
    struct check c = {.init = NULL};
    struct root r;
    struct strings said = {0}, noted = {0};
    c.file = parse(argc, argv, &c, &v);
    if (c.json)
        gather_messages(&said, &noted);
    if (c.root)
        read_whole(c.root, &r);
    else
        root_read(c.file, &r);
    root_to_tree(&r, c.file, &v.tree);
    size_t names = v.tree.count;
    const char *init = check_init(&c, &v);
    check_symlinks(&v);
    closure_complete(&v);
    if (init)
        init_check_origin(&v, init, true);
    check_memory(&c, &r, names);
    if (c.verbose)
        note("%s: %zu names, %llu bytes of data%s", c.file, names, (unsigned long long)r.summary.bytes,
             r.summary.decompressed ? ", compressed" : "");
    if (c.json)
        print_json(c.file, &said, &noted);
    return complaints() ? EXIT_FAILURE : EXIT_SUCCESS;
}
