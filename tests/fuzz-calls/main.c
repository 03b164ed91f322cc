// SPDX-License-Identifier: MIT
// /init of the machine that is fuzzed. Arguments, all after "--" on the kernel's command line:
//   seed=N workers=N programs=N calls=N   how much: so many programs of so many calls from each worker
//   replay=SEED:WORKER:PROGRAM            makes that program's calls alone, and prints each before it is made
//   only=NAME                             makes calls of that name alone
// Odd workers' programs run as a user of their own, those of every second even one as root.
//
// When all is done, the machine has to be as it was: no process is left, and memory, slabs and open files are what they were
// after the first programs (which fill caches). Prints "ok NAME" and "not ok NAME" as the user tests do, and "DONE".
#define _GNU_SOURCE
#include "tests/fuzz-calls/calls.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/fs.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { WARM_UP = 60, PATIENCE_MS = 400, SLACK_KB = 384 };

struct options {
    struct program program; // seed, calls, only; in a replay the rest too
    unsigned int workers, programs;
    bool replay;
};

// ---- what is there

static long meminfo(const char *field) {
    char line[200];
    long kb = -1;
    FILE *f = fopen("/proc/meminfo", "r");
    while (f && fgets(line, sizeof(line), f)) {
        if (!strncmp(line, field, strlen(field)) && line[strlen(field)] == ':')
            kb = strtol(line + strlen(field) + 1, NULL, 10);
    }
    if (f)
        fclose(f);
    return kb;
}

static int count_processes(void) {
    int n = 0;
    DIR *d = opendir("/proc");
    for (struct dirent *e; d && (e = readdir(d));)
        n += e->d_name[0] >= '0' && e->d_name[0] <= '9';
    if (d)
        closedir(d);
    return n;
}

static int count_mounts(void) {
    char line[1000];
    int n = 0;
    FILE *f = fopen("/proc/mounts", "r");
    while (f && fgets(line, sizeof(line), f))
        n++;
    if (f)
        fclose(f);
    return n;
}

struct machine {
    long free_kb, slab_kb;
    int processes, mounts;
};

static struct machine look(void) {
    return (struct machine){meminfo("MemFree"), meminfo("Slab"), count_processes(), count_mounts()};
}

// ---- a worker

// Kills what is a child of this process, by birth or by adoption.
static void kill_children(void) {
    DIR *d = opendir("/proc");
    for (struct dirent *e; d && (e = readdir(d));) {
        char path[300], text[300] = "";
        snprintf(path, sizeof(path), "/proc/%s/stat", e->d_name);
        int fd = e->d_name[0] >= '1' && e->d_name[0] <= '9' ? open(path, O_RDONLY) : -1;
        if (fd < 0)
            continue;
        ssize_t n = read(fd, text, sizeof(text) - 1);
        close(fd);
        const char *behind = n > 0 ? strrchr(text, ')') : NULL;
        if (behind && strtol(behind + 4, NULL, 10) == getpid())
            kill((pid_t)strtol(e->d_name, NULL, 10), SIGKILL);
    }
    if (d)
        closedir(d);
}

// Takes in all children that have ended. True: there are no others.
static bool reap(void) {
    pid_t pid;
    while ((pid = waitpid(-1, NULL, WNOHANG | __WALL)) > 0)
        ;
    return pid < 0;
}

static long milliseconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void wait_for_child(long ms) {
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigtimedwait(&child, NULL, &t);
}

// Waits until the program has ended, ends it when it takes too long, and what it left.
static void wait_program(pid_t pid, bool patient) {
    siginfo_t info = {0};
    for (long end = milliseconds() + PATIENCE_MS; patient || milliseconds() < end;) {
        if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT | WNOHANG) || info.si_pid)
            break;
        wait_for_child(patient ? 1000 : end - milliseconds() + 1);
    }
    for (kill(pid, SIGKILL); !reap(); wait_for_child(20))
        kill_children();
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw) {
    int fd, no_flags = 0;
    (void)type, (void)ftw;
    if (remove(path) && errno == EPERM && (S_ISREG(st->st_mode) || S_ISDIR(st->st_mode)) &&
        (fd = open(path, O_RDONLY | O_NONBLOCK)) >= 0) {
        ioctl(fd, FS_IOC_SETFLAGS, &no_flags);
        close(fd);
        remove(path);
    }
    return 0;
}

