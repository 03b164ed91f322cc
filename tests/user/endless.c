// SPDX-License-Identifier: MIT
// Calls whose length the program chooses: while one runs, another process does too, and SIGKILL ends it at once.
#include "test.h"
#include <fcntl.h>
#include <linux/falloc.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif
#define MIB     (1ul << 20)
#define GIB     (1ul << 30)
#define SECOND  1000000000l
#define VECTORS 1024
#define ANON    (MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)

static int *started; // shared with the child: it is in its call, or about to be

static long now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * SECOND + t.tv_nsec;
}

static char *memory(size_t n, int prot, int flags) {
    char *m = mmap(NULL, n, prot, ANON | flags, -1, 0);
    if (m == MAP_FAILED)
        _exit(3);
    return m;
}

static void go(void) {
    __atomic_store_n(started, 1, __ATOMIC_RELEASE);
}

static int file_of(size_t n) {
    int fd = memfd_create("f", 0);
    if (fd < 0 || ftruncate(fd, n))
        _exit(3);
    return fd;
}

// A child repeats `call` for ever; when the parent has had ten turns meanwhile it kills it.
static void end_it(void (*call)(void)) {
    started = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        for (;;)
            call();
    }
    CHECK(pid > 0);
    int status;
    while (!__atomic_load_n(started, __ATOMIC_ACQUIRE))
        CHECK(waitpid(pid, &status, WNOHANG) == 0);
    for (int i = 0; i < 10; i++) {
        long before = now();
        struct timespec ms = {0, 5000000};
        CHECK(nanosleep(&ms, NULL) == 0 && now() - before < SECOND);
    }
    CHECK(waitpid(pid, &status, WNOHANG) == 0); // still in it
    long before = now();
    CHECK(kill(pid, SIGKILL) == 0 && waitpid(pid, &status, 0) == pid && WIFSIGNALED(status));
    CHECK(now() - before < SECOND);
}

static struct iovec *vectors(void) {
    static struct iovec v[VECTORS];
    char *m = memory(64 * MIB, PROT_READ | PROT_WRITE, MAP_POPULATE);
    for (int i = 0; i < VECTORS; i++)
        v[i] = (struct iovec){m, 64 * MIB};
    return v;
}

static void call_process_vm(void) {
    struct iovec *v = vectors();
    go();
    (void)!process_vm_readv(getpid(), v, VECTORS, v, VECTORS, 0);
    (void)!process_vm_writev(getpid(), v, VECTORS, v, VECTORS, 0);
}

static void call_populate(void) {
    go();
    munmap(memory(100 * GIB, PROT_READ, MAP_POPULATE), 100 * GIB);
}

static void call_madvise(void) {
    char *m = memory(100 * GIB, PROT_READ, 0);
    go();
    madvise(m, 100 * GIB, MADV_POPULATE_READ);
    munmap(m, 100 * GIB);
}

static void call_mlock(void) {
    struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};
    setrlimit(RLIMIT_MEMLOCK, &limit);
    char *m = memory(100 * GIB, PROT_READ, 0);
    go();
    mlock(m, 100 * GIB);
    munmap(m, 100 * GIB);
}

static void call_mincore(void) {
    char *m = memory(100 * GIB, PROT_NONE, 0);
    unsigned char *vec = (unsigned char *)memory(32 * MIB, PROT_READ | PROT_WRITE, 0);
    go();
    mincore(m, 100 * GIB, vec);
    munmap(m, 100 * GIB);
    munmap(vec, 32 * MIB);
}

static void call_mappings(void) {
    char *m = memory(64 * MIB, PROT_READ | PROT_WRITE, MAP_POPULATE), *to = memory(64 * MIB, PROT_NONE, 0);
    go();
    for (int i = 0; i < 8; i++)
        mprotect(m, 64 * MIB, i % 2 ? PROT_READ | PROT_WRITE : PROT_READ);
    m = mremap(m, 64 * MIB, 64 * MIB, MREMAP_MAYMOVE | MREMAP_FIXED, to);
    madvise(m, 64 * MIB, MADV_DONTNEED);
    munmap(m, 64 * MIB);
}

static void call_fork(void) {
    static char *m;
    if (!m)
        m = memory(100 * MIB, PROT_READ | PROT_WRITE, MAP_POPULATE);
    go();
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    waitpid(pid, NULL, 0);
}

static void call_read_devices(void) {
    static char *m;
    if (!m)
        m = memory(64 * MIB, PROT_READ | PROT_WRITE, MAP_POPULATE);
    int zero = open("/dev/zero", O_RDONLY), random = open("/dev/urandom", O_RDWR);
    struct iovec v[32];
    for (int i = 0; i < 32; i++)
        v[i] = (struct iovec){m, 64 * MIB};
    go();
    (void)!readv(zero, v, 32);
    (void)!writev(random, v, 32);
    (void)!readv(random, v, 32);
    (void)!getrandom(m, 64 * MIB, 0);
    close(zero);
    close(random);
}

static void call_read_file(void) {
    static struct iovec *v;
    static int fd;
    if (!v) {
        v = vectors();
        fd = file_of(2 * GIB);
    }
    go();
    (void)!preadv(fd, v, VECTORS, 0); // a hole
}

static void call_write_file(void) {
    static struct iovec *v;
    static int fd;
    if (!v) {
        v = vectors();
        fd = file_of(0);
    }
    go();
    for (int i = 0; i < 32; i++)
        (void)!pwritev(fd, v, 2, 0);
}

