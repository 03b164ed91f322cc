// SPDX-License-Identifier: MIT
// What a kernel's everyday operations cost, in ticks of rdtime; under `qemu -icount shift=0,sleep=off` a tick
// is 100 instructions. Run as /init (or from a shell) on any riscv64 Linux-compatible kernel. The first lines
// tell when main() began; with the argument `boot` nothing else is measured. bench/run.py reads the output:
// "name<TAB>ticks<TAB>operations".
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROUNDS = 5000, BLOCKS = 500 }; // of messages; of 64 KiB each
enum { BLOCK = 65536, FILE_BLOCKS = 256, PAGE = 4096, PAGES_PER_BLOCK = BLOCK / PAGE };

static char buffer[BLOCK];
static unsigned long started;

static inline unsigned long rdtime(void) {
    unsigned long t;
    __asm__ volatile("rdtime %0" : "=r"(t));
    return t;
}

static void report(const char *name, unsigned long ticks, long operations) {
    printf("%s\t%lu\t%ld\n", name, ticks, operations);
    fflush(stdout);
}

// Runs the statement `n` times and reports it.
#define MEASURE(name, n, statement)                                                                          \
    do {                                                                                                     \
        started = rdtime();                                                                                  \
        for (long i = 0; i < (n); i++) {                                                                     \
            statement;                                                                                       \
        }                                                                                                    \
        report(name, rdtime() - started, (n));                                                               \
    } while (0)

static void must(int ok, const char *what) {
    if (!ok) {
        perror(what);
        exit(1);
    }
}

static void bench_calls(void) {
    struct stat st;
    int zero = open("/dev/zero", O_RDONLY), null = open("/dev/null", O_WRONLY);
    must(zero >= 0 && null >= 0, "/dev");
    MEASURE("getppid", 100000, syscall(SYS_getppid));
    MEASURE("read 1 B of /dev/zero", 50000, read(zero, buffer, 1));
    MEASURE("write 1 B to /dev/null", 50000, write(null, buffer, 1));
    MEASURE("stat", 20000, stat("/init", &st));
    MEASURE("open + close", 20000, close(open("/init", O_RDONLY)));
}

static void bench_pipe(void) {
    int there[2], back[2];
    must(pipe(there) == 0 && pipe(back) == 0, "pipe");
    if (fork() == 0) {
        for (int i = 0; i < ROUNDS; i++)
            if (read(there[0], buffer, 1) != 1 || write(back[1], buffer, 1) != 1)
                _exit(1);
        _exit(0);
    }
    MEASURE("pipe ping-pong, two processes, round trip", ROUNDS, {
        must(write(there[1], buffer, 1) == 1, "write");
        must(read(back[0], buffer, 1) == 1, "read");
    });
    wait(NULL);
}

// A child that sends back each byte or datagram it gets.
static void echo(int fd) {
    if (fork() == 0) {
        for (int i = 0; i < ROUNDS; i++)
            if (read(fd, buffer, 1) != 1 || write(fd, buffer, 1) != 1)
                _exit(1);
        _exit(0);
    }
}

// A child that reads 64 KiB blocks until there are no more.
static void drain(int fd, int other) {
    if (fork() == 0) {
        close(other);
        while (read(fd, buffer, BLOCK) > 0)
            ;
        _exit(0);
    }
    close(fd);
}

static void send_descriptor(int s, int fd) {
    char control[CMSG_SPACE(sizeof(fd))] = {0};
    struct iovec iov = {buffer, 1};
    struct msghdr m = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    *c =
        (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(fd)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(c), &fd, sizeof(fd));
    must(sendmsg(s, &m, 0) == 1, "sendmsg");
}

static int receive_descriptor(int s) {
    char control[CMSG_SPACE(sizeof(int))];
    struct iovec iov = {buffer, 1};
    struct msghdr m = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
    int fd = -1;
    must(recvmsg(s, &m, 0) == 1 && CMSG_FIRSTHDR(&m), "recvmsg");
    memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(fd));
    return fd;
}

static void bench_sockets(void) {
    int pair[2], null = open("/dev/null", O_WRONLY);
    must(pipe(pair) == 0, "pipe");
    drain(pair[0], pair[1]);
    MEASURE("pipe, 64 KiB to another process", BLOCKS, must(write(pair[1], buffer, BLOCK) == BLOCK, "write"));
    close(pair[1]);
    wait(NULL);
    must(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0, "socketpair");
    echo(pair[1]);
    MEASURE("UNIX stream, two processes, round trip", ROUNDS, {
        must(write(pair[0], buffer, 1) == 1, "write");
        must(read(pair[0], buffer, 1) == 1, "read");
    });
    wait(NULL);
    drain(pair[1], pair[0]);
    MEASURE("UNIX stream, 64 KiB to another process", BLOCKS,
            must(write(pair[0], buffer, BLOCK) == BLOCK, "write"));
    close(pair[0]);
    wait(NULL);
    must(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == 0, "socketpair");
    echo(pair[1]);
    MEASURE("UNIX datagram, two processes, round trip", ROUNDS, {
        must(send(pair[0], buffer, 1, 0) == 1, "send");
        must(recv(pair[0], buffer, 1, 0) == 1, "recv");
    });
    wait(NULL);
    MEASURE("a descriptor sent, received and closed", ROUNDS, {
        send_descriptor(pair[0], null);
        close(receive_descriptor(pair[1]));
    });
    close(pair[0]), close(pair[1]);
    MEASURE("socketpair + close", ROUNDS, {
        must(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0, "socketpair");
        close(pair[0]);
        close(pair[1]);
    });
}