static void unmount_strays(int wanted) {
    char line[1000], where[1000];
    for (int rounds = 0; rounds < 50 && count_mounts() > wanted; rounds++) {
        FILE *f = fopen("/proc/mounts", "r");
        for (int i = 0; f && fgets(line, sizeof(line), f); i++) {
            if (i >= wanted && sscanf(line, "%*s %999s", where) == 1)
                umount2(where, MNT_DETACH);
        }
        if (f)
            fclose(f);
    }
}

static void run_program(const struct program *p, int mounts) {
    char directory[40];
    snprintf(directory, sizeof(directory), "/tmp/w%u", p->worker);
    mkdir(directory, 0777);
    chmod(directory, 0777);
    pid_t pid = fork();
    if (pid == 0) {
        setsid(); // no terminal
        if (chdir(directory))
            _exit(0);
        program_run(p);
    }
    if (pid > 0)
        wait_program(pid, p->verbose);
    if (p->root)
        unmount_strays(mounts);
    nftw(directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static bool worker_is_root(unsigned int worker) {
    return worker % 4 == 2;
}

static void run_worker(const struct options *o, unsigned int worker, unsigned int from, unsigned int to) {
    struct program p = o->program;
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, NULL);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    p.worker = worker;
    p.root = worker_is_root(worker);
    int mounts = count_mounts();
    for (p.number = from; p.number < to; p.number++)
        run_program(&p, mounts);
    _exit(0);
}

static off_t true_size;

// Records of processes go nowhere any more, and those that went behind the one program there is are cut off.
static void end_accounting(void) {
    if (acct(NULL) || truncate("/bin/true", true_size))
        printf("not ok end_accounting\n");
}

// Objects that stay until somebody removes them: System V's, and message queues.
static void remove_lasting(void) {
    static const struct {
        const char *list;
        long call;
    } kinds[] = {{"/proc/sysvipc/msg", SYS_msgctl},
                 {"/proc/sysvipc/sem", SYS_semctl},
                 {"/proc/sysvipc/shm", SYS_shmctl}};
    char line[1000];
    int id;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        FILE *f = fopen(kinds[i].list, "r");
        while (f && fgets(line, sizeof(line), f)) {
            if (sscanf(line, "%*d %d", &id) != 1)
                continue;
            if (kinds[i].call == SYS_semctl)
                syscall(kinds[i].call, id, 0, IPC_RMID, NULL);
            else
                syscall(kinds[i].call, id, IPC_RMID, NULL);
        }
        if (f)
            fclose(f);
    }
    mkdir("/queues", 0755);
    if (mount("mqueue", "/queues", "mqueue", 0, NULL) == 0) {
        nftw("/queues", remove_entry, 16, FTW_DEPTH | FTW_PHYS);
        umount("/queues");
    }
}

// And the keyrings of the users that the workers were: they stay, so what is in them goes.
static void empty_keyrings(void) {
    char line[200];
    unsigned int uid;
    FILE *f = fopen("/proc/key-users", "r");
    while (f && fgets(line, sizeof(line), f)) {
        if (sscanf(line, "%u:", &uid) != 1 || fork() != 0)
            continue;
        if (setuid(uid) == 0) {
            syscall(SYS_keyctl, KEYCTL_CLEAR, KEY_SPEC_USER_SESSION_KEYRING);
            syscall(SYS_keyctl, KEYCTL_CLEAR, KEY_SPEC_USER_KEYRING);
        }
        _exit(0);
    }
    if (f)
        fclose(f);
    while (wait(NULL) > 0)
        ;
}

// What the kernel keeps at hand though nobody uses it, each hart its own.
static void drop_caches(void) {
    cpu_set_t one, all;
    sched_getaffinity(0, sizeof(all), &all);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        if (!CPU_ISSET(cpu, &all) || sched_setaffinity(0, sizeof(one), &one))
            continue;
        int fd = open("/proc/sys/vm/drop_caches", O_WRONLY);
        if (fd < 0 || write(fd, "3", 1) != 1)
            printf("not ok drop_caches\n");
        close(fd);
    }
    sched_setaffinity(0, sizeof(all), &all);
}

