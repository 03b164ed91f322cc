// SPDX-License-Identifier: MIT
// `drupe cache`: the roots that are kept, and their removal.
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "commands.h"
#include "common/util.h"
#include "root/cache.h"

#define SHOWN 12 // digits of a key: enough to tell one from the others

static const char help[] =
    "Usage: drupe cache ls\n"
    "       drupe cache rm [--all | NAME...]\n"
    "Lists the whole roots (--root) that are kept in $XDG_CACHE_HOME/drupe/roots, or removes some: NAME is "
    "what a root was\n"
    "made of, or the beginning of its key, as `ls` shows it. A root that is needed again is made again.\n"
    "\n"
    "  -a, --all            remove all\n"
    "  -h, --help           this text\n";

static void list_one(void *ctx, const char *key, const char *from, uint64_t bytes, int64_t used) {
    char date[32];
    time_t t = (time_t)used;
    struct tm tm;
    (void)ctx;
    localtime_r(&t, &tm);
    strftime(date, sizeof(date), "%Y-%m-%d %H:%M", &tm);
    printf("%.*s  %7.1f MiB  %s  ", SHOWN, key, (double)bytes / (1 << 20), date);
    print_visible(stdout, from, true);
    putchar('\n');
}

static int list(int argc) {
    if (argc != optind)
        misuse("cache", "ls has no arguments");
    cache_each(list_one, NULL);
    if (fflush(stdout) != 0)
        fail("standard output cannot be written; is its disk full? df -h, or write elsewhere");
    return EXIT_SUCCESS;
}

static int remove_some(int argc, char **argv, bool all) {
    if (all == (optind != argc))
        misuse("cache", "rm removes what is named, or all of it (--all)");
    if (all)
        cache_remove(NULL);
    for (int i = optind; i < argc; i++)
        if (!cache_remove(argv[i]))
            complain("%s: no such root is kept; which are: drupe cache ls", argv[i]);
    return complaints() ? EXIT_FAILURE : EXIT_SUCCESS;
}

int command_cache(int argc, char **argv) {
    static const struct option options[] = {
        {"all", no_argument, NULL, 'a'}, {"help", no_argument, NULL, 'h'}, {0}};
    bool all = false;
    for (int c; (c = getopt_long(argc, argv, "ah", options, NULL)) != -1;) {
        if (c == 'a') {
            all = true;
        } else if (c == 'h') {
            fputs(help, stdout);
            return EXIT_SUCCESS;
        } else {
            misuse_option("cache", options, argv);
        }
    }
    const char *what = optind < argc ? argv[optind++] : "";
    if (strcmp(what, "rm") == 0)
        return remove_some(argc, argv, all);
    if (strcmp(what, "ls") != 0 || all)
        misuse("cache", "ls or rm?");
    return list(argc);
}
