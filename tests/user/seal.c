// SPDX-License-Identifier: MIT
// mseal(2): what is sealed stays where it is, as it is. Each claim holds on Linux 6.12, too.
#include "test.h"
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/syscall.h>

#ifndef SYS_mseal
#define SYS_mseal 462
#endif
#define PAGE   4096ul
#define PAGES  6
#define RW     (PROT_READ | PROT_WRITE)
#define PIECES 40

static long seal(void *at, size_t n) {
    return syscall(SYS_mseal, at, n, 0);
}

// So many pages, each with its number in it; two of them around the middle are sealed.
static char *partly_sealed(int prot) {
    char *p = mmap(NULL, PAGES * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(p != MAP_FAILED);
    for (unsigned long i = 0; i < PAGES; i++)
        p[i * PAGE] = (char)(i + 1);
    CHECK(mprotect(p, PAGES * PAGE, prot) == 0 && seal(p + 2 * PAGE, 2 * PAGE) == 0);
    return p;
}

static bool is_whole(const char *p) {
    for (unsigned long i = 0; i < PAGES; i++)
        if (p[i * PAGE] != (char)(i + 1))
            return false;
    return true;
}

TEST(seal_looks_at_its_arguments_and_seals_all_or_nothing) {
    char *p = mmap(NULL, 4 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(p != MAP_FAILED && munmap(p + 2 * PAGE, PAGE) == 0);
    CHECK_ERRNO(syscall(SYS_mseal, p, PAGE, 1), EINVAL);
    CHECK_ERRNO(seal(p + 1, PAGE), EINVAL);
    CHECK_ERRNO(seal(p, -PAGE), EINVAL);
    CHECK_ERRNO(seal(p, -1ul), EINVAL);
    CHECK(seal(p, 0) == 0 && seal(p + 2 * PAGE, 0) == 0);
    CHECK_ERRNO(seal(p, 4 * PAGE), ENOMEM); // a hole in the middle
    CHECK_ERRNO(seal(p, 3 * PAGE), ENOMEM); // at the end
    CHECK_ERRNO(seal(p + 2 * PAGE, 2 * PAGE), ENOMEM);
    CHECK(munmap(p, 2 * PAGE) == 0);                                    // none of these has sealed anything
    CHECK(seal(p + 3 * PAGE, 1) == 0 && seal(p + 3 * PAGE, PAGE) == 0); // a part is a page; and once more
    CHECK_ERRNO(munmap(p + 3 * PAGE, PAGE), EPERM);
}

TEST(sealed_memory_is_not_unmapped_nor_replaced) {
    char *p = partly_sealed(RW);
    CHECK_ERRNO(munmap(p, PAGES * PAGE), EPERM);
    CHECK_ERRNO(munmap(p + PAGE, 2 * PAGE), EPERM);
    CHECK_ERRNO(munmap(p + 3 * PAGE, 2 * PAGE), EPERM);
    CHECK(is_whole(p));
    CHECK(mmap(p, PAGES * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED &&
          errno == EPERM);
    CHECK(mmap(p + PAGE, 2 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) ==
              MAP_FAILED &&
          errno == EEXIST);
    CHECK(is_whole(p));
    CHECK(munmap(p, 2 * PAGE) == 0 && munmap(p + 4 * PAGE, 2 * PAGE) == 0);
    CHECK(p[2 * PAGE] == 3 && p[3 * PAGE] == 4);
    p[2 * PAGE] = 9; // it can be used
}

TEST(sealed_memory_keeps_its_rights) {
    char *p = partly_sealed(RW);
    CHECK_ERRNO(mprotect(p + 2 * PAGE, PAGE, PROT_READ), EPERM);
    CHECK_ERRNO(mprotect(p + 3 * PAGE, PAGE, PROT_NONE), EPERM);
    CHECK_ERRNO(mprotect(p + 2 * PAGE, 2 * PAGE, RW), EPERM); // although that is what they are
    CHECK(mprotect(p, 2 * PAGE, PROT_READ) == 0 && mprotect(p + 4 * PAGE, 2 * PAGE, PROT_NONE) == 0);
    p[2 * PAGE] = 9;
    CHECK(mlock(p + 2 * PAGE, 2 * PAGE) == 0 && munlock(p + 2 * PAGE, 2 * PAGE) == 0);
}

TEST(sealed_memory_is_not_moved_nor_another_size) {
    char *p = partly_sealed(RW), *to = mmap(NULL, 2 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(to != MAP_FAILED);
    CHECK(mremap(p + 2 * PAGE, 2 * PAGE, 4 * PAGE, MREMAP_MAYMOVE) == MAP_FAILED && errno == EPERM);
    CHECK(mremap(p + 2 * PAGE, 2 * PAGE, PAGE, 0) == MAP_FAILED && errno == EPERM);
    CHECK(mremap(p + 2 * PAGE, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to) == MAP_FAILED &&
          errno == EPERM);
    CHECK(mremap(to, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, p + 2 * PAGE) == MAP_FAILED &&
          errno == EPERM);
    CHECK(mremap(to, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, p + 3 * PAGE) == MAP_FAILED &&
          errno == EPERM);
    CHECK(is_whole(p));
    to[0] = 1; // is where it was
}

TEST(sealed_pages_are_thrown_away_by_who_may_write_them) {
    static const int advices[] = {MADV_DONTNEED, MADV_FREE, MADV_REMOVE, MADV_DONTFORK, MADV_WIPEONFORK};
    char *p = partly_sealed(PROT_READ), *w = partly_sealed(RW);
    int fd = open("/proc/self/exe", O_RDONLY);
    char *f = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
    CHECK(f != MAP_FAILED && seal(f, PAGE) == 0);
    for (unsigned int i = 0; i < sizeof(advices) / sizeof(*advices); i++)
        CHECK_ERRNO(madvise(p + 2 * PAGE, 2 * PAGE, advices[i]), EPERM);
    CHECK(is_whole(p));
    CHECK(madvise(p + 2 * PAGE, PAGE, MADV_WILLNEED) == 0 && madvise(p + 2 * PAGE, PAGE, MADV_DOFORK) == 0);
    CHECK(madvise(f, PAGE, MADV_DONTNEED) == 0);
    CHECK_ERRNO(madvise(f, PAGE, MADV_WIPEONFORK), EINVAL); // no seal's doing
    CHECK(madvise(w + 2 * PAGE, PAGE, MADV_DONTNEED) == 0 && w[2 * PAGE] == 0);
}

TEST(children_have_the_seals) {
    char *p = partly_sealed(RW);
    pid_t pid = fork();
    if (!pid) {
        bool kept = munmap(p + 2 * PAGE, PAGE) == -1 && errno == EPERM && munmap(p, PAGE) == 0;
        _exit(!kept || p[2 * PAGE] != 3);
    }
    CHECK(test_wait_exit(pid) == 0);
}

TEST(brk_does_not_shrink_over_a_seal) {
    char *end = sbrk(0), *page = (char *)(((unsigned long)end + PAGE - 1) & ~(PAGE - 1));
    // musl has no sbrk() that moves
    CHECK(syscall(SYS_brk, page + 3 * PAGE) == (long)(page + 3 * PAGE));
    CHECK(seal(page + PAGE, PAGE) == 0);
    CHECK(syscall(SYS_brk, page) == (long)(page + 3 * PAGE));
    CHECK(syscall(SYS_brk, page + 2 * PAGE) == (long)(page + 2 * PAGE));
    CHECK(syscall(SYS_brk, page + 4 * PAGE) == (long)(page + 4 * PAGE));
}

TEST(a_sealed_segment_is_not_detached) {
    int id = shmget(IPC_PRIVATE, PAGE, IPC_CREAT | 0600);
    char *p = shmat(id, NULL, 0);
    CHECK(id >= 0 && p != (void *)-1 && shmctl(id, IPC_RMID, NULL) == 0);
    *p = 5;
    CHECK(seal(p, PAGE) == 0 && shmdt(p) == 0 && *p == 5); // shmdt(2) has no error for it
    CHECK(shmat(id, p, SHM_REMAP) == (void *)-1 && errno == EPERM);
    CHECK_ERRNO(syscall(SYS_remap_file_pages, p, PAGE, 0, 0, 0), EPERM);
}

TEST(smaps_tells_of_seals) {
    char line[256], start[40];
    char *p = partly_sealed(RW);
    bool here = false, told = false, others = false;
    snprintf(start, sizeof(start), "%lx-", (unsigned long)(p + 2 * PAGE));
    FILE *f = fopen("/proc/self/smaps", "r");
    while (f && fgets(line, sizeof(line), f)) {
        here |= !strncmp(line, start, strlen(start));
        if (!strncmp(line, "VmFlags:", 8)) {
            told |= here && strstr(line, " sl");
            others |= !here && strstr(line, " sl");
            here = false;
        }
    }
    CHECK(f && told && !others);
}

static void *seal_pieces(void *arg) {
    char *p = arg;
    for (unsigned long i = 0; i < PIECES; i++)
        if (seal(p + i * PAGE, PAGE) && errno != ENOMEM)
            return p;
    return NULL;
}

// Each page is either gone or sealed, whoever comes first.
TEST(sealing_and_unmapping_race) {
    for (int round = 0; round < 50; round++) {
        char *p = mmap(NULL, PIECES * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        pthread_t t;
        void *wrong;
        bool gone[PIECES];
        CHECK(p != MAP_FAILED && pthread_create(&t, NULL, seal_pieces, p) == 0);
        for (unsigned long i = PIECES; i--;) {
            gone[i] = munmap(p + i * PAGE, PAGE) == 0;
            CHECK(gone[i] || errno == EPERM);
        }
        CHECK(pthread_join(t, &wrong) == 0 && !wrong);
        for (unsigned long i = 0; i < PIECES; i++)
            if (!gone[i])
                p[i * PAGE] = 1;
    }
}