static void run_workers(const struct options *o, unsigned int from, unsigned int to) {
    for (unsigned int w = 0; w < o->workers; w++) {
        if (fork() == 0)
            run_worker(o, w, from, to);
    }
    while (wait(NULL) > 0 || errno == EINTR)
        ;
    end_accounting();
    remove_lasting();
    empty_keyrings();
    drop_caches();
}

// ---- the run

static void hold(const char *name, bool holds, const char *detail) {
    if (!holds)
        printf("# %s\n", detail);
    printf("%s %s\n", holds ? "ok" : "not ok", name);
}

static void compare(struct machine before, struct machine after) {
    char text[200];
    snprintf(text, sizeof(text), "MemFree: %ld kB before, %ld kB after", before.free_kb, after.free_kb);
    hold("memory_is_back", before.free_kb - after.free_kb <= SLACK_KB, text);
    snprintf(text, sizeof(text), "Slab: %ld kB before, %ld kB after", before.slab_kb, after.slab_kb);
    hold("slabs_are_back", after.slab_kb - before.slab_kb <= SLACK_KB, text);
    snprintf(text, sizeof(text), "%d processes before, %d after", before.processes, after.processes);
    hold("processes_are_gone", after.processes <= before.processes, text);
    snprintf(text, sizeof(text), "%d mounts before, %d after", before.mounts, after.mounts);
    hold("mounts_are_gone", after.mounts <= before.mounts, text);
}

static void parse(struct options *o, const char *word) {
    struct program *p = &o->program;
    unsigned long number = strtoul(strchr(word, '=') ? strchr(word, '=') + 1 : "", NULL, 0);
    if (!strncmp(word, "seed=", 5))
        p->seed = number;
    else if (!strncmp(word, "workers=", 8))
        o->workers = (unsigned int)number;
    else if (!strncmp(word, "programs=", 9))
        o->programs = (unsigned int)number;
    else if (!strncmp(word, "calls=", 6))
        p->calls = (unsigned int)number;
    else if (!strncmp(word, "only=", 5))
        p->only = word + 5;
    else if (sscanf(word, "replay=%lu:%u:%u", &p->seed, &p->worker, &p->number) == 3)
        o->replay = true;
    else
        printf("# not known: %s\n", word);
}

static void mount_all(void) {
    struct stat program = {.st_size = 0};
    stat("/bin/true", &program);
    true_size = program.st_size;
    mkdir("/proc", 0755);
    mkdir("/dev", 0755);
    mkdir("/tmp", 01777);
    mount("proc", "/proc", "proc", 0, NULL);
    mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
    mkdir("/dev/pts", 0755);
    mount("devpts", "/dev/pts", "devpts", 0, NULL);
    mount("tmpfs", "/tmp", "tmpfs", 0, NULL);
    int fd = open("/proc/sys/fs/mount-max", O_WRONLY); // shared ones double
    if (fd < 0 || write(fd, "2000", 4) != 4)
        printf("not ok mount_max\n");
    close(fd);
}

int main(int argc, char **argv) {
    struct options o = {.program = {.calls = 200}, .workers = 4, .programs = 300};
    setvbuf(stdout, NULL, _IOLBF, 0);
    mount_all();
    for (int i = 1; i < argc; i++)
        parse(&o, argv[i]);
    if (o.program.only && !call_find(o.program.only))
        printf("# no such call: %s\n", o.program.only);
    calls_read();
    if (o.replay) {
        o.program.verbose = true;
        o.program.root = worker_is_root(o.program.worker);
        run_program(&o.program, count_mounts());
    } else {
        run_workers(&o, 0, WARM_UP);
        struct machine before = look();
        run_workers(&o, WARM_UP, WARM_UP + o.programs);
        compare(before, look());
    }
    printf("DONE\n");
    fflush(stdout);
    reboot(RB_POWER_OFF);
    return 1;
}
