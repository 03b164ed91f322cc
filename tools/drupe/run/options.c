// SPDX-License-Identifier: MIT
// The command line of `drupe run`.
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "commands.h"
#include "closure/advice.h"
#include "run/run.h"

#define MEMORY_MOST (1ull << 40)

static const char help[] =
    "Usage: drupe run [OPTION...] [--] PROGRAM [ARGUMENT...]\n"
    "       drupe run [OPTION...] --root WHAT [[--] PROGRAM [ARGUMENT...]]\n"
    "       drupe run [OPTION...] IMAGE [ARGUMENT...]\n"
    "Runs a RISC-V Linux program in a machine of QEMU's that holds it, what it needs, and the kernel's own "
    "root.\n"
    "Standard input, output and error, the terminal and Ctrl-C are the program's; twice Ctrl-C ends the "
    "machine.\n"
    "\n"
    "PROGRAM is a path in the machine, if it is an absolute one that is there (in a sysroot, the kernel's "
    "root\n"
    "or from --file); a name to be looked for in the machine's $PATH; or a file of this machine, which goes "
    "to\n"
    "/NAME; an IMAGE of this kernel is booted as it is, on this terminal. The libraries and loaders it needs "
    "are looked for in the sysroots and in the kernel's root.\n"
    "\n"
    "  -s, --sysroot DIR    the target's files are below DIR; may be given more than once, the first wins\n"
    "                       (without one, for programs of glibc: " CROSS_ROOT ")\n"
    "  -r, --root WHAT      a whole root, as it is: a directory, a cpio, a tar or an OCI image, whose "
    "program is run\n"
    "                       if none is named; PROGRAM is one of its files, or ./NAME of this machine\n"
    "  -f, --file HOST[:GUEST]  add a file or directory; without GUEST as `drupe pack` places it\n"
    "  -v, --volume HOST[:GUEST][:ro]  a directory of this side in the machine, as it is and both ways; "
    "without\n"
    "                       GUEST at the same path\n"
    "      --here           the current directory at the same path, and the program is started there\n"
    "  -a, --also GLOB      add what matches in the sysroots: libraries that only dlopen() finds, other "
    "programs,\n"
    "                       what an interpreter reads (-a '/usr/lib/python3*')\n"
    "  -e, --env NAME[=VALUE]  a variable for the program; without VALUE as it is here\n"
    "      --env-file FILE  variables, one in a line, as for --env; # begins a comment line\n"
    "  -u, --user USER[:GROUP]  who runs the program, by name or number (root)\n"
    "  -w, --workdir DIR    where it is started (/)\n"
    "      --hostname NAME  the machine's name (drupe)\n"
    "      --network KIND   none (default), or user: QEMU's user network, with an address by DHCP\n"
    "  -p, --publish [ADDR:]HOSTPORT:PORT[/udp]  a port here leads to the machine's PORT (implies --network "
    "user)\n"
    "      --out GUEST[:HOST]  bring a file or directory out when the program has ended, however it did; "
    "without\n"
    "                       HOST by its own name to the current directory\n"
    "      --json FILE      tell of the run there: status, signal, times, peak memory, missing system calls\n"
    "      --save FILE      keep the whole root as it is then: FILE.cpio (.gz .xz .zst .lz4) an archive, "
    "else "
    "an image\n"
    "                       that boots\n"
    "  -L, --library-path DIRS  LD_LIBRARY_PATH for the program: paths in the machine\n"
    "  -n, --no-stdin       leave standard input alone: the program's is empty\n"
    "  -m, --mem SIZE       the machine's memory: 512M, 1G; a mere number is MiB (256, more for a large "
    "image)\n"
    "  -S, --smp N          its number of harts (1)\n"
    "  -t, --timeout TIME   end the machine then: seconds, or 0.5s, 2m, 1h\n"
    "  -A, --append LINE    more of the kernel's command line\n"
    "  -k, --kernel FILE    another kernel image than the one that came with this command\n"
    "  -b, --bare           leave out the kernel's own root\n"
    "      --qemu PROGRAM   instead of qemu-system-riscv64\n"
    "      --firmware FILE  instead of the one that came with this command; default: QEMU's own, OpenSBI\n"
    "  -l, --log FILE       what firmware and kernel say goes there, all of it; -: standard error\n"
    "  -g, --gdb            wait for gdb to connect (port 1234, or the next free one) before the kernel "
    "starts\n"
    "      --dry-run        say what would be run, and with which files\n"
    "  -q, --quiet          nothing of our own but errors: not that a signal ended the program\n"
    "      --verbose        show all that firmware and kernel say on standard error, and notes on the files\n"
    "  -h, --help           this text\n"
    "      --version        print the version\n"
    "\n"
    "Exit status: the program's; 128 and the signal that ended it; 122 the machine panicked, 123 QEMU is "
    "missing\n"
    "or failed, 124 time-out, 125 something is wrong with what was asked for, 126 the program cannot be "
    "executed,\n"
    "127 it is not there.\n";

