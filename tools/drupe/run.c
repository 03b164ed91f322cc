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
#include <sys/sysmacros.h>
#include <unistd.h>
#include "archive/archive.h"
#include "closure/advice.h"
#include "closure/base.h"
#include "closure/closure.h"
#include "commands.h"
#include "closure/input.h"
#include "machine/machine.h"
#include "run.h"
#include "tools/guest/frames.h"

#define INIT         ".drupe-run" // its name in the root, which it removes
#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define GDB_PORT     1234 // or one of the next that is free
#define MIB          (1ull << 20)
#define MEMORY       (256 * MIB) // more if the image is large,
#define MEMORY_FREE  (128 * MIB) // to leave that much
#define MEMORY_LEAST (16 * MIB)  // beside the image, for anything to run

// The init's bytes (tools/guest/init.c).
extern const uint8_t run_init[], run_init_end[];

// ---- the root

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

// HOST[:GUEST] as GUEST=HOST.
static void add_file(struct view *v, const char *argument) {
    const char *colon = strrchr(argument, ':');
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

// A name without a slash, in the machine's $PATH.
static char *add_by_name(struct view *v, const char *name) {
    struct found f;
    for (const char *dir = DEFAULT_PATH; *dir;) {
        size_t length = strcspn(dir, ":");
        char *path = xasprintf("%.*s/%s", (int)length, dir, name);
        if (is_in_view(v, path, &f))
            return add_from_view(v, path);
        free(path);
        dir += length + (dir[length] == ':');
    }
    complain("%s is in none of the machine's directories for programs (" DEFAULT_PATH ")%s", name,
             access(name, F_OK) == 0
                 ? "; for the file of that name here write ./ in front of it"
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
        complain("%s: %.*s, neither here nor in the machine%s", program, (int)strcspn(here, ";"), here,
                 here + strcspn(here, ";"));
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
    struct entry init = {.path = INIT,
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

// All that the program needs. Gives the program's path in the machine. What it does not need may be incomplete,
// or for another machine: nobody said that it would be run.
static char *make_root(struct view *v, const struct request *r, const char *program) {
    v->library_path = variable_of(r, "LD_LIBRARY_PATH");
    if (!v->library_path)
        v->library_path = r->library_path;
    v->preload = variable_of(r, "LD_PRELOAD");
    v->audit = variable_of(r, "LD_AUDIT");
    enum saying old = set_saying(r->verbose || r->dry_run ? SAY_ALL : SAY_COMPLAINTS);
    for (size_t i = 0; i < r->files.count; i++)
        add_file(v, r->files.at[i]);
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
    return path;
}

// ---- the image

static int memory_file(const char *name, char **path) {
    int fd = memfd_create(name, 0);
    if (fd < 0)
        fail("memory for %s: %s", name, trouble(name, errno));
    *path = xasprintf("/dev/fd/%d", fd);
    return fd;
}

static void set_memory(struct request *r, uint64_t image_size) {
    if (!r->memory)
        r->memory = image_size + MEMORY_FREE > MEMORY ? image_size + MEMORY_FREE : MEMORY;
    if (r->memory < image_size + MEMORY_LEAST)
        fail("the image has %llu MiB, and --mem gives the machine %llu MiB; it needs %llu at least: --mem "
             "%lluM",
             (unsigned long long)(image_size / MIB), (unsigned long long)(r->memory / MIB),
             (unsigned long long)((image_size + MEMORY_LEAST) / MIB + 1),
             (unsigned long long)((image_size + MEMORY_LEAST) / MIB + 1));
}

// Unpacks over the base what goes over it, as the kernel will: what that would leave out is told before.
static void try_root(const struct request *r, struct base *base, const char *archive, uint64_t size) {
    if (!base->root.top)
        return;
    enum saying old = set_saying(r->verbose ? SAY_ALL : SAY_COMPLAINTS);
    uint64_t decompressed = base->root.summary.decompressed, below = base->image.descriptor.archive_size;
    root_lay(&base->root, "what goes over the kernel's own root", archive + below, size - below);
    base->root.summary.decompressed = decompressed;
    set_saying(old);
    if (complaints())
        fail("nothing was run; --bare leaves the kernel's own root out");
}

// An image in memory, which QEMU inherits: there is nothing to be removed, however this ends. Gives its path.
static char *make_image(struct view *v, struct request *r, struct base *base, const char *command_line) {
    struct archive_options archive = {.keep_mtime = true};
    struct archive_totals totals;
    char *archive_path, *path;
    int fd = memory_file("archive", &archive_path);
    archive.output = archive_path;
    archive.below = base_archive(base, &archive.below_size);
    archive_write(&v->tree, &archive, &totals);
    void *bytes = mmap(NULL, totals.bytes, PROT_READ, MAP_SHARED, fd, 0);
    if (bytes == MAP_FAILED)
        fail("memory for the archive: %s", strerror(errno));
    try_root(r, base, bytes, totals.bytes);
    memory_file("image", &path);
    image_write(&base->image, bytes, totals.bytes, command_line, path);
    munmap(bytes, totals.bytes);
    close(fd);
    set_memory(r, image_memory_size(&base->image, totals.bytes) + base->root.summary.decompressed);
    return path;
}

static char *command_line_of(const struct request *r, const struct image *kernel) {
    const char *built_in = image_command_line(kernel);
    return xasprintf("%s%srandomize=boot rdinit=/" INIT "%s%s%s", built_in, *built_in ? " " : "",
                     r->verbose || r->log ? "" : " quiet", r->append ? " " : "", r->append ? r->append : "");
}

// The ports of the channel, and the console device that has them.
static size_t add_ports(char **command, const struct channel *channel) {
    static const char *const names[] = {[PORT_CONTROL] = "control",
                                        [PORT_INPUT] = "input",
                                        [PORT_OUTPUT] = "output",
                                        [PORT_ERROR] = "error",
                                        [PORT_TERMINAL] = "terminal"};
    size_t count = 0;
    command[count++] = xstrdup("-device");
    command[count++] = xasprintf("virtio-serial-device,max_ports=%d", PORT_COUNT);
    for (int port = PORT_CONTROL; port < PORT_COUNT; port++) {
        command[count++] = xstrdup("-chardev");
        command[count++] = xasprintf("socket,id=%s,fd=%d", names[port], channel->qemus[port]);
        command[count++] = xstrdup("-device");
        command[count++] =
            xasprintf("virtserialport,nr=%d,chardev=%s,name=drupe.%s", port, names[port], names[port]);
    }
    return count;
}

static char **qemu_command(const struct request *r, const char *image, const struct channel *channel) {
    char *memory = xasprintf("%lluK", (unsigned long long)(r->memory >> 10));
    const char *words[] = {r->qemu,  "-machine",   "virt",    "-m",       memory, "-smp",
                           r->harts, "-display",   "none",    "-monitor", "none", "-serial",
                           "stdio",  "-no-reboot", "-kernel", image};
    size_t count = sizeof(words) / sizeof(words[0]);
    char **command = xcalloc(count + 4 * PORT_COUNT + 4, sizeof(char *));
    for (size_t i = 0; i < count; i++)
        command[i] = xstrdup(words[i]);
    count += add_ports(command + count, channel);
    if (r->gdb) {
        command[count++] = xstrdup("-S");
        command[count++] = xstrdup("-gdb");
        command[count++] = xasprintf("tcp:127.0.0.1:%u", r->gdb_port);
    }
    free(memory);
    return command;
}

// ---- what the init is told

static void add_string(FILE *to, const char *string) {
    fwrite(string, 1, strlen(string) + 1, to);
}

static bool has_variable(const struct strings *variables, const char *name) {
    size_t length = strlen(name);
    for (size_t i = 0; i < variables->count; i++)
        if (strncmp(variables->at[i], name, length) == 0 &&
            (variables->at[i][length] == '=' || variables->at[i][length] == '\0'))
            return true;
    return false;
}

static void add_variable(const struct request *r, FILE *to, const char *name, const char *value) {
    if (value && !has_variable(&r->variables, name))
        fprintf(to, "%s=%s%c", name, value, '\0');
}

static void add_environment(const struct request *r, FILE *to) {
    add_variable(r, to, "PATH", DEFAULT_PATH);
    add_variable(r, to, "HOME", r->user ? NULL : "/root"); // another user's is where its passwd(5) says
    add_variable(r, to, "LANG", "C.UTF-8");
    add_variable(r, to, "TERM", getenv("TERM"));
    add_variable(r, to, "LD_LIBRARY_PATH", r->library_path);
    for (size_t i = 0; i < r->variables.count; i++) {
        const char *variable = r->variables.at[i], *value = getenv(variable);
        if (strchr(variable, '='))
            add_string(to, variable);
        else if (value)
            fprintf(to, "%s=%s%c", variable, value, '\0');
    }
}

static void *make_start(const struct request *r, const char *path, int argc, char **argv, size_t *size) {
    struct frame_start head = {.arguments = (uint32_t)argc};
    char *bytes;
    FILE *f = open_memstream(&bytes, size);
    if (!f)
        fail("out of memory");
    fwrite(&head, 1, sizeof(head), f);
    add_string(f, path);
    add_string(f, r->user ? r->user : "");
    add_string(f, r->workdir ? r->workdir : "/");
    add_string(f, argv[0]);
    for (int i = 1; i < argc; i++)
        add_string(f, argv[i]);
    add_environment(r, f);
    if (fclose(f) != 0)
        fail("out of memory");
    return bytes;
}

// ---- all of it

static void print_plan(struct view *v, struct request *r, const struct channel *channel) {
    if (!r->memory)
        r->memory = MEMORY;
    char **command = qemu_command(r, r->kernel, channel);
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
    for (size_t i = 0; command[i]; i++)
        printf("%s%s", i ? " " : "", command[i]);
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

static void tell_of_gdb(const struct request *r) {
    size_t length = strlen(r->kernel);
    bool flat = length >= 5 && strcmp(r->kernel + length - 5, "Image") == 0;
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
    struct base base;
    static struct channel channel;
    struct machine m = {.channel = &channel};
    set_exit_statuses(MACHINE_ERROR, MACHINE_ERROR);
    open_standard();
    run_parse(argc, argv, &v, &r);
    open_base(&r, &v, &base);
    char *path = make_root(&v, &r, argv[optind]);
    channel_open(&channel);
    if (r.dry_run)
        print_plan(&v, &r, &channel);
    add_links(&v);
    add_init(&v);
    if (complaints())
        fail("nothing was run");
    m.name = argv[optind];
    m.start = make_start(&r, path, argc - optind, argv + optind, &m.start_size);
    char *line = command_line_of(&r, &base.image);
    if (r.gdb)
        r.gdb_port = free_port();
    const char *image = make_image(&v, &r, &base, line);
    m.command = qemu_command(&r, image, &channel);
    m.timeout = r.timeout;
    m.memory = r.memory;
    m.log = r.log;
    m.verbose = r.verbose;
    m.no_stdin = r.no_stdin;
    m.quiet = r.quiet;
    if (r.gdb)
        tell_of_gdb(&r);
    return machine_run(&m);
}
