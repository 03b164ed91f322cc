// SPDX-License-Identifier: MIT
// mmap and its kin: anonymous and file mappings, sharing, protection, growth, limits.
#include "test.h"
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/stat.h>

#define PAGE 4096ul
static sigjmp_buf jump;
static volatile int signal_seen;
static void catch (int sig) {
    signal_seen = sig;
    siglongjmp(jump, 1);
}
// The signal that touching the address raises, or 0.
static int touch(volatile char *p, int write) {
    signal(SIGSEGV, catch);
    signal(SIGBUS, catch);
    signal_seen = 0;
    if (!sigsetjmp(jump, 1)) {
        if (write)
            *p = 1;
        else
            (void)*p;
    }
    return signal_seen;
}
static char *map(size_t n, int prot, int flags, int fd, off_t offset) {
    return mmap(NULL, n, prot, flags, fd, offset);
}
static int temporary(const char *path, size_t n, char fill) {
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    CHECK(fd >= 0);
    char *b = malloc(n);
    memset(b, fill, n);
    CHECK(write(fd, b, n) == (ssize_t)n);
    free(b);
    return fd;
}

TEST(anonymous_memory_is_zero) {
    char *p = map(64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(p != MAP_FAILED);
    for (size_t i = 0; i < 64 * PAGE; i++)
        CHECK(p[i] == 0);
    p[5] = 1;
    CHECK(munmap(p, 64 * PAGE) == 0 && touch(p, 0) == SIGSEGV);
}

TEST(read_of_untouched_memory_then_write_keeps_pages_apart) {
    char *a = map(2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(a[0] == 0 && a[PAGE] == 0);
    a[0] = 1;
    CHECK(a[PAGE] == 0);
}

TEST(protection_is_enforced_and_can_change) {
    char *p = map(3 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(touch(p, 0) == 0 && touch(p, 1) == SIGSEGV);
    CHECK(mprotect(p + PAGE, PAGE, PROT_READ | PROT_WRITE) == 0);
    CHECK(touch(p + PAGE, 1) == 0 && touch(p, 1) == SIGSEGV && touch(p + 2 * PAGE, 1) == SIGSEGV);
    CHECK(mprotect(p + PAGE, PAGE, PROT_NONE) == 0 && touch(p + PAGE, 0) == SIGSEGV);
    CHECK(mprotect(p + PAGE, PAGE, PROT_READ) == 0 && p[PAGE] == 1);
}

TEST(code_can_be_written_and_run) {
    char *p = map(PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
#ifdef __riscv
    unsigned int code[] = {0x02a00513, 0x00008067}; // li a0, 42; ret
    memcpy(p, code, sizeof(code));
    CHECK(touch(p, 0) == 0 && mprotect(p, PAGE, PROT_READ | PROT_EXEC) == 0);
    __builtin___clear_cache(p, p + sizeof(code));
    CHECK(((int (*)(void))p)() == 42);
    CHECK(mprotect(p, PAGE, PROT_READ | PROT_WRITE) == 0);
    p[3] = 0x03; // li a0, 48
    CHECK(mprotect(p, PAGE, PROT_READ | PROT_EXEC) == 0);
    __builtin___clear_cache(p, p + sizeof(code));
    CHECK(((int (*)(void))p)() == 58);
#else
    (void)p;
#endif
}

TEST(private_file_mappings_do_not_change_the_file) {
    char b;
    int fd = temporary("/tmp/map_private", 3 * PAGE, 'a');
    char *p = map(3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    p[PAGE] = 'b';
    CHECK(pread(fd, &b, 1, PAGE) == 1 && b == 'a' && p[PAGE] == 'b' && p[PAGE + 1] == 'a');
}

TEST(shared_file_mappings_and_reads_and_writes_see_each_other) {
    char b;
    int fd = temporary("/tmp/map_shared", 3 * PAGE, 'a');
    char *p = map(3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    char *q = map(PAGE, PROT_READ, MAP_SHARED, fd, PAGE);
    p[PAGE] = 'b';
    CHECK(pread(fd, &b, 1, PAGE) == 1 && b == 'b' && q[0] == 'b');
    CHECK(pwrite(fd, "c", 1, PAGE + 1) == 1 && p[PAGE + 1] == 'c' && q[1] == 'c');
    CHECK(msync(p, 3 * PAGE, MS_SYNC) == 0);
}

TEST(touching_past_the_end_of_a_file_is_SIGBUS) {
    int fd = temporary("/tmp/map_end", PAGE + 10, 'a');
    char *p = map(4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(p != MAP_FAILED);
    CHECK(p[PAGE + 9] == 'a' && p[PAGE + 10] == 0 && touch(p + 2 * PAGE, 0) == SIGBUS);
    CHECK(ftruncate(fd, 0) == 0 && touch(p, 0) == SIGBUS);
    CHECK(ftruncate(fd, 4 * PAGE) == 0 && touch(p + 3 * PAGE, 1) == 0 && p[0] == 0);
}

TEST(file_modes_limit_mappings) {
    int fd = open("/bin/sh", O_RDONLY);
    CHECK_ERRNO((long)map(PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), EACCES);
    char *p = map(PAGE, PROT_READ, MAP_SHARED, fd, 0);
    CHECK(p != MAP_FAILED && !memcmp(p, "\177ELF", 4));
    CHECK_ERRNO(mprotect(p, PAGE, PROT_READ | PROT_WRITE), EACCES);
    CHECK(map(PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0) != MAP_FAILED);
}

TEST(writing_a_file_from_the_archive_leaves_its_neighbours) {
    struct stat st;
    char first[64], again[64];
    int fd = open("/bin/busybox", O_RDWR), lib = open("/lib/libc.so", O_RDONLY);
    CHECK(fd >= 0 && lib >= 0 && fstat(fd, &st) == 0);
    CHECK(pread(lib, first, 64, 0) == 64);
    char *p = map(st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    CHECK(p != MAP_FAILED);
    char tail = p[st.st_size - 1], changed = tail ^ 1;
    CHECK(pwrite(fd, &changed, 1, st.st_size - 1) == 1);
    CHECK(p[st.st_size - 1] == changed);
    CHECK(pwrite(fd, &tail, 1, st.st_size - 1) == 1 && p[st.st_size - 1] == tail);
    CHECK(pread(lib, again, 64, 0) == 64 && !memcmp(first, again, 64));
}

static const char *volatile place;

static void *touch_places(void *arg) {
    const char *done = NULL;
    for (;;) {
        const char *now = __atomic_load_n(&place, __ATOMIC_ACQUIRE);
        if (now == arg)
            return NULL;
        if (now != done)
            (void)*(const volatile char *)now;
        done = now;
    }
}

// Of a file that the archive lends, each page is one when it is touched for the first time. Linux has them all in its page cache.
static void read_while_it_is_touched(const char *path) {
    char now[64], later[64];
    struct stat st;
    pthread_t t;
    int fd = open(path, O_RDONLY);
    CHECK(fd >= 0 && fstat(fd, &st) == 0);
    char *p = map(st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    CHECK(p != MAP_FAILED && !madvise(p, st.st_size, MADV_RANDOM));
    place = &now[0];
    CHECK(pthread_create(&t, NULL, touch_places, later) == 0);
    for (off_t at = 0; at + 64 <= st.st_size; at += PAGE) {
        __atomic_store_n(&place, p + at, __ATOMIC_RELEASE);
        CHECK(pread(fd, now, 64, at) == 64 && pread(fd, later, 64, at) == 64);
        CHECK(!memcmp(now, later, 64));
    }
    __atomic_store_n(&place, later, __ATOMIC_RELEASE);
    CHECK(pthread_join(t, NULL) == 0 && munmap(p, st.st_size) == 0 && close(fd) == 0);
}

TEST(what_the_archive_lends_is_read_while_it_is_mapped) {
    char path[300];
    DIR *d = opendir("/tests");
    CHECK(d);
    for (struct dirent *e; (e = readdir(d));) {
        snprintf(path, sizeof(path), "/tests/%s", e->d_name);
        if (e->d_type == DT_REG)
            read_while_it_is_touched(path);
    }
    CHECK(closedir(d) == 0);
}

TEST(fixed_mappings_replace_and_NOREPLACE_does_not) {
    char *p = map(4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(p, 1, 4 * PAGE);
    CHECK(mmap(p + PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == p + PAGE);
    CHECK(p[0] == 1 && p[PAGE] == 0 && p[2 * PAGE] == 1);
#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif
    CHECK_ERRNO((long)mmap(p, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0),
                EEXIST);
}

TEST(bad_arguments_are_refused) {
    CHECK_ERRNO((long)map(0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), EINVAL);
    CHECK_ERRNO((long)map(PAGE, PROT_READ, MAP_ANONYMOUS, -1, 0), EINVAL);
    CHECK_ERRNO((long)map(PAGE, PROT_READ, MAP_PRIVATE, -1, 0), EBADF);
    CHECK_ERRNO((long)map(1ul << 50, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
    CHECK_ERRNO(munmap((void *)1, PAGE), EINVAL);
    CHECK_ERRNO(mprotect((void *)PAGE, PAGE, PROT_READ), ENOMEM);
}

TEST(a_mapping_does_not_reach_past_the_largest_file) {
    int fd = memfd_create("largest", 0);
    const off_t last = INT64_MAX - 2 * PAGE + 1; // one page fits behind it, two end where no file does
    CHECK((long)mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, fd, last) == -1 && errno == EOVERFLOW);
    CHECK((long)mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, last + PAGE) == -1 && errno == EOVERFLOW);
    CHECK(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, last) != MAP_FAILED);
}

TEST(mremap_grows_moves_and_shrinks) {
    char *p = map(2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(p, 7, 2 * PAGE);
    char *q = mremap(p, 2 * PAGE, 512 * PAGE, MREMAP_MAYMOVE);
    CHECK(q != MAP_FAILED && q[0] == 7 && q[2 * PAGE - 1] == 7 && q[2 * PAGE] == 0);
    q[511 * PAGE] = 9;
    char *r = mremap(q, 512 * PAGE, PAGE, 0);
    CHECK(r == q && touch(q + PAGE, 0) == SIGSEGV);
    CHECK(mremap(q, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, q + 64 * PAGE) == q + 64 * PAGE);
    CHECK(q[64 * PAGE] == 7 && touch(q, 0) == SIGSEGV);
}

// What is to be moved is what goes to make room for it: the next area, whatever that is, does not come in its place.
TEST(mremap_of_no_length_onto_itself_finds_nothing) {
    char *p = map(8 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(p != MAP_FAILED);
    CHECK_ERRNO((long)mremap(p, 0, 8 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, p), EFAULT);
    CHECK(touch(p, 0) == SIGSEGV);
    p = map(8 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(mmap(p + 4 * PAGE, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
               0) == p + 4 * PAGE);
    CHECK_ERRNO((long)mremap(p, 0, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, p), EFAULT);
    CHECK(touch(p, 0) == SIGSEGV && touch(p + 4 * PAGE, 1) == 0);
}

TEST(mremap_keeps_to_limits) {
    struct rlimit limit = {4ul << 20, 4ul << 20};
    char *p = map(16 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
         *at = (char *)(1ul << 32);
    CHECK_ERRNO((long)mremap(p, 16 * PAGE, 1ul << 36, MREMAP_MAYMOVE | MREMAP_FIXED, at), ENOMEM);
    CHECK(setrlimit(RLIMIT_DATA, &limit) == 0);
    CHECK_ERRNO((long)mremap(p, 16 * PAGE, 2048 * PAGE, MREMAP_MAYMOVE), ENOMEM);
    CHECK_ERRNO((long)mremap(p, 16 * PAGE, 2048 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, at), ENOMEM);
    CHECK(mremap(p, 16 * PAGE, 32 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, at) == at);
}

// RLIMIT_MEMLOCK of 16 pages, for somebody without privileges.
static void limit_locked(void) {
    struct rlimit limit = {16 * PAGE, 16 * PAGE};
    CHECK(setrlimit(RLIMIT_MEMLOCK, &limit) == 0 && setresuid(4000, 4000, 4000) == 0);
}

TEST(what_is_locked_already_counts_once) {
    limit_locked();
    char *p = map(32 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(mlock(p, 16 * PAGE) == 0 && mlock(p, 16 * PAGE) == 0 && mlock(p + 4 * PAGE, 12 * PAGE) == 0);
    CHECK_ERRNO(mlock(p, 17 * PAGE), ENOMEM);
    CHECK(munlock(p, PAGE) == 0 && mlock(p + 15 * PAGE, 2 * PAGE) == 0);
}

TEST(what_is_locked_grows_up_to_the_limit) {
    limit_locked();
    char *p = map(16 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(mlock(p, 16 * PAGE) == 0);
    CHECK_ERRNO((long)mremap(p, 16 * PAGE, 17 * PAGE, MREMAP_MAYMOVE), EAGAIN);
    CHECK(munlock(p, 8 * PAGE) == 0);
    CHECK_ERRNO((long)mremap(p + 8 * PAGE, 8 * PAGE, 17 * PAGE, MREMAP_MAYMOVE), EAGAIN);
    CHECK(mremap(p + 8 * PAGE, 8 * PAGE, 16 * PAGE, MREMAP_MAYMOVE) != MAP_FAILED);
}

TEST(what_is_to_come_locked_keeps_to_the_limit) {
    char *start = (char *)syscall(SYS_brk, 0);
    limit_locked();
    CHECK(mlockall(MCL_FUTURE) == 0);
    CHECK_ERRNO((long)map(17 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), EAGAIN);
    CHECK((char *)syscall(SYS_brk, start + 32 * PAGE) == start);
    CHECK(map(16 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
    CHECK_ERRNO((long)map(PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), EAGAIN);
}

// Linux built with them, and without any kept for it, says ENOMEM.
TEST(there_are_no_huge_pages) {
    CHECK(map(2ul << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0) == MAP_FAILED);
    CHECK(errno == EINVAL || errno == ENOMEM);
}

TEST(brk_grows_and_shrinks) {
    char *start = (char *)syscall(SYS_brk, 0);
    CHECK((char *)syscall(SYS_brk, start + 100 * PAGE) == start + 100 * PAGE);
    memset(start, 1, 100 * PAGE);
    CHECK((char *)syscall(SYS_brk, start) == start && touch(start + 50 * PAGE, 0) == SIGSEGV);
}

TEST(madvise_DONTNEED_gives_zeros_again) {
    char *p = map(4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(p, 1, 4 * PAGE);
    CHECK(madvise(p + PAGE, PAGE, MADV_DONTNEED) == 0);
    CHECK(p[0] == 1 && p[PAGE] == 0 && p[2 * PAGE] == 1);
}

TEST(the_stack_grows_by_itself) {
    char big[1 << 20];
    memset(big, 1, sizeof(big));
    CHECK(big[12345] == 1);
}

TEST(memfd_maps_and_seals) {
    int fd = syscall(SYS_memfd_create, "x", 0);
    CHECK(fd >= 0 && ftruncate(fd, 8 * PAGE) == 0);
    char *p = map(8 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    p[7 * PAGE] = 3;
    char b;
    CHECK(pread(fd, &b, 1, 7 * PAGE) == 1 && b == 3);
}

TEST(memory_comes_back) {
    for (int i = 0; i < 40; i++) {
        char *p = map(4096 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        CHECK(p != MAP_FAILED);
        for (size_t k = 0; k < 4096; k++)
            p[k * PAGE] = 1;
        CHECK(munmap(p, 4096 * PAGE) == 0);
    }
}

TEST(maps_shows_the_loader_and_the_library) {
    char line[512];
    int loader = 0, stack = 0, vdso = 0, self = 0;
    FILE *f = fopen("/proc/self/maps", "r");
    CHECK(f);
    while (fgets(line, sizeof(line), f)) {
        unsigned long start, end;
        CHECK(sscanf(line, "%lx-%lx", &start, &end) == 2 && start < end && !(start % PAGE) && !(end % PAGE));
        loader |= !!strstr(line, "/lib/libc.so") || !!strstr(line, "/lib/ld-");
        stack |= !!strstr(line, "[stack]");
        vdso |= !!strstr(line, "[vdso]");
        self |= !!strstr(line, "memory");
    }
    CHECK(loader && stack && vdso && self);
}

TEST(RLIMIT_AS_limits_mappings) {
    struct rlimit limit = {64 << 20, 64 << 20};
    CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
    CHECK_ERRNO((long)map(128 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
}

TEST(map_shared_validate_refuses_what_it_does_not_know) {
    int fd = memfd_create("v", 0);
    CHECK(ftruncate(fd, 4096) == 0);
    CHECK(mmap(NULL, 4096, PROT_READ, 3, fd, 0) != MAP_FAILED);
    CHECK(mmap(NULL, 4096, PROT_READ, 3 | MAP_POPULATE, fd, 0) != MAP_FAILED);
    errno = 0;
    CHECK(mmap(NULL, 4096, PROT_READ, 3 | 0x80000, fd, 0) == MAP_FAILED && errno == EOPNOTSUPP); // MAP_SYNC
    errno = 0;
    CHECK(mmap(NULL, 4096, PROT_READ, 3 | 1 << 25, fd, 0) == MAP_FAILED && errno == EOPNOTSUPP);
    CHECK(mmap(NULL, 4096, PROT_READ, MAP_SHARED | 1 << 25, fd, 0) != MAP_FAILED);
    errno = 0;
    CHECK(mmap(NULL, 4096, PROT_READ, 3 | MAP_ANONYMOUS, -1, 0) == MAP_FAILED && errno == EINVAL);
}

TEST(msync_does_not_invalidate_locked_pages) {
    char *m = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(m != MAP_FAILED && mlock(m + 4096, 4096) == 0);
    CHECK(msync(m, 4096, MS_INVALIDATE) == 0 && msync(m, 8192, MS_SYNC) == 0);
    CHECK_ERRNO(msync(m, 8192, MS_INVALIDATE), EBUSY);
    CHECK_ERRNO(msync(m, 8192, MS_INVALIDATE | MS_SYNC), EBUSY);
    CHECK(munlock(m + 4096, 4096) == 0 && msync(m, 8192, MS_INVALIDATE) == 0);
}

// Code in a file, rewritten by write(2) and run again through a new mapping.
TEST(rewritten_code_is_what_runs) {
#ifdef __riscv
    int fd = memfd_create("code", 0);
    for (uint32_t i = 0; i < 100; i++) {
        uint32_t code[2] = {0x00000513 | i << 20, 0x00008067}; // li a0, i; ret
        CHECK(pwrite(fd, code, sizeof(code), 0) == sizeof(code));
        int (*run)(void) =
            (int (*)(void))mmap(NULL, 4096, PROT_READ | PROT_EXEC, i % 2 ? MAP_PRIVATE : MAP_SHARED, fd, 0);
        CHECK((void *)run != MAP_FAILED && run() == (int)i && munmap((void *)run, 4096) == 0);
    }
#endif
}

// Bits that mmap(2) does not know, or that are the size of huge pages, are the kernel's own business in no way.
TEST(flags_that_mmap_does_not_know_mean_nothing) {
    for (int bit = 21; bit < 32; bit++) {
        char *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
                       (int)(MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE | 1u << bit), -1, 0);
        CHECK(p != MAP_FAILED);
        p[0] = 1;
        pid_t pid = fork();
        if (pid == 0)
            _exit(p[0]);
        CHECK(test_wait_exit(pid) == 1 && munmap(p, 8192) == 0);
    }
}