static unsigned int parse_count(const char *text, unsigned int max, const char *what) {
    char *end;
    unsigned long n = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || !n || n > max)
        misuse("run", "%s is a number from 1 to %u, not %s", what, max, text);
    return (unsigned int)n;
}

// As QEMU has it, a mere number is MiB, and as all the others do, 1G, 1GB and 1GiB are the same.
static uint64_t parse_memory(const char *text) {
    size_t digits = strspn(text, "0123456789.");
    char *mebibytes = xasprintf("%sM", text);
    uint64_t size = parse_size(text[digits] ? text : mebibytes);
    free(mebibytes);
    if (!size)
        misuse("run", "--mem is a size such as 512M or 1G, not %s", text);
    if (size > MEMORY_MOST)
        misuse("run", "--mem %s is more than QEMU can give a machine; at most %lluG", text,
               MEMORY_MOST >> 30);
    return size;
}

// As timeout(1) has it, and ms; gives ms.
static uint64_t parse_duration(const char *text) {
    static const struct {
        const char *name;
        double seconds;
    } units[] = {{"", 1}, {"ms", 0.001}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}};
    char *end;
    const char *first = text + (*text == '.');
    double n = *first >= '0' && *first <= '9' ? strtod(text, &end) : 0;
    for (size_t i = 0; n > 0 && n < 1e9 && i < sizeof(units) / sizeof(units[0]); i++)
        if (strcmp(end, units[i].name) == 0)
            return (uint64_t)(n * units[i].seconds * 1000) + 1;
    misuse(
        "run",
        "--timeout (-t) is a time such as 5, 0.5s or 2m, not %s; a terminal is the program's without being "
        "asked for",
        text);
}

static void add_variable(struct request *r, const char *variable, const char *from) {
    if (*variable == '=' || !*variable)
        misuse("run", "%s: a variable has a name: NAME=VALUE, not \"%s\"", from, variable);
    strings_add(&r->variables, variable);
}

static void read_env_file(struct request *r, const char *path) {
    FILE *f = fopen(path, "re");
    char *line = NULL;
    size_t size = 0;
    if (!f)
        fail("%s: %s", path, trouble(path, errno));
    while (getline(&line, &size, f) > 0) {
        line[strcspn(line, "\n")] = '\0';
        if (*line && *line != '#' && line[strcspn(line, "= \t")] != '=' && strpbrk(line, " \t"))
            misuse("run", "%s: a variable's name has no blanks: NAME=VALUE, not \"%s\"", path, line);
        if (*line && *line != '#')
            add_variable(r, line, path);
    }
    free(line);
    fclose(f);
}

static void set_hostname(struct request *r, const char *name) {
    if (!*name || strlen(name) > HOST_NAME_MAX)
        misuse("run", "--hostname is a name of 1 to %d characters, not \"%s\"", HOST_NAME_MAX, name);
    run_order(r, "--hostname", "hostname", name, "", "");
}

// Options without a letter.
enum {
    ENV_FILE = 256,
    HERE,
    VERBOSE,
    HOSTNAME,
    NETWORK,
    OUT,
    JSON,
    SAVE,
    QEMU,
    FIRMWARE,
    DRY_RUN,
    VERSION,
    AS_IT_IS
};

