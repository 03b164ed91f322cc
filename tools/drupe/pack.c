// SPDX-License-Identifier: MIT
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "archive/archive.h"
#include "closure/base.h"
#include "closure/closure.h"
#include "closure/init.h"
#include "closure/xattrs.h"
#include "commands.h"
#include "closure/gconv.h"
#include "closure/input.h"
#include "archive/root.h"
#include "root/whole.h"

static const char help[] =
    "Usage: drupe pack [OPTION...] -o FILE [[GUEST=]HOST...]\n"
    "Packs RISC-V programs, with every library and loader they need, into a cpio archive (newc).\n"
    "\n"
    "HOST is a program, file or directory of this machine.\n"
    "  GUEST=HOST           it goes to GUEST in the archive (into it, if GUEST ends with '/')\n"
    "  HOST in a sysroot    goes where it is there, with the symlinks on the way\n"
    "  HOST elsewhere       a file goes to /NAME, a directory's content to /\n"
    "  (a path with '=' in it: write GUEST=, or only '=', in front)\n"
    "For each ELF file the loader and all needed libraries go in, for each script its interpreter. They are\n"
    "searched as the target's loader would, in what is packed already, in the sysroots, and then in the root "
    "of\n"
    "the kernel that came with this command: exactly where `drupe run` finds them.\n"
    "\n"
    "  -s, --sysroot DIR    the target's files are below DIR; may be given more than once, the first wins\n"
    "  -r, --root WHAT      a whole root, as it is, below all else: a directory, a cpio, a tar or an OCI "
    "image\n"
    "  -m, --manifest FILE  add what FILE lists, in the format of Linux's gen_init_cpio; '-': standard "
    "input\n"
    "  -a, --also GLOB      add what matches in the sysroots too, such as libraries that only dlopen() "
    "finds;\n"
    "                       without a '/' it is looked for in the library directories\n"
    "  -k, --kernel FILE    look in this kernel's root instead\n"
    "  -b, --bare           look in no kernel's root\n"
    "  -L, --library-path DIRS  programs will run with this LD_LIBRARY_PATH: paths in the archive\n"
    "      --gconv NAME     add glibc's iconv modules for the character set NAME\n"
    "      --check-symbols  stop where a symbol that is needed is defined by nothing it is loaded with\n"
    "  -o, --output FILE    the archive; '-': standard output\n"
    "  -c, --compress HOW   zstd, gzip, lz4, xz, with the level behind a colon, as in zstd:19; or none\n"
    "      --owner UID:GID  owner of what comes from HOST or a sysroot (0:0); 'keep': as on this machine\n"
    "      --mtime SECONDS  modification time of everything ($SOURCE_DATE_EPOCH, else 0); 'keep': each its "
    "own\n"
    "  -v, --verbose        say how much was packed\n"
    "  -h, --help           this text\n"
    "\n"
    "Equal input gives equal bytes. The data of files of a page or more are aligned to pages.\n";

static uint32_t parse_number(const char *text, const char *what) {
    char *end;
    errno = 0;
    unsigned long long n = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || errno || n > UINT32_MAX)
        misuse("pack", "%s is not a number from 0 to 4294967295: %s", what, text);
    return (uint32_t)n;
}

static void parse_owner(struct view *v, const char *text) {
    if (strcmp(text, "keep") == 0) {
        v->keep_owner = true;
        return;
    }
    const char *colon = strchr(text, ':');
    if (!colon)
        misuse("pack", "--owner is UID:GID or keep, not %s", text);
    char *uid = xstrndup(text, (size_t)(colon - text));
    v->uid = parse_number(uid, "the user in --owner");
    v->gid = parse_number(colon + 1, "the group in --owner");
    free(uid);
}

static void parse_mtime(struct archive_options *options, const char *text) {
    options->keep_mtime = strcmp(text, "keep") == 0;
    options->mtime = options->keep_mtime ? 0 : parse_number(text, "--mtime");
}

struct request {
    struct strings manifests, globs, charsets;
    struct archive_options options;
    const char *kernel, *root;
    bool bare, verbose;
};

static const struct option options[] = {
    {"sysroot", required_argument, NULL, 's'},
    {"root", required_argument, NULL, 'r'},
    {"manifest", required_argument, NULL, 'm'},
    {"also", required_argument, NULL, 'a'},
    {"kernel", required_argument, NULL, 'k'},
    {"bare", no_argument, NULL, 'b'},
    {"library-path", required_argument, NULL, 'L'},
    {"gconv", required_argument, NULL, 'G'},
    {"check-symbols", no_argument, NULL, 'C'},
    {"output", required_argument, NULL, 'o'},
    {"compress", required_argument, NULL, 'c'},
    {"owner", required_argument, NULL, 'O'},
    {"mtime", required_argument, NULL, 'T'},
    {"verbose", no_argument, NULL, 'v'},
    {"help", no_argument, NULL, 'h'},
    {0},
};

