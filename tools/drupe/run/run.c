// SPDX-License-Identifier: MIT
// `drupe run`: a program in a machine of its own. The root is what the kernel's archive has and what the
// program needs besides (base.h), as an archive laid over that one: how the two are joined is the unpacker's rule
// (lib/unpack.h), here and in the kernel. machine.c boots it and is the program's input and output.
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "archive/archive.h"
#include "closure/advice.h"
#include "closure/base.h"
#include "closure/closure.h"
#include "commands.h"
#include "closure/input.h"
#include "lib/elf.h"
#include "machine/machine.h"
#include "run/run.h"
#include "tools/guest/frames.h"

#define GDB_PORT 1234 // or one of the next that is free

static void open_base(struct request *r, struct view *v, struct base *base) {
    char *tried;
    base_open(base, r->kernel, &tried);
    r->kernel = base->path;
    if (!r->kernel)
        fail("no kernel came with this command (looked for: %s); name one with --kernel", tried);
    v->base_stays = true;
    if (!r->bare)
        base_lay_under(base, v);
}

static void print_plan(struct view *v, struct request *r, const struct channel *channel) {
    struct strings command = {0};
    if (!r->memory)
        r->memory = RUN_MEMORY;
    run_qemu(&command, r, &(struct payload){.kernel = r->kernel}, channel);
    for (struct entry *e = tree_first(&v->tree); e; e = tree_next(e)) {
        if (S_ISDIR(e->mode))
            continue;
        printf("/%s", e->path);
        if (S_ISLNK(e->mode))
            printf(" -> %s", e->target);
        else if (S_ISREG(e->mode) && !e->bytes)
            printf("  %s", e->host);
        putchar('\n');
    }
    for (size_t i = 0; i < command.count; i++)
        printf("%s%s", i ? " " : "", command.at[i]);
    putchar('\n');
    exit(fflush(stdout) == 0 ? EXIT_SUCCESS : MACHINE_ERROR);
}

static unsigned int free_port(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    for (unsigned int port = GDB_PORT; port < GDB_PORT + 100; port++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
        address.sin_port = htons((uint16_t)port);
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        bool is_free = fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
        close(fd);
        if (is_free)
            return port;
    }
    fail("no port from %u to %u is free for gdb; who has them: ss -ltnp", GDB_PORT, GDB_PORT + 99);
}

// The program's file here, and where it will be; NULL: it is none of ours, or no ELF file.
static const char *program_file(struct view *v, const char *path, uint64_t *at) {
    uint8_t head[ELF_HEADER_SIZE];
    struct elf_image elf;
    struct entry *e = *path == '/' ? tree_find(&v->tree, path + 1) : NULL;
    if (!e || !S_ISREG(e->mode) || !e->host || e->bytes || strpbrk(e->host, "'\"\\"))
        return NULL;
    FILE *f = fopen(e->host, "re");
    size_t n = f ? fread(head, 1, sizeof(head), f) : 0;
    if (f)
        fclose(f);
    if (elf_parse_header(head, n, &elf) != 0)
        return NULL;
    *at = elf.dynamic ? ELF_PROGRAM : 0;
    return e->host;
}

static void tell_of_gdb(const struct request *r, struct view *v, const char *path) {
    size_t length = strlen(r->kernel);
    uint64_t at;
    bool flat = length >= 5 && strcmp(r->kernel + length - 5, "Image") == 0;
    const char *file = program_file(v, path, &at);
    if (file)
        note("waiting: gdb-multiarch -ex 'target remote 127.0.0.1:%u' -ex 'symbol-file -o 0x%llx \"%s\"'",
             r->gdb_port, (unsigned long long)at, file);
    else
        note("waiting: gdb-multiarch -ex 'target remote 127.0.0.1:%u' %.*s%s", r->gdb_port,
             (int)(flat ? length - 5 : length), r->kernel, flat ? "drupe.elf" : "");
}

// Descriptors 0 to 2 are open, whatever we were given: others must not get these numbers.
static void open_standard(void) {
    int fd;
    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
}

int command_run(int argc, char **argv) {
    struct view v = {.command = COMMAND_RUN};
    struct request r = {.qemu = "qemu-system-riscv64", .harts = "1"};
    struct strings command = {0};
    struct base base;
    static struct channel channel;
    struct machine m = {.channel = &channel};
    set_exit_statuses(MACHINE_ERROR, MACHINE_ERROR);
    open_standard();
    run_parse(argc, argv, &v, &r);
    if (r.json && !r.dry_run)
        report_promise(&r);
    network_prepare(&r);
    argc -= optind;
    argv += optind;
    if (argc && !r.root && boot_is_image(argv[0]))
        return boot_image(&r, &v, argc, argv);
    if (r.root)
        run_root_open(&r, &argc, &argv);
    else
        run_script(&v, &argc, &argv);
    network_order(&r);
    open_base(&r, &v, &base);
    char *path = r.root ? run_root_files(&v, &r, argv[0]) : run_files(&v, &r, argv[0]);
    channel_open(&channel);
    if (r.dry_run)
        print_plan(&v, &r, &channel);
    run_add_init(&v);
    if (complaints())
        fail("nothing was run");
    m.name = argv[0];
    m.start = run_start(&r, path, argc, argv, &m.start_size);
    struct payload payload;
    if (r.gdb)
        r.gdb_port = free_port();
    run_image(&v, &r, &base, run_command_line(&r), &payload);
    run_qemu(&command, &r, &payload, &channel);
    m.command = strings_list(&command);
    m.troubles = &r.troubles;
    m.timeout = r.timeout;
    m.memory = r.memory;
    m.log = r.log;
    m.verbose = r.verbose;
    m.no_stdin = r.no_stdin;
    m.quiet = r.quiet;
    m.results = result_open(&r);
    network_tell(&r);
    if (r.gdb)
        tell_of_gdb(&r, &v, path);
    struct ending ending;
    int status = machine_run(&m, &ending);
    set_exit_statuses(status ? status : MACHINE_ERROR, MACHINE_ERROR);
    if (ending.exited && ending.exit.status && !r.quiet)
        report_missing(argv[0], &ending.missing);
    strings_free(&ending.missing);
    if (m.results && !result_finish(&r, m.results) && status == EXIT_SUCCESS)
        status = MACHINE_ERROR;
    if (r.json)
        report_write(&r, &ending, status, m.results);
    return status;
}