static const char letters[] = "+s:r:f:v:a:e:u:w:p:L:nm:S:t:A:k:bql:gh";
static const struct option options[] = {
    {"sysroot", required_argument, NULL, 's'},
    {"root", required_argument, NULL, 'r'},
    {"file", required_argument, NULL, 'f'},
    {"volume", required_argument, NULL, 'v'},
    {"here", no_argument, NULL, HERE},
    {"also", required_argument, NULL, 'a'},
    {"env", required_argument, NULL, 'e'},
    {"env-file", required_argument, NULL, ENV_FILE},
    {"user", required_argument, NULL, 'u'},
    {"workdir", required_argument, NULL, 'w'},
    {"hostname", required_argument, NULL, HOSTNAME},
    {"network", required_argument, NULL, NETWORK},
    {"publish", required_argument, NULL, 'p'},
    {"out", required_argument, NULL, OUT},
    {"json", required_argument, NULL, JSON},
    {"save", required_argument, NULL, SAVE},
    {"library-path", required_argument, NULL, 'L'},
    {"no-stdin", no_argument, NULL, 'n'},
    {"mem", required_argument, NULL, 'm'},
    {"smp", required_argument, NULL, 'S'},
    {"timeout", required_argument, NULL, 't'},
    {"append", required_argument, NULL, 'A'},
    {"kernel", required_argument, NULL, 'k'},
    {"bare", no_argument, NULL, 'b'},
    {"qemu", required_argument, NULL, QEMU},
    {"firmware", required_argument, NULL, FIRMWARE},
    {"log", required_argument, NULL, 'l'},
    {"gdb", no_argument, NULL, 'g'},
    {"dry-run", no_argument, NULL, DRY_RUN},
    {"quiet", no_argument, NULL, 'q'},
    {"verbose", no_argument, NULL, VERBOSE},
    {"version", no_argument, NULL, VERSION},
    {"help", no_argument, NULL, 'h'},
    {RUN_INTERACTIVE, no_argument, NULL, AS_IT_IS},
    {0},
};

void run_parse(int argc, char **argv, struct view *v, struct request *r) {
    habits_replace(argc, argv, letters, options);
    for (int c; (c = getopt_long(argc, argv, letters, options, NULL)) != -1;) {
        switch (c) {
        case 's':
            input_sysroot(v, optarg);
            break;
        case 'r':
            r->root = optarg;
            break;
        case 'f':
            strings_add(&r->files, optarg);
            break;
        case 'a':
            strings_add(&r->globs, optarg);
            break;
        case 'e':
            add_variable(r, optarg, "--env");
            break;
        case ENV_FILE:
            read_env_file(r, optarg);
            break;
        case 'u':
            r->user = optarg;
            break;
        case 'w':
            r->workdir = optarg;
            if (*optarg != '/')
                misuse("run", "--workdir is an absolute path in the machine, not %s", optarg);
            break;
        case HOSTNAME:
            set_hostname(r, optarg);
            break;
        case NETWORK:
            network_set(r, optarg);
            break;
        case 'p':
            network_publish(r, optarg);
            break;
        case OUT:
            result_add(r, optarg);
            break;
        case JSON:
            report_set_file(r, optarg);
            break;
        case SAVE:
            result_set_save(r, optarg);
            break;
        case 'L':
            r->library_path = optarg;
            break;
        case 'n':
            r->no_stdin = true;
            break;
        case 'm':
            r->memory = parse_memory(optarg);
            break;
        case 'S':
            parse_count(optarg, 8, "--smp");
            r->harts = optarg;
            break;
        case 't':
            r->timeout = parse_duration(optarg);
            break;
        case 'A':
            r->append = optarg;
            break;
        case 'k':
            r->kernel = optarg;
            break;
        case 'b':
            r->bare = true;
            break;
        case QEMU:
            r->qemu = optarg;
            break;
        case FIRMWARE:
            r->firmware = optarg;
            break;
        case 'l':
            r->log = strcmp(optarg, "-") == 0 ? "/dev/stderr" : optarg;
            break;
        case 'g':
            r->gdb = true;
            break;
        case DRY_RUN:
            r->dry_run = true;
            break;
        case 'q':
            r->quiet = true;
            break;
        case 'v':
            volume_add(r, optarg);
            break;
        case HERE:
            volume_add_here(r);
            break;
        case VERBOSE:
            r->verbose = true;
            break;
        case AS_IT_IS:
            break;
        case VERSION:
            print_version();
            exit(EXIT_SUCCESS);
        case 'h':
            fputs(help, stdout);
            exit(EXIT_SUCCESS);
        default:
            misuse_option("run", options, argv);
        }
    }
    if (r->root && (v->sysroots.count || r->globs.count))
        misuse("run", "--root takes all of a root as it is; neither --sysroot nor --also goes with it");
    if (optind == argc && !r->root)
        misuse("run", "which program?");
    if (optind < argc && !*argv[optind])
        misuse("run", "PROGRAM is empty: is a variable not set?");
}