static void parse(int argc, char **argv, struct view *v, struct request *r) {
    const char *epoch = getenv("SOURCE_DATE_EPOCH");
    if (epoch && *epoch)
        r->options.mtime = parse_number(epoch, "SOURCE_DATE_EPOCH");
    for (int c; (c = getopt_long(argc, argv, "s:r:m:a:k:bL:o:c:vh", options, NULL)) != -1;) {
        switch (c) {
        case 's':
            input_sysroot(v, optarg);
            break;
        case 'r':
            r->root = optarg;
            break;
        case 'm':
            strings_add(&r->manifests, optarg);
            break;
        case 'a':
            strings_add(&r->globs, optarg);
            break;
        case 'k':
            r->kernel = optarg;
            break;
        case 'b':
            r->bare = true;
            break;
        case 'L':
            v->library_path = optarg;
            break;
        case 'o':
            r->options.output = optarg;
            break;
        case 'G':
            strings_add(&r->charsets, optarg);
            break;
        case 'C':
            v->check_symbols = true;
            break;
        case 'c':
            if (!compression_parse(optarg, &r->options.compression))
                misuse(
                    "pack",
                    "--compress is none, gzip (levels 1 to 9), zstd (1 to 22), lz4 (1 to 12) or xz (0 to 9), "
                    "as in zstd:19; not %s",
                    optarg);
            break;
        case 'O':
            parse_owner(v, optarg);
            break;
        case 'T':
            parse_mtime(&r->options, optarg);
            break;
        case 'v':
            r->verbose = true;
            break;
        case 'h':
            fputs(help, stdout);
            exit(EXIT_SUCCESS);
        default:
            misuse_option("pack", options, argv);
        }
    }
    if (!r->options.output)
        misuse("pack", "where should the archive go? (-o FILE, or -o - for standard output)");
    if (optind == argc && !r->manifests.count && !r->globs.count && !r->charsets.count && !r->root)
        misuse("pack", "nothing to pack");
}

// What was packed as the init, if anything was, starts before /proc is mounted.
static void check_init(struct view *v) {
    bool is_other;
    struct found f;
    const char *init = init_find(v, NULL, &is_other);
    if (init && view_resolve(v, init, 0, &f) == 0 && f.entry)
        init_check_origin(v, init, false);
}

// What is packed goes over the whole root, and finds there what it needs.
static void lay_root_under(struct request *r, struct view *v) {
    static struct view lower = {.complete = true};
    struct kept kept;
    struct root root;
    whole_open(r->root, &kept);
    root_read_bytes(r->root, kept.archive, kept.size, &root);
    root_to_tree(&root, r->root, &lower.tree);
    lower.base_name = r->root;
    v->base = &lower;
    v->base_stays = true;
    r->options.below = kept.archive;
    r->options.below_size = kept.size;
}

int command_pack(int argc, char **argv) {
    struct view v = {.keep_owner = false};
    struct request r = {.verbose = false};
    struct archive_totals totals;
    struct base base;
    parse(argc, argv, &v, &r);
    if (r.root)
        lay_root_under(&r, &v);
    else if (!r.bare)
        base_lay_under(base_open(&base, r.kernel, NULL), &v);
    for (size_t i = 0; i < r.manifests.count; i++)
        input_manifest(&v, r.manifests.at[i]);
    for (int i = optind; i < argc; i++)
        free(input_host(&v, argv[i]));
    input_cross_root(&v);
    for (size_t i = 0; i < r.globs.count; i++)
        input_also(&v, r.globs.at[i]);
    for (size_t i = 0; i < r.charsets.count; i++)
        gconv_add(&v, r.charsets.at[i]);
    closure_complete(&v);
    v.base = NULL; // all that is needed of it has been packed
    check_init(&v);
    if (complaints())
        fail("%u %s; nothing was written", complaints(), complaints() == 1 ? "error" : "errors");
    archive_write(&v.tree, &r.options, &totals);
    if (r.verbose) {
        xattrs_tell_left_out(r.options.output, v.attributed);
        fprintf(stderr, "drupe: %llu entries, %llu bytes\n", (unsigned long long)totals.entries,
                (unsigned long long)totals.bytes);
    }
    return EXIT_SUCCESS;
}