static void bench_files(void) {
    int fd = open("/tmp/bench", O_RDWR | O_CREAT | O_TRUNC, 0644);
    volatile char sum = 0;
    must(fd >= 0, "/tmp/bench");
    MEASURE("tmpfs write 64 KiB, new pages", FILE_BLOCKS, must(write(fd, buffer, BLOCK) == BLOCK, "write"));
    MEASURE("tmpfs read 64 KiB", FILE_BLOCKS, must(pread(fd, buffer, BLOCK, i * BLOCK) == BLOCK, "read"));
    char *map = mmap(NULL, FILE_BLOCKS * BLOCK, PROT_READ, MAP_SHARED, fd, 0);
    must(map != MAP_FAILED, "mmap");
    MEASURE("fault on a mapped tmpfs page (amortised)", FILE_BLOCKS * PAGES_PER_BLOCK, sum += map[i * PAGE]);
    munmap(map, FILE_BLOCKS * BLOCK);
    close(fd);
    MEASURE("unlink a 16 MiB file", 1, unlink("/tmp/bench"));
}

static void bench_memory(void) {
    enum { PAGES = 4096 };
    char *map = mmap(NULL, (long)PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    must(map != MAP_FAILED, "mmap");
    madvise(map, (long)PAGES * PAGE, MADV_NOHUGEPAGE);
    MEASURE("anonymous page fault", PAGES, map[i * PAGE] = 1);
    started = rdtime();
    munmap(map, (long)PAGES * PAGE);
    report("munmap, per touched page", rdtime() - started, PAGES);
    MEASURE("mmap + munmap 64 KiB untouched", 2000, {
        map = mmap(NULL, BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        munmap(map, BLOCK);
    });
}

static volatile int signals;
static void on_signal(int sig) {
    signals += sig != 0;
}
static void *thread(void *arg) {
    return arg;
}

static void bench_processes(const char *self) {
    pthread_t t;
    signal(SIGUSR1, on_signal);
    MEASURE("raise + handle a signal", 10000, raise(SIGUSR1));
    MEASURE("fork + exit + wait", 300, {
        pid_t child = fork();
        if (!child)
            _exit(0);
        waitpid(child, NULL, 0);
    });
    MEASURE("pthread create + join", 300, {
        must(pthread_create(&t, NULL, thread, NULL) == 0, "pthread_create");
        pthread_join(t, NULL);
    });
    MEASURE("vfork + exec of a dynamic program + wait", 100, {
        pid_t child = vfork();
        if (!child) {
            execl(self, self, "child", (char *)NULL);
            _exit(127);
        }
        waitpid(child, NULL, 0);
    });
}

static void bench_names(void) {
    enum { NAMES = 2000 };
    char name[32];
    MEASURE("create a file", NAMES, {
        snprintf(name, sizeof(name), "/tmp/c%ld", i);
        close(open(name, O_CREAT | O_WRONLY, 0644));
    });
    MEASURE("unlink a file", NAMES, {
        snprintf(name, sizeof(name), "/tmp/c%ld", i);
        unlink(name);
    });
}

static void set_up_as_init(void) {
    mkdir("/dev", 0755);
    mkdir("/tmp", 0755);
    mkdir("/proc", 0755);
    mount("dev", "/dev", "devtmpfs", 0, NULL);
    mount("proc", "/proc", "proc", 0, NULL);
    int fd = open("/dev/console", O_RDWR);
    if (fd >= 0)
        for (int i = 0; i < 3; i++)
            dup2(fd, i);
}

// The first lines of /proc/meminfo, in the output's own form.
static void report_memory(void) {
    char name[64];
    unsigned long kb;
    FILE *f = fopen("/proc/meminfo", "r");
    if (!f)
        return;
    while (fscanf(f, "%63s %lu kB", name, &kb) == 2 && strcmp(name, "MemAvailable:"))
        printf("%s\t%lu\tkB\n", name, kb);
    fclose(f);
}

int main(int argc, char **argv) {
    unsigned long begun = rdtime();
    const char *self = argv[0][0] == '/' ? argv[0] : "/init";
    if (argc > 1 && !strcmp(argv[1], "child"))
        return 0;
    if (getpid() == 1)
        set_up_as_init();
    printf("main\t%lu\t1\n", begun);
    report_memory();
    if (argc < 2 || strcmp(argv[1], "boot")) {
        sleep(5); // a kernel's own start-up work shall be over
        bench_calls();
        bench_pipe();
        bench_sockets();
        bench_files();
        bench_memory();
        bench_processes(self);
        bench_names();
    }
    printf("end\n");
    fflush(stdout);
    if (getpid() == 1)
        reboot(RB_POWER_OFF);
    return 0;
}
