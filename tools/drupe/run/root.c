// SPDX-License-Identifier: MIT
// `drupe run --root`: the machine's memory is a private map of the file that the cache keeps (root/cache.h), and the kernel is told where
// in it the root is (rootmem=). Over that goes the image's own archive: pid 1, and what --file adds.
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "closure/input.h"
#include "commands.h"
#include "common/util.h"
#include "machine/machine.h"
#include "root/whole.h"
#include "run/run.h"

#define RAM_BASE 0x80000000ull // of QEMU's virt machine
#define UNIT     (2ull << 20)  // memory comes in such pieces

static bool has_variable(const struct request *r, const char *variable) {
    size_t length = strcspn(variable, "=");
    for (size_t i = 0; i < r->variables.count; i++)
        if (strncmp(r->variables.at[i], variable, length) == 0 &&
            (r->variables.at[i][length] == '=' || !r->variables.at[i][length]))
            return true;
    return false;
}

// What the image says holds where the command line says nothing.
static void take_config(struct request *r, const struct root_config *config) {
    for (size_t i = 0; i < config->variables.count; i++)
        if (!has_variable(r, config->variables.at[i]))
            strings_add(&r->variables, config->variables.at[i]);
    if (!r->user && config->user && *config->user)
        r->user = config->user;
    if (!r->workdir && !r->here && config->workdir && *config->workdir) {
        r->workdir = config->workdir;
        run_order(r, "the image's WorkingDir", "directory", r->workdir, "", "");
    }
}

void run_root_open(struct request *r, int *argc, char ***argv) {
    enum saying old = set_saying(r->verbose || r->dry_run ? SAY_ALL : SAY_COMPLAINTS);
    whole_open(r->root, &r->kept);
    set_saying(old);
    struct root_config *config = &r->kept.config;
    take_config(r, config);
    if (*argc == 0) {
        if (!config->command.count)
            misuse("run", "which program? %s says none", r->root);
        *argc = (int)config->command.count;
        *argv = strings_list(&config->command);
    }
    r->bare = true;
    if (!r->memory)
        r->memory = KEPT_AT;
    uint64_t more = r->memory > KEPT_AT ? r->memory - KEPT_AT : 0;
    r->ram = KEPT_AT + (r->kept.size + UNIT - 1) / UNIT * UNIT + (more + UNIT - 1) / UNIT * UNIT;
    cache_lengthen(&r->kept, r->ram);
    fcntl(r->kept.fd, F_SETFD, 0); // for QEMU
}

char *run_root_files(struct view *v, const struct request *r, const char *program) {
    struct stat st;
    for (size_t i = 0; i < r->files.count; i++)
        run_add_file(v, r->files.at[i]);
    if (complaints())
        fail("nothing was run");
    if (!strchr(program, '/') || *program == '/')
        return xstrdup(program); // the machine's pid 1 looks for it
    if (stat(program, &st) < 0) {
        complain("%s: %s", program, trouble(program, errno));
        exit(MACHINE_NOT_FOUND);
    }
    char *argument = xasprintf("=%s", program), *guest = input_host(v, argument);
    char *path = xasprintf("/%s", guest);
    free(argument);
    free(guest);
    return path;
}

void run_root_qemu(struct strings *command, const struct request *r) {
    strings_add(command, "-machine");
    strings_add(command, "virt,memory-backend=root");
    strings_add(command, "-object");
    strings_addf(command, "memory-backend-file,id=root,mem-path=/dev/fd/%d,size=%lluK,share=off", r->kept.fd,
                 (unsigned long long)r->ram >> 10);
    strings_add(command, "-m");
    strings_addf(command, "size=%lluK", (unsigned long long)r->ram >> 10);
}

char *run_root_words(const struct request *r) {
    char *limit =
        r->memory < KEPT_AT ? xasprintf(" mem=%lluK", (unsigned long long)r->memory >> 10) : xstrdup("");
    char *words =
        xasprintf(" rootmem=0x%llx,%llu%s", RAM_BASE + KEPT_AT, (unsigned long long)r->kept.size, limit);
    free(limit);
    return words;
}
