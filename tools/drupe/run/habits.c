// SPDX-License-Identifier: MIT
// Words of docker's, podman's and QEMU's command lines, which people type out of habit. Each asks for what a machine is anyway, is another name
// of an option here, or is refused with what to type instead.
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include "run/run.h"

#define AS_IT_IS "--" RUN_INTERACTIVE // an option without effect

struct habit {
    const char *word; // up to a `=`
    bool has_value;
    const char *only;    // the value that asks for what is so anyway
    const char *option;  // the one here that is the same
    const char *instead; // what to type; without it and `option` it is so anyway
};

#define NOT_APART        "leave it out: a machine has a kernel, processors and memory of its own"
#define NO_DEVICE        "nothing of this side's hardware is in a machine; leave it out"
#define NO_RECORD        "nothing of a machine is left when it has ended; leave it out"
#define SET_INSIDE(what) "set it in the machine: drupe run sh -c '" what " && exec PROGRAM'"

static const struct habit habits[] = {
    // what is so anyway
    {"--interactive", .has_value = false},
    {"--tty", .has_value = false},
    {"--rm", .has_value = false},
    {"--init", .has_value = false},
    {"--privileged", .has_value = false},
    {"--cap-add", .has_value = true},
    {"--platform", true, .only = "linux/riscv64", .instead = "a machine is linux/riscv64"},
    {"--arch", true, .only = "riscv64", .instead = "a machine is riscv64"},
    {"-nographic", .has_value = false},
    // another name
    {"--memory", true, .option = "--mem"},
    {"--cpus", true, .option = "--smp"},
    {"-smp", true, .option = "--smp"},
    {"-kernel", true, .option = "--kernel"},
    {"-append", true, .option = "--append"},
    {"-E", true, .option = "--env"},
    // another way
    {"-d", .instead = "a machine ends with its command; in the background: drupe run PROGRAM &"},
    {"--detach", .instead = "a machine ends with its command; in the background: drupe run PROGRAM &"},
    {"--name", true,
     .instead =
         "a machine ends with its command, nothing looks it up by a name; its own name: --hostname NAME"},
    {"--entrypoint", true,
     .instead =
         "PROGRAM takes the place of an image's Entrypoint and Cmd: drupe run --root IMAGE -- PROGRAM"},
    {"--mount", true, .instead = "a directory of this side: --volume HOST:GUEST[:ro]"},
    {"--volumes-from", true, .instead = "a directory of this side: --volume HOST:GUEST[:ro]"},
    {"--tmpfs", true, .instead = "the whole root is in memory; leave it out"},
    {"--read-only",
     .instead =
         "what is written goes with the machine; a directory that stays as it is: --volume HOST:GUEST:ro"},
    {"-P", .instead = "name each port: --publish PORT"},
    {"--publish-all", .instead = "name each port: --publish PORT"},
    {"--expose", true, .instead = "name each port: --publish PORT"},
    {"--add-host", true, .instead = "a file of names: --file hosts:/etc/hosts"},
    {"--link", true,
     .instead = "machines see one another by this side's ports: --publish PORT there, 10.0.2.2 here"},
    {"--dns", true, .instead = "names are looked up as on this side: --network user"},
    {"--pull", true, .instead = "images are not pulled: docker save IMAGE | drupe run --root -"},
    {"--restart", true, .instead = "a loop of the shell: until drupe run PROGRAM; do :; done"},
    {"--stop-timeout", true, .instead = "--timeout TIME"},
    {"--stop-signal", true, .instead = "a signal to the command is the program's: kill -SIGNAL PID"},
    {"--attach", true, .instead = "standard input, output and error are the program's; leave it out"},
    {"--detach-keys", true, .instead = "all keys are the program's; leave it out"},
    {"--cap-drop", true, .instead = "without rights: --user 1000"},
    {"--security-opt", true, .instead = "nothing is filtered in a machine; leave it out"},
    {"--group-add", true, .instead = "--user USER:GROUP"},
    {"--ulimit", true, .instead = SET_INSIDE("ulimit -n 1024")},
    {"--sysctl", true, .instead = SET_INSIDE("sysctl -w NAME=VALUE")},
    {"--shm-size", true, .instead = "/dev/shm takes what the machine has: --mem SIZE"},
    {"-strace", .instead = "--append trace, or trace=NAME, and what the kernel says: --log FILE"},
    {"-initrd", true, .instead = "a whole root: --root FILE"},
    // what there is no way for
    {"--device", true, .instead = NO_DEVICE},
    {"--gpus", true, .instead = NO_DEVICE},
    {"-drive", true, .instead = "a directory of this side: --volume HOST:GUEST; a whole root: --root WHAT"},
    {"--label", true, .instead = NO_RECORD},
    {"--cidfile", true, .instead = NO_RECORD},
    {"--log-driver", true, .instead = "what the kernel says: --log FILE"},
    {"--log-opt", true, .instead = "what the kernel says: --log FILE"},
    {"-c", true, .instead = NOT_APART},
    {"--cpu-shares", true, .instead = NOT_APART},
    {"--cpuset-cpus", true, .instead = NOT_APART},
    {"--memory-swap", true, .instead = NOT_APART},
    {"--pids-limit", true, .instead = NOT_APART},
    {"--pid", true, .instead = NOT_APART},
    {"--ipc", true, .instead = NOT_APART},
    {"--uts", true, .instead = NOT_APART},
    {"--userns", true, .instead = NOT_APART},
    {"--cgroupns", true, .instead = NOT_APART},
    {"--cgroup-parent", true, .instead = NOT_APART},
    {"--runtime", true, .instead = NOT_APART},
    {"-machine", true, .instead = NOT_APART},
    {"-M", true, .instead = NOT_APART},
    {"-cpu", true, .instead = NOT_APART},
};

