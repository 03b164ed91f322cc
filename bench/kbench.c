// SPDX-License-Identifier: MIT
// What a kernel's everyday operations cost (bench.h tells how it is counted). The first lines tell when main() began; with the
// argument `boot` nothing else is measured. It is run by one of the operations, too, so it had better not grow: the
// figures of Linux beside it are of this program.
#define _GNU_SOURCE
#include "bench.h"
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>

enum { FILE_BLOCKS = 256, PAGES_PER_BLOCK = BLOCK / PAGE };

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
