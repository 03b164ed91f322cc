// SPDX-License-Identifier: MIT
// Pid 1 of a small machine in which programs use memory up, each in a way of its own ("WAYS" below). For each way it
// claims: whoever does it pays, by a limit or with its life; the system answers within a second all the while (a program
// is started as root, makes a file and removes it); the process of another user lives on, and a new one of its gets memory; and when the
// culprit has gone, memory is back.
//
// LATE in the environment: so many answers of a way may come late, where the host's load is in the time.
//
// A culprit says that it has come to its end (a limit) by a byte in a pipe and waits to be killed.
#define _GNU_SOURCE
#include "ways.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE      4096ul
#define MIB       (1ul << 20)
#define CULPRIT   1000
#define INNOCENT  1001
#define ANSWER_MS 1000
#define END_MS    60000

static int failures;

static int64_t now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

// ---- ways; each goes on until it cannot

static char *map(size_t n, int flags) {
    char *p = mmap(NULL, n, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

static void touch_all(int flags) {
    for (char *p; (p = map(4 * MIB, flags));)
        for (size_t i = 0; i < 4 * MIB; i += PAGE)
            p[i] = 1;
}

static void anonymous(void) {
    touch_all(MAP_PRIVATE);
}

static void shared_anonymous(void) {
    touch_all(MAP_SHARED);
}

static void many_children_touch(void) {
    for (int i = 0; i < 8; i++)
        if (fork() == 0)
            anonymous();
    anonymous();
}

static void by_brk(void) {
    for (long at = syscall(SYS_brk, 0), next;; at = next) {
        next = at + (long)MIB;
        if (syscall(SYS_brk, next) != next)
            break;
        memset((char *)at, 1, MIB);
    }
}

static void by_populate(void) {
    while (mmap(NULL, 4 * MIB, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_POPULATE, -1, 0) != MAP_FAILED)
        ;
}

static void by_mlock(void) {
    for (char *p; (p = map(MIB, MAP_PRIVATE));)
        if (mlock(p, MIB))
            memset(p, 1, MIB);
}

static void deep_stack(void) {
    struct rlimit none = {RLIM_INFINITY, RLIM_INFINITY};
    setrlimit(RLIMIT_STACK, &none);
    if (fork() == 0) { // the limit is exec's to take up
        execl("/proc/self/exe", "oom", "stack", (char *)NULL);
        _exit(1);
    }
    wait(NULL);
}

static void __attribute__((noinline)) descend(int n) {
    volatile char room[64 * 1024];
    for (size_t i = 0; i < sizeof(room); i += PAGE)
        room[i] = 1;
    if (n)
        descend(n - 1);
    room[0] = 2;
}

static void page_tables(void) {
    for (uintptr_t at = 1ul << 32;; at += 1ul << 30) {
        volatile char *p =
            mmap((void *)at, 1ul << 30, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (p == MAP_FAILED)
            break;
        for (size_t i = 0; i < 1ul << 30; i += 2 * MIB)
            (void)p[i];
    }
    if (fork() >= 0) // once more, in another process
        page_tables();
}

static void areas(void) {
    do {
        size_t n = 140000 * PAGE;
        char *p = mmap(NULL, n, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (p == MAP_FAILED)
            break;
        for (size_t i = 0; i < n && mprotect(p + i, PAGE, PROT_NONE) == 0; i += 2 * PAGE)
            ;
    } while (fork() >= 0);
}

static void private_file(void) {
    for (;;) {
        int fd = open("/proc/self/exe", O_RDONLY);
        char *p = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
        struct stat st;
        if (fd < 0 || p == MAP_FAILED || fstat(fd, &st))
            break;
        close(fd);
        for (size_t i = 0; i < (size_t)st.st_size && i < 64 * PAGE; i += PAGE)
            p[i] = 1;
    }
}

static void write_all(int fd) {
    static char block[64 * 1024];
    while (write(fd, block, sizeof(block)) > 0)
        ;
}

static void tmp_file(void) {
    write_all(open("/tmp/file", O_CREAT | O_WRONLY, 0600));
}

static void mapped_file(void) {
    int fd = open("/tmp/mapped", O_CREAT | O_RDWR, 0600);
    char *p = ftruncate(fd, 1ul << 30) ? MAP_FAILED
                                       : mmap(NULL, 1ul << 30, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    for (size_t i = 0; p != MAP_FAILED; i += PAGE)
        p[i] = 1; // SIGBUS at the limit
}

// One after the other, by mapping, in children that are gone then.
static void in_turn(void (*fn)(int n)) {
    for (int i = 0, status = 0; i < 64; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            fn(i);
            _exit(1);
        }
        if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
            break;
    }
}

static void one_segment(int n) {
    int id = shmget(0x100 + n, 4 * MIB, IPC_CREAT | 0600);
    char *p = id < 0 ? (void *)-1 : shmat(id, NULL, 0);
    for (size_t i = 0; p != (void *)-1 && i < 4 * MIB; i += PAGE)
        p[i] = 1; // SIGBUS when memory is short
    _exit(p == (void *)-1);
}

static void segments(void) {
    in_turn(one_segment);
}

static void one_mapped_file(int n) {
    char name[40];
    snprintf(name, sizeof(name), n % 2 ? "/tmp/turn-%d" : "/dev/shm/turn-%d", n);
    int fd = open(name, O_CREAT | O_RDWR, 0600);
    char *p =
        ftruncate(fd, 4 * MIB) ? MAP_FAILED : mmap(NULL, 4 * MIB, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    for (size_t i = 0; p != MAP_FAILED && i < 4 * MIB; i += PAGE)
        p[i] = 1;
    _exit(p == MAP_FAILED);
}

static void mapped_files(void) {
    in_turn(one_mapped_file);
}

static void segments_and_mapped_files(void) {
    segments();
    mapped_files();
}

static void memfds(void) {
    for (int fd; (fd = memfd_create("m", 0)) >= 0;) {
        write_all(fd);
        char byte = 1;
        if (write(fd, &byte, 1) < 0)
            break;
    }
}

static void sparse_files(void) {
    int fd = open("/tmp/sparse", O_CREAT | O_WRONLY, 0600);
    char byte = 1;
    for (off_t at = 0; pwrite(fd, &byte, 1, at) == 1; at += 1l << 30)
        ;
}

static void by_fallocate(void) {
    int fd = open("/tmp/allocated", O_CREAT | O_WRONLY, 0600);
    for (off_t at = 0; fallocate(fd, 0, at, MIB) == 0; at += MIB)
        ;
}

static void small_files(void) {
    char name[32], byte = 1;
    for (int i = 0;; i++) {
        snprintf(name, sizeof(name), "/tmp/small-%d", i);
        int fd = open(name, O_CREAT | O_WRONLY, 0600);
        if (fd < 0 || write(fd, &byte, 1) != 1)
            break;
        close(fd);
    }
}

static void symlinks(void) {
    static char target[4000];
    char name[32];
    memset(target, 't', sizeof(target) - 1);
    for (int i = 0;; i++) {
        snprintf(name, sizeof(name), "/tmp/link-%d", i);
        if (symlink(target, name))
            break;
    }
}

static void directories(void) {
    char name[32];
    for (int i = 0;; i++) {
        snprintf(name, sizeof(name), "/tmp/directory-%d", i);
        if (mkdir(name, 0700))
            break;
    }
}

static void hard_links(void) {
    char name[256];
    close(open("/tmp/linked", O_CREAT | O_WRONLY, 0600));
    for (int i = 0;; i++) {
        snprintf(name, sizeof(name), "/tmp/%0200d", i);
        if (link("/tmp/linked", name))
            break;
    }
}

static void deep_directories(void) {
    static char name[201];
    memset(name, 'd', sizeof(name) - 1);
    if (mkdir("/tmp/deep", 0700) || chdir("/tmp/deep"))
        return;
    while (mkdir(name, 0700) == 0 && chdir(name) == 0)
        ;
}

void in_children(void (*fn)(void)) {
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    for (int i = 0; i < 40; i++) {
        int ready[2];
        char byte;
        if (pipe(ready))
            return;
        pid_t pid = fork();
        if (pid < 0)
            return;
        if (pid == 0) {
            fn();
            (void)!write(ready[1], "", 1);
            for (;;)
                pause();
        }
        close(ready[1]);
        (void)!read(ready[0], &byte, 1);
        close(ready[0]);
    }
}

static void proc_texts(void) {
    char *p = map(3000 * PAGE, MAP_PRIVATE), byte;
    for (size_t i = 0; i < 3000; i += 2)
        mprotect(p + i * PAGE, PAGE, PROT_READ);
    for (int fd; (fd = open("/proc/self/maps", O_RDONLY)) >= 0;)
        if (read(fd, &byte, 1) != 1)
            break;
}

static void timers(void) {
    struct sigevent e = {.sigev_notify = SIGEV_NONE};
    for (timer_t t; timer_create(CLOCK_MONOTONIC, &e, &t) == 0;)
        ;
}

static void signals(void) {
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    while (sigqueue(getpid(), SIGRTMIN, (union sigval){0}) == 0)
        ;
}

static void in_forks(void (*fn)(void)) {
    for (pid_t pid; (pid = fork()) >= 0;) {
        if (pid == 0) {
            fn();
            for (;;)
                pause();
        }
    }
}

static void timers_of_many(void) {
    in_forks(timers);
}

static void signals_of_many(void) {
    in_forks(signals);
}

static void *sleep_for_ever(void *arg) {
    for (;;)
        pause();
    return arg;
}

static void threads(void) {
    pthread_attr_t small;
    pthread_t t;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 16384);
    while (pthread_create(&t, &small, sleep_for_ever, NULL) == 0)
        ;
}

static void nothing(void) {}

static void forks(void) {
    in_forks(nothing);
}

static void zombies(void) {
    for (pid_t pid; (pid = fork()) >= 0;)
        if (pid == 0)
            _exit(0);
}

static void bomb(void) {
    int64_t end = now_ms() + 500;
    while (now_ms() < end)
        fork();
}

static void large_arguments(void) {
    static char word[120000];
    static char *argv[64] = {"oom", "pause"};
    memset(word, 'w', sizeof(word) - 1);
    for (int i = 2; i < 17; i++)
        argv[i] = word;
    for (int i = 0; i < 400; i++) {
        pid_t pid = fork();
        if (pid < 0)
            break;
        if (pid == 0) {
            execv("/proc/self/exe", argv);
            _exit(1);
        }
    }
}

static void mounts(void) {
    char name[32];
    for (int i = 0;; i++) {
        snprintf(name, sizeof(name), "/tmp/mount-%d", i);
        if (mkdir(name, 0700) || mount("none", name, "tmpfs", 0, "size=4k"))
            break;
    }
}

static void proc_texts_of_many(void) {
    in_children(proc_texts);
}

static const struct way {
    const char *name;
    void (*run)(void);
    bool root; // also as root
} ways[] = {
    {"anonymous memory", anonymous, true},
    {"shared anonymous memory", shared_anonymous, true},
    {"memory of many children", many_children_touch, false},
    {"brk", by_brk, false},
    {"MAP_POPULATE", by_populate, false},
    {"mlock", by_mlock, true},
    {"a deep stack", deep_stack, false},
    {"page tables", page_tables, false},
    {"areas", areas, false},
    {"private copies of a file", private_file, false},
    {"a file in /tmp", tmp_file, true},
    {"a mapped file in /tmp", mapped_file, false},
    {"segments and mapped files that nobody has any more", segments_and_mapped_files, false},
    {"memfds", memfds, false},
    {"sparse files", sparse_files, false},
    {"fallocate", by_fallocate, false},
    {"small files", small_files, true},
    {"symlinks", symlinks, false},
    {"directories", directories, false},
    {"hard links", hard_links, false},
    {"deep directories", deep_directories, false},
    {"open files", files_of_many, false},
    {"pipes", pipes_of_many, false},
    {"large pipes", large_pipes_of_many, false},
    {"ptys", ptys_of_many, false},
    {"eventfds", eventfds_of_many, false},
    {"timerfds", timerfds_of_many, false},
    {"epoll sets", epoll_sets_of_many, false},
    {"texts of /proc", proc_texts_of_many, false},
    {"locks", locks, false},
    {"leases", leases_of_many, false},
    {"timers", timers_of_many, false},
    {"signals", signals_of_many, false},
    {"threads", threads, true},
    {"forks", forks, true},
    {"zombies", zombies, true},
    {"a fork bomb", bomb, false},
    {"large arguments", large_arguments, false},
    {"mounts", mounts, true},
    {"UNIX stream sockets", unix_streams, false},
    {"UNIX datagram sockets", unix_datagrams, false},
    {"descriptors in messages", unix_rights, false},
    {"UNIX sockets that nobody accepts", unix_backlogs, false},
    {"TCP connections", tcp_connections, true},
    {"TCP connections that nobody accepts", tcp_backlogs, false},
    {"UDP sockets", udp_sockets, false},
    {"sockets of all kinds", many_sockets, false},
};

// ---- the system meanwhile

static long free_kb(void) {
    char text[4096] = "";
    int fd = open("/proc/meminfo", O_RDONLY);
    if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
        return -1;
    close(fd);
    char *line = strstr(text, "MemFree:");
    return line ? strtol(line + 8, NULL, 10) : -1;
}

static int probe(void) {
    int fd = open("/run/probe", O_CREAT | O_RDWR, 0600);
    return fd < 0 || write(fd, "x", 1) != 1 || unlink("/run/probe") || free_kb() < 0;
}

// Starts a program as root and waits for it. The ms it took, or -1.
static int64_t answer(void) {
    int64_t start = now_ms();
    int status;
    pid_t pid = vfork();
    if (pid == 0) {
        execl("/oom", "oom", "probe", (char *)NULL);
        _exit(1);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
        return -1;
    return now_ms() - start;
}

static int innocent_main(void) {
    char *p = map(MIB, MAP_PRIVATE);
    if (setgid(INNOCENT) || setuid(INNOCENT))
        return 1;
    for (;;) {
        memset(p, 1, MIB);
        usleep(100000);
    }
}

// A program of another user that wants a twelfth of what there was.
static bool newcomer_lives(long had) {
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        size_t n = (size_t)had / 12 * 1024;
        char *p = setgid(INNOCENT) || setuid(INNOCENT) ? NULL : map(n, MAP_PRIVATE);
        if (p)
            memset(p, 1, n);
        _exit(!p);
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid && !status;
}

// What the kernel only keeps at hand goes when memory is short.
static void squeeze(void) {
    pid_t pid = fork();
    if (pid == 0) {
        anonymous();
        _exit(0);
    }
    waitpid(pid, NULL, 0);
}

// The culprit's processes end, and what it made goes.
static void clean(uid_t uid) {
    pid_t pid = fork();
    if (pid == 0) {
        if (uid && setuid(uid) == 0)
            kill(-1, SIGKILL);
        _exit(0);
    }
    waitpid(pid, NULL, 0);
    char name[32];
    for (int i = 0; snprintf(name, sizeof(name), "/tmp/mount-%d", i) && umount(name) == 0; i++)
        ;
    static const char *const places[] = {"/tmp", "/dev/shm"};
    for (int i = 0; i < 2; i++) {
        while (umount(places[i]))
            usleep(10000); // a process that ends is still in it
        (void)mount("tmpfs", places[i], "tmpfs", 0, NULL);
    }
    struct shmid_ds d;
    for (int i = 0, id; i < 4096; i++)
        if ((id = shmctl(i, SHM_STAT, &d)) >= 0)
            (void)shmctl(id, IPC_RMID, NULL);
}

static void claim(bool holds, const struct way *w, uid_t uid, const char *what, long value) {
    if (holds)
        return;
    failures++;
    printf("# %s, uid %u: %s (%ld)\n", w->name, uid, what, value);
}

static pid_t start(const struct way *w, uid_t uid, int *end) {
    int p[2];
    if (pipe(p))
        return -1;
    pid_t pid = fork();
    if (pid == 0) {
        setpgid(0, 0);
        close(p[0]);
        if (uid && (setgid(uid) || setuid(uid)))
            _exit(1);
        w->run();
        (void)!write(p[1], "", 1);
        for (;;)
            pause();
    }
    close(p[1]);
    *end = p[0];
    return pid;
}

// Until the culprit has come to its end: a byte, or all its processes are gone.
static void watch(const struct way *w, uid_t uid, int end) {
    struct pollfd fd = {.fd = end, .events = POLLIN};
    int64_t deadline = now_ms() + END_MS;
    int late = 0;
    bool over = false;
    do {
        over = poll(&fd, 1, 20) > 0;
        int64_t ms = answer();
        claim(ms >= 0, w, uid, "no program can be started", errno);
        if (ms < 0)
            return;
        late += ms > ANSWER_MS;
    } while (!over && now_ms() < deadline);
    claim(over, w, uid, "it goes on for ever, ms", END_MS);
    claim(late <= (getenv("LATE") ? atoi(getenv("LATE")) : 0), w, uid, "the system answers late, times",
          late);
    claim(answer() >= 0, w, uid, "the system does not answer at the end", 0);
}

// What may be kept at hand when memory has been short: by other harts of objects and page tables, and parts of slabs.
static long slack_kb(void) {
    return 512 + 256 * sysconf(_SC_NPROCESSORS_ONLN);
}

static void try(const struct way *w, uid_t uid) {
    int end = -1, before = failures, status;
    int64_t begun = now_ms();
    pid_t innocent = fork();
    if (innocent == 0)
        _exit(innocent_main());
    usleep(20000);
    long had = free_kb();
    pid_t culprit = start(w, uid, &end);
    watch(w, uid, end);
    long left = free_kb();
    claim(uid == 0 || newcomer_lives(had), w, uid, "another user's program gets no memory, of kB", left);
    close(end);
    if (uid == 0)
        kill(-culprit, SIGKILL);
    clean(uid);
    claim(waitpid(innocent, &status, WNOHANG) == 0, w, uid, "another user's process was killed", 0);
    long has = 0;
    for (int i = 0; i < 250 && (has = free_kb()) < had - slack_kb(); i++) {
        if (i == 10)
            squeeze();
        while (waitpid(-1, NULL, WNOHANG) > 0)
            ;
        usleep(20000);
    }
    claim(has >= had - slack_kb(), w, uid, "memory is lost, kB", had - has);
    kill(innocent, SIGKILL);
    while (waitpid(-1, NULL, WNOHANG) > 0 || waitpid(innocent, NULL, 0) > 0)
        ;
    printf("%s %s, uid %u (%ld ms; %ld of %ld kB were left)\n", failures == before ? "ok" : "not ok", w->name,
           uid, (long)(now_ms() - begun), left, had);
    fflush(stdout);
}

int main(int argc, char **argv) {
    if (argc > 1 && !strcmp(argv[1], "probe"))
        return probe();
    if (argc > 1 && !strcmp(argv[1], "pause"))
        for (;;)
            pause();
    if (argc > 1 && !strcmp(argv[1], "stack")) {
        descend(1 << 20);
        return 0;
    }
    mkdir("/proc", 0755), mkdir("/dev", 0755), mkdir("/tmp", 01777), mkdir("/run", 0755);
    if (mount("proc", "/proc", "proc", 0, NULL) || mount("dev", "/dev", "devtmpfs", 0, NULL) ||
        mount("tmpfs", "/tmp", "tmpfs", 0, NULL) || (mkdir("/dev/shm", 01777) && errno != EEXIST) ||
        mount("tmpfs", "/dev/shm", "tmpfs", 0, NULL))
        printf("not ok mounts\n");
    if (answer() < 0) // what a first program brings in stays
        printf("not ok the first answer\n");
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        bool wanted = argc < 2;
        for (int a = 1; a < argc; a++)
            wanted |= !!strstr(ways[i].name, argv[a]);
        if (!wanted)
            continue;
        try(&ways[i], CULPRIT);
        if (ways[i].root)
            try(&ways[i], 0);
    }
    printf("DONE\n");
    fflush(stdout);
    reboot(RB_POWER_OFF);
}