static const struct habit *find(const char *word) {
    size_t length = strncmp(word, "--", 2) == 0 ? strcspn(word, "=") : strlen(word);
    for (size_t i = 0; i < sizeof(habits) / sizeof(habits[0]); i++)
        if (strlen(habits[i].word) == length && strncmp(habits[i].word, word, length) == 0)
            return &habits[i];
    return NULL;
}

static void refuse(const struct habit *h) {
    misuse("run", "there is no %s: %s", h->word, h->instead);
}

// Puts what is meant into the place of the habit; gives how many words it has.
static int replace(const struct habit *h, char **words) {
    char *equals = strncmp(*words, "--", 2) == 0 ? strchr(*words, '=') : NULL;
    const char *value = equals ? equals + 1 : h->has_value ? words[1] : "true";
    if (!value)
        misuse("run", "%s needs a value", h->word);
    bool is_so = h->has_value ? !h->only || strcmp(value, h->only) == 0 : strcmp(value, "true") == 0;
    if (h->only && !is_so)
        misuse("run", "%s: %s, not %s", h->word, h->instead, value);
    if (h->instead && !h->only)
        refuse(h);
    if (!is_so)
        misuse("run", "%s is always so; leave it out", h->word);
    if (h->option && equals)
        words[0] = xasprintf("%s%s", h->option, equals);
    else
        words[0] = xstrdup(h->option ? h->option : AS_IT_IS);
    if (!h->option && h->has_value && !equals)
        words[1] = xstrdup(AS_IT_IS);
    return h->has_value && !equals ? 2 : 1;
}

static bool is_number(const char *text) {
    return text && *text && strspn(text, ".0123456789") > 0;
}

// -it, in any form: what is typed has a terminal, and standard input, if there are some here. -t alone is --timeout. Gives whether all of
// the word was that.
static bool take_interactive(char **word, bool *seen) {
    char *letters = *word + 1;
    size_t n = strspn(letters, "it");
    if (n && memchr(letters, 'i', n)) {
        *seen = true;
        *word = letters[n] ? xasprintf("-%s", letters + n) : xstrdup(AS_IT_IS);
        return !letters[n];
    }
    if (!*seen || strcmp(letters, "t") != 0 || is_number(word[1]))
        return false;
    *word = xstrdup(AS_IT_IS);
    return true;
}

// How many words an option of ours has, of one letter or several.
static int count_letters(const char *word, const char *letters) {
    for (const char *at = word + 1; *at; at++) {
        const char *known = strchr(letters, *at);
        if (known && known[1] == ':')
            return at[1] ? 1 : 2;
    }
    return 1;
}

static int count_long(const char *word, const struct option *options) {
    size_t length = strcspn(word, "=");
    const struct option *o = options;
    while (o->name && strncmp(o->name, word + 2, length - 2) != 0)
        o++;
    return o->name && o->has_arg == required_argument && !word[length] ? 2 : 1;
}

void habits_replace(int argc, char **argv, const char *letters, const struct option *options) {
    bool interactive = false;
    for (int i = 1; i < argc && argv[i][0] == '-' && argv[i][1] && strcmp(argv[i], "--") != 0;) {
        const struct habit *h = find(argv[i]);
        if (h) {
            i += replace(h, argv + i);
        } else if (argv[i][1] == '-') {
            i += count_long(argv[i], options);
        } else if (take_interactive(argv + i, &interactive)) {
            i++;
        } else if (strchr("dP", argv[i][1])) { // with others behind it
            refuse(find(argv[i][1] == 'd' ? "-d" : "-P"));
        } else {
            i += count_letters(argv[i], letters);
        }
    }
}