static void call_between_files(void) {
    int from = file_of(2 * GIB), to = file_of(0), null = open("/dev/null", O_WRONLY);
    go();
    (void)!sendfile(null, from, NULL, 2 * GIB);
    (void)!copy_file_range(from, NULL, to, NULL, 64 * MIB, 0);
    close(from);
    close(to);
    close(null);
}

static void call_sizes(void) {
    int fd = file_of(0);
    go();
    (void)!fallocate(fd, 0, 0, 100 * MIB);
    (void)!lseek(fd, 0, SEEK_HOLE);
    (void)!fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 50 * MIB);
    (void)!ftruncate(fd, 0);
    close(fd);
}

static void call_exec(void) {
    enum { COUNT = 100000 };
    static char *argv[COUNT + 1];
    struct rlimit limit = {64 * MIB, RLIM_INFINITY};
    setrlimit(RLIMIT_STACK, &limit);
    for (int i = 0; i < COUNT; i++)
        argv[i] = "x";
    go();
    execv("/", argv);
    execv("/nothing", argv);
}

static int pty(int *slave) {
    int unlock = 0, master = open("/dev/ptmx", O_RDWR | O_NOCTTY);
    if (master < 0 || ioctl(master, TIOCSPTLCK, &unlock) ||
        (*slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY)) < 0)
        _exit(3);
    return master;
}

// A terminal takes a line that is too long, and keeps none of the rest.
static void call_type(void) {
    int slave, master = pty(&slave);
    char *m = memory(2 * MIB, PROT_READ | PROT_WRITE, 0);
    struct iovec v[VECTORS];
    memset(m, 'a', 2 * MIB);
    for (int i = 0; i < VECTORS; i++)
        v[i] = (struct iovec){m, 2 * MIB};
    go();
    (void)!writev(master, v, VECTORS);
}

// Nothing comes of a carriage return at the beginning of a line.
static void call_print(void) {
    int slave, master = pty(&slave);
    char *m = memory(2 * MIB, PROT_READ | PROT_WRITE, 0);
    struct iovec v[VECTORS];
    struct termios t;
    memset(m, '\r', 2 * MIB);
    for (int i = 0; i < VECTORS; i++)
        v[i] = (struct iovec){m, 2 * MIB};
    (void)master;
    tcgetattr(slave, &t);
    t.c_oflag |= OPOST | ONOCR;
    tcsetattr(slave, TCSANOW, &t);
    go();
    (void)!writev(slave, v, VECTORS);
}

TEST(process_vm_of_many_vectors_is_killed) {
    end_it(call_process_vm);
}
TEST(map_populate_is_killed) {
    end_it(call_populate);
}
TEST(madvise_populate_is_killed) {
    end_it(call_madvise);
}
TEST(mlock_is_killed) {
    end_it(call_mlock);
}
TEST(mincore_is_killed) {
    end_it(call_mincore);
}
TEST(changes_of_large_mappings_are_killed) {
    end_it(call_mappings);
}
TEST(fork_of_a_large_process_is_killed) {
    end_it(call_fork);
}
TEST(long_reads_of_devices_are_killed) {
    end_it(call_read_devices);
}
TEST(long_reads_of_a_file_are_killed) {
    end_it(call_read_file);
}
TEST(long_writes_to_a_file_are_killed) {
    end_it(call_write_file);
}
TEST(long_copies_between_files_are_killed) {
    end_it(call_between_files);
}
TEST(changes_of_a_large_file_are_killed) {
    end_it(call_sizes);
}
TEST(long_writes_to_terminals_are_killed) {
    end_it(call_type);
    end_it(call_print);
}
TEST(exec_of_many_strings_is_killed) {
    end_it(call_exec);
}

TEST(vectors_have_no_negative_lengths_and_no_overflowing_sums) {
    char buffer[16];
    int zero = open("/dev/zero", O_RDWR);
    struct iovec negative[2] = {{buffer, 8}, {buffer, (size_t)-1}};
    struct iovec sum[2] = {{buffer, SSIZE_MAX}, {buffer, SSIZE_MAX}},
                 good[2] = {{buffer, 8}, {buffer + 8, 8}};
    CHECK_ERRNO(readv(zero, negative, 2), EINVAL);
    CHECK_ERRNO(writev(zero, negative, 2), EINVAL);
    CHECK_ERRNO(preadv(zero, negative, 2, 0), EINVAL);
    CHECK_ERRNO(pwritev(zero, negative, 2, 0), EINVAL);
    CHECK_ERRNO(process_vm_readv(getpid(), negative, 2, good, 2, 0), EINVAL);
    CHECK_ERRNO(process_vm_readv(getpid(), good, 2, negative, 2, 0), EINVAL);
    CHECK_ERRNO(process_vm_writev(getpid(), good, 2, negative, 2, 0), EINVAL);
    CHECK_ERRNO(readv(zero, sum, 2), EINVAL);
    CHECK_ERRNO(process_vm_readv(getpid(), sum, 2, good, 2, 0), EINVAL);
    CHECK_ERRNO(process_vm_readv(getpid(), good, 2, sum, 2, 0), EINVAL);
    CHECK_ERRNO(readv(zero, good, 1025), EINVAL);
    CHECK_ERRNO(process_vm_readv(getpid(), good, 1025, good, 1, 0), EINVAL);
    CHECK(readv(zero, good, 2) == 16 && process_vm_readv(getpid(), good, 1, good + 1, 1, 0) == 8);
    CHECK(process_vm_readv(getpid(), good, 0, good, 1, 0) == 0 && readv(zero, good, 0) == 0);
}
