// SPDX-License-Identifier: MIT
// `drupe run IMAGE`: a machine that boots a built image, whose serial line is this terminal. The root, the init and the command line are the
// image's own.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "common/util.h"
#include "image/image.h"
#include "machine/machine.h"
#include "run/run.h"

#define MEMORY      (512ull << 20) // bytes; more
#define MEMORY_FREE (256ull << 20) // to leave that beside the image
#define HEAD        64             // bytes that tell what a file is

bool boot_is_image(const char *path) {
    uint8_t head[HEAD];
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    bool is_image = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
                    pread(fd, head, sizeof(head), 0) == sizeof(head) &&
                    image_is_flat_kernel(head, sizeof(head));
    if (fd >= 0)
        close(fd);
    return is_image;
}

static void check_request(const struct request *r, const struct view *v) {
    if (r->files.count || r->globs.count || r->variables.count || r->orders.count || r->outs.count ||
        r->save || r->json || r->log || r->no_stdin || v->sysroots.count || r->user || r->workdir ||
        r->library_path || r->kernel || r->bare)
        misuse("run",
               "an image has its own root and init; with it go --mem, --smp, --timeout, --append, --network, "
               "--publish, "
               "--qemu, --firmware, --gdb and "
               "--dry-run. A program on its kernel: --kernel IMAGE PROGRAM");
}

// The arguments are init's.
static char *command_line(const struct request *r, int argc, char **argv) {
    char *line = xstrdup(r->append ? r->append : "");
    for (int i = 0; i < argc; i++) {
        const char *quote = strpbrk(argv[i], " \t\n") ? "\"" : "";
        if (strchr(argv[i], '"'))
            misuse("run", "a kernel's command line has no way to write a double quote: %s", argv[i]);
        char *longer =
            xasprintf("%s%s%s%s%s%s", line, *line ? " " : "", i ? "" : "-- ", quote, argv[i], quote);
        free(line);
        line = longer;
    }
    return line;
}

static void set_memory(struct request *r, const char *path) {
    struct image image;
    size_t size;
    uint8_t *bytes = (uint8_t *)read_file(path, &size);
    image_open(&image, path, bytes, size);
    uint64_t needed = image_memory_size(&image, image.descriptor.archive_size);
    free(bytes);
    if (!r->memory)
        r->memory = needed + MEMORY_FREE > MEMORY ? needed + MEMORY_FREE : MEMORY;
}

static char **make_command(struct request *r, int argc, char **argv) {
    static struct strings command;
    const char *words[] = {r->qemu,   "-machine", "virt", "-nographic", "-no-reboot",
                           "-kernel", argv[0],    "-smp", r->harts,     "-m"};
    char *line = command_line(r, argc - 1, argv + 1);
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        strings_add(&command, words[i]);
    strings_addf(&command, "%lluK", (unsigned long long)r->memory >> 10);
    if (*line) {
        strings_add(&command, "-append");
        strings_add(&command, line);
    }
    if (r->firmware) {
        strings_add(&command, "-bios");
        strings_add(&command, r->firmware);
    }
    network_qemu(&command, r);
    if (r->gdb) {
        strings_add(&command, "-S");
        strings_add(&command, "-s");
    }
    free(line);
    return strings_list(&command);
}

// Waits for QEMU's end, or has it end when the time is over. It heeds SIGTERM, and leaves the terminal as it was.
static int wait_for(pid_t qemu, uint64_t timeout) {
    struct timespec limit = {(time_t)(timeout / 1000), (long)(timeout % 1000) * 1000000};
    sigset_t children;
    int status;
    bool over = false;
    sigemptyset(&children);
    sigaddset(&children, SIGCHLD);
    while (timeout && !over && waitpid(qemu, &status, WNOHANG) == 0)
        over = sigtimedwait(&children, NULL, &limit) < 0 && errno == EAGAIN;
    if (over) {
        complain("the time given with --timeout is over");
        kill(qemu, SIGTERM);
    } else if (timeout) {
        return status;
    }
    while (waitpid(qemu, &status, 0) < 0 && errno == EINTR)
        ;
    return over ? MACHINE_TIMED_OUT << 8 : status;
}

int boot_image(struct request *r, const struct view *v, int argc, char **argv) {
    sigset_t children, old;
    check_request(r, v);
    set_memory(r, argv[0]);
    char **command = make_command(r, argc, argv);
    network_tell(r);
    if (r->dry_run) {
        for (size_t i = 0; command[i]; i++)
            printf("%s%s", i ? " " : "", command[i]);
        putchar('\n');
        return fflush(stdout) == 0 ? EXIT_SUCCESS : MACHINE_ERROR;
    }
    sigemptyset(&children);
    sigaddset(&children, SIGCHLD);
    sigprocmask(SIG_BLOCK, &children, &old);
    pid_t qemu = fork();
    if (qemu < 0)
        fail("a process for %s: %s", r->qemu, strerror(errno));
    if (qemu == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        sigprocmask(SIG_SETMASK, &old, NULL);
        machine_tune();
        execvp(command[0], command);
        complain("%s: %s", r->qemu, trouble(r->qemu, errno));
        _exit(MACHINE_NOT_STARTED);
    }
    int status = wait_for(qemu, r->timeout);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
