// SPDX-License-Identifier: MIT
// Core files: core(5).
#include "test.h"
#include <elf.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

TEST_DIRECTORY(0777)

static void limit_core(rlim_t n) {
    CHECK(setrlimit(RLIMIT_CORE, &(struct rlimit){n, RLIM_INFINITY}) == 0);
}

// The status of a child that does fn().
static int status_of(void (*fn)(void)) {
    int status;
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (!pid) {
        fn();
        _exit(0);
    }
    CHECK(waitpid(pid, &status, 0) == pid);
    return status;
}

static volatile char *memory;
enum { PAGE = 4096, PAGES = 4096 };

static void *rests(void *started) {
    pthread_barrier_wait(started);
    for (;;)
        pause();
    return NULL;
}

static void crashes_with_threads(void) {
    pthread_barrier_t started;
    pthread_t t;
    pthread_barrier_init(&started, NULL, 3);
    for (int i = 0; i < 2; i++)
        CHECK(!pthread_create(&t, NULL, rests, &started));
    pthread_barrier_wait(&started);
    memory = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    strcpy((char *)memory + 5 * PAGE, "a page that was touched");
    *(volatile int *)8 = 1;
}

static void aborts(void) {
    abort();
}

static void is_killed(void) {
    raise(SIGTERM);
}

static void is_not_dumpable(void) {
    prctl(PR_SET_DUMPABLE, 0);
    abort();
}

static void read_at(int fd, void *to, size_t n, off_t at) {
    CHECK(pread(fd, to, n, at) == (ssize_t)n);
}

TEST(a_core_file_tells_of_all_threads_and_of_memory) {
    limit_core(RLIM_INFINITY);
    int status = status_of(crashes_with_threads);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV && WCOREDUMP(status));
    int fd = open("core", O_RDONLY);
    struct stat st;
    Elf64_Ehdr head;
    CHECK(fd >= 0 && fstat(fd, &st) == 0 && (st.st_mode & 07777) == 0600);
    CHECK(st.st_size > PAGES * PAGE && st.st_blocks * 512 < 8 << 20);
    read_at(fd, &head, sizeof(head), 0);
    CHECK(!memcmp(head.e_ident, ELFMAG, 4) && head.e_type == ET_CORE && head.e_machine == EM_RISCV);
    int counts[4] = {0}, found = 0;
    for (int i = 0; i < head.e_phnum; i++) {
        Elf64_Phdr p;
        read_at(fd, &p, sizeof(p), head.e_phoff + i * sizeof(p));
        if (p.p_type == PT_LOAD && p.p_filesz >= PAGES * PAGE) {
            char text[24];
            read_at(fd, text, sizeof(text), p.p_offset + 5 * PAGE);
            found += !strcmp(text, "a page that was touched");
        }
        for (off_t at = p.p_offset; p.p_type == PT_NOTE && at < (off_t)(p.p_offset + p.p_filesz);) {
            Elf64_Nhdr n;
            read_at(fd, &n, sizeof(n), at);
            counts[0] += n.n_type == NT_PRSTATUS && n.n_descsz == 376;
            counts[1] += n.n_type == NT_PRFPREG && n.n_descsz == 264;
            counts[2] += n.n_type == NT_PRPSINFO && n.n_descsz == 136;
            counts[3] += n.n_type == NT_AUXV || n.n_type == 0x46494c45 ||
                         (n.n_type == 0x53494749 && n.n_descsz == 128);
            at += sizeof(n) + (n.n_namesz + 3) / 4 * 4 + (n.n_descsz + 3) / 4 * 4;
        }
    }
    CHECK(counts[0] == 3 && counts[1] == 3 && counts[2] == 1 && counts[3] == 3 && found == 1);
    CHECK(unlink("core") == 0);
}

TEST(no_core_file_is_made_where_none_may_be) {
    limit_core(0);
    CHECK(status_of(aborts) == SIGABRT && access("core", F_OK));
    limit_core(RLIM_INFINITY);
    CHECK(status_of(is_killed) == SIGTERM && access("core", F_OK));
    CHECK(status_of(is_not_dumpable) == SIGABRT && access("core", F_OK));
    CHECK(mkdir("core", 0755) == 0); // what is there is no file
    CHECK(status_of(aborts) == SIGABRT);
    CHECK(rmdir("core") == 0);
    limit_core(3 * PAGE); // less than all of it: there is a file all the same
    struct stat st;
    CHECK(status_of(aborts) == (SIGABRT | 0x80) && stat("core", &st) == 0 && st.st_size <= 3 * PAGE);
    CHECK(unlink("core") == 0);
}

static void set_pattern(const char *text) {
    int fd = open("/proc/sys/kernel/core_pattern", O_WRONLY);
    CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) && close(fd) == 0);
}

TEST(a_core_file_has_the_name_of_the_pattern) {
    char name[100];
    limit_core(RLIM_INFINITY);
    set_pattern("x%%.%e.%s.%p\n");
    int status;
    pid_t pid = fork();
    if (!pid)
        abort();
    CHECK(waitpid(pid, &status, 0) == pid && WCOREDUMP(status));
    snprintf(name, sizeof(name), "x%%.coredump.6.%d", pid);
    CHECK(unlink(name) == 0);
    set_pattern("core");
}

TEST(the_parent_is_told_of_a_core_file) {
    siginfo_t info;
    limit_core(RLIM_INFINITY);
    pid_t pid = fork();
    if (!pid)
        abort();
    CHECK(waitid(P_PID, pid, &info, WEXITED) == 0);
    CHECK(info.si_code == CLD_DUMPED && info.si_status == SIGABRT && unlink("core") == 0);
}

TEST(what_goes_in_can_be_chosen) {
    char text[20] = {0};
    int fd = open("/proc/self/coredump_filter", O_RDWR);
    CHECK(read(fd, text, sizeof(text)) == 9 && !strcmp(text, "00000033\n"));
    CHECK(pwrite(fd, "0x10", 4, 0) == 4);
    limit_core(RLIM_INFINITY);
    int status = status_of(crashes_with_threads); // a child's is its parent's
    struct stat st;
    CHECK(WCOREDUMP(status) && stat("core", &st) == 0 && st.st_size < PAGES * PAGE && unlink("core") == 0);
}

TEST(many_that_crash_at_once_with_threads_all_end) {
    limit_core(RLIM_INFINITY);
    pid_t pids[6];
    for (int i = 0; i < 6; i++) {
        pids[i] = fork();
        if (!pids[i])
            crashes_with_threads();
    }
    kill(pids[0], SIGKILL);
    for (int i = 0; i < 6; i++) {
        int status;
        if (i > 3)
            kill(pids[i], SIGKILL);
        CHECK(waitpid(pids[i], &status, 0) == pids[i] && WIFSIGNALED(status));
    }
    unlink("core");
}

static void has_much_that_nobody_touched(void) {
    const size_t much = 100ul << 30;
    memory = mmap(NULL, much, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK(memory != MAP_FAILED);
    memory[much / 2] = 1;
    abort();
}

TEST(what_nobody_touched_takes_no_time) {
    struct stat st;
    limit_core(RLIM_INFINITY);
    int status = status_of(has_much_that_nobody_touched);
    CHECK(WTERMSIG(status) == SIGABRT && WCOREDUMP(status));
    CHECK(stat("core", &st) == 0 && st.st_size > 100l << 30 && st.st_blocks < 1 << 15);
    CHECK(unlink("core") == 0);
}
