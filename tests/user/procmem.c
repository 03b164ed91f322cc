// SPDX-License-Identifier: MIT
// /proc/PID/mem: a process's memory as a file.
#include "test.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define PAGE 4096

static char *map(int pages, int prot, int flags, int fd) {
    char *p = mmap(NULL, (size_t)pages * PAGE, prot, flags, fd, 0);
    CHECK(p != MAP_FAILED);
    return p;
}
static int self(void) {
    int fd = open("/proc/self/mem", O_RDWR);
    CHECK(fd >= 0);
    return fd;
}

TEST(memory_is_read_and_written_at_its_address) {
    static char text[] = "memory", copy[8];
    struct stat st;
    int fd = self();
    CHECK(fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 0777) == 0600 && st.st_size == 0);
    CHECK(lseek(fd, (off_t)text, SEEK_SET) == (off_t)text && read(fd, copy, 3) == 3 &&
          !memcmp(copy, "mem", 3));
    CHECK(read(fd, copy, 4) == 4 && !memcmp(copy, "ory", 4));
    CHECK(lseek(fd, -7, SEEK_CUR) == (off_t)text && write(fd, "MEM", 3) == 3 && !strcmp(text, "MEMory"));
    CHECK_ERRNO(lseek(fd, 0, SEEK_END), EINVAL);
    CHECK(pread(fd, copy, 0, 8) == 0);
}

TEST(what_is_not_mapped_is_an_error_only_at_the_beginning) {
    static char copy[3 * PAGE];
    char *p = map(3, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    int fd = self();
    CHECK(munmap(p + 2 * PAGE, PAGE) == 0);
    memset(p, 'x', 2 * PAGE);
    CHECK(pread(fd, copy, sizeof(copy), (off_t)p + 10) == 2 * PAGE - 10 && copy[2 * PAGE - 11] == 'x');
    CHECK(pwrite(fd, copy, sizeof(copy), (off_t)p + 10) == 2 * PAGE - 10);
    CHECK_ERRNO(pread(fd, copy, 1, (off_t)p + 2 * PAGE), EIO);
    CHECK_ERRNO(pwrite(fd, "x", 1, (off_t)p + 2 * PAGE), EIO);
    CHECK_ERRNO(pread(fd, copy, 1, 0), EIO);
    CHECK_ERRNO(pread(fd, copy, 1, 1l << 62), EIO);
    CHECK_ERRNO(pread(fd, copy, 1, -1), EINVAL);
    CHECK_ERRNO(pread(fd, (void *)1, 1, (off_t)p), EFAULT);
    CHECK_ERRNO(pwrite(fd, (void *)1, 1, (off_t)p), EFAULT);
}

// True if the access ends a child by SIGSEGV.
static int faults(volatile char *at, int write) {
    pid_t pid = fork();
    int status;
    if (!pid) {
        if (write)
            *at = 1;
        _exit(*at);
    }
    CHECK(waitpid(pid, &status, 0) == pid);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV;
}

TEST(a_debugger_reads_and_writes_what_the_program_may_not) {
    char b[8] = "";
    int fd = self(), file = open("/tmp/procmem", O_RDWR | O_CREAT | O_TRUNC, 0644);
    CHECK(write(file, "content", 7) == 7 && ftruncate(file, 8 * PAGE) == 0);
    for (int kind = 0; kind < 3; kind++) { // anonymous and untouched, anonymous with content, a file's
        char *p = map(2, PROT_READ | PROT_WRITE, MAP_PRIVATE | (kind < 2 ? MAP_ANONYMOUS : 0),
                      kind < 2 ? -1 : file);
        if (kind == 1)
            strcpy(p, "content");
        CHECK(mprotect(p, 2 * PAGE, PROT_NONE) == 0);
        CHECK(pread(fd, b, 8, (off_t)p) == 8 && !strcmp(b, kind ? "content" : "") && faults(p, 0) &&
              faults(p + PAGE, 0));
        CHECK(mprotect(p, 2 * PAGE, PROT_READ) == 0 && pwrite(fd, "C", 1, (off_t)p) == 1);
        CHECK(*p == 'C' && faults(p, 1));
        CHECK(pwrite(fd, "D", 1, (off_t)p + 1) == 1 && p[1] == 'D' && faults(p, 1));
        CHECK(mprotect(p, 2 * PAGE, PROT_NONE) == 0 && pwrite(fd, "E", 1, (off_t)p) == 1 && faults(p, 0));
        CHECK(mprotect(p, 2 * PAGE, PROT_READ | PROT_WRITE) == 0 && p[0] == 'E' && p[1] == 'D');
        CHECK(pread(file, b, 8, 0) == 8 && !strcmp(b, "content"));
    }
}

TEST(what_is_shared_is_written_only_by_who_may) {
    int fd = self(), file = open("/tmp/procmem.shared", O_RDWR | O_CREAT | O_TRUNC, 0644);
    char c;
    CHECK(ftruncate(file, PAGE) == 0);
    char *p = map(1, PROT_READ, MAP_SHARED, file), *q = map(1, PROT_READ | PROT_WRITE, MAP_SHARED, file);
    CHECK_ERRNO(pwrite(fd, "x", 1, (off_t)p), EIO);
    CHECK(pwrite(fd, "y", 1, (off_t)q) == 1 && *p == 'y' && pread(file, &c, 1, 0) == 1 && c == 'y');
}

static __attribute__((noinline, aligned(PAGE))) int answer(void) {
    __asm__ volatile("" ::: "memory");
    return 1;
}

// A breakpoint, so to speak.
TEST(code_is_rewritten) {
    static const unsigned int returns_2[] = {0x00200513, 0x00008067}; // li a0, 2; ret
    int (*volatile call)(void) = answer;
    int fd = self();
    CHECK(call() == 1 && pwrite(fd, returns_2, sizeof(returns_2), (off_t)call) == sizeof(returns_2));
    CHECK(call() == 2);
}

TEST(the_memory_of_another_goes_with_it) {
    static char here[] = "here";
    char name[32], b[8];
    int go[2], out;
    CHECK(pipe(go) == 0);
    pid_t pid = fork();
    if (!pid) {
        CHECK(read(go[0], b, 1) == 1);
        _exit(here[0] == 'w');
    }
    snprintf(name, sizeof(name), "/proc/%d/task/%d/mem", pid, pid);
    int fd = open(name, O_RDWR);
    CHECK(fd >= 0 && pread(fd, b, 5, (off_t)here) == 5 && !strcmp(b, "here"));
    CHECK(pwrite(fd, "w", 1, (off_t)here) == 1 && here[0] == 'h');
    CHECK(write(go[1], "x", 1) == 1 && waitpid(pid, &out, 0) == pid && WEXITSTATUS(out) == 1);
    CHECK(pread(fd, b, 1, (off_t)here) == 0 && pwrite(fd, "x", 1, (off_t)here) == 0);
}
