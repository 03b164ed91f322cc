// SPDX-License-Identifier: MIT
// Page faults that wait for a device: /dev/late, which only debug kernels have (kernel/fs/dev/late.c). A page comes
// when the test says so.
#include "test.h"
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#define FORGET (-1)
#define ERROR  (-2)
#define HOLD   0x100
#define SIZE   (16 * 4096)

static int fd;
static volatile unsigned char *map;

static void open_late(int flags) {
    fd = open("/dev/late", O_RDWR);
    CHECK(fd >= 0);
    map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, flags, fd, 0);
    CHECK(map != MAP_FAILED);
}

// Waits until somebody wants a page.
static uint64_t question(void) {
    uint64_t page;
    CHECK(read(fd, &page, sizeof(page)) == sizeof(page));
    return page;
}

static void answer(uint32_t page, int32_t value) {
    struct {
        uint32_t page;
        int32_t value;
    } a = {page, value};
    CHECK(write(fd, &a, sizeof(a)) == sizeof(a));
}

// A thread that looks at a byte: its value, or -signal.
static __thread sigjmp_buf back;
static void jump(int sig) {
    siglongjmp(back, sig);
}
static void *look(void *at) {
    int sig = sigsetjmp(back, 1);
    return (void *)(long)(sig ? -sig : *(volatile unsigned char *)at);
}
static pthread_t start_looking(volatile unsigned char *at) {
    pthread_t t;
    signal(SIGSEGV, jump);
    signal(SIGBUS, jump);
    CHECK(!pthread_create(&t, NULL, look, (void *)at));
    return t;
}
static long seen(pthread_t t) {
    void *value;
    CHECK(!pthread_join(t, &value));
    return (long)value;
}

// A thread's lock whose word is on that page; 0 or an errno.
static void *lock_pi(void *word) {
    return (void *)(long)(syscall(SYS_futex, word, FUTEX_LOCK_PI | FUTEX_PRIVATE_FLAG, 0, NULL, NULL, 0)
                              ? errno
                              : 0);
}

static int change_mappings(void) {
    char *other = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (other == MAP_FAILED)
        return -1;
    other[4096] = 1;
    return mprotect(other, 4096, PROT_READ) || munmap(other, 8192);
}

TEST(others_map_and_fault_and_fork_while_a_fault_waits) {
    open_late(MAP_SHARED);
    pthread_t t = start_looking(map + 4096);
    CHECK(question() == 1);
    CHECK(change_mappings() == 0);
    pid_t pid = fork();
    if (pid == 0)
        _exit(change_mappings());
    CHECK(test_wait_exit(pid) == 0);
    char maps[4096];
    int text = open("/proc/self/maps", O_RDONLY);
    CHECK(text >= 0 && read(text, maps, sizeof(maps)) > 0);
    answer(1, 77);
    CHECK(seen(t) == 77 && map[4097] == 77);
}

TEST(faults_on_several_pages_wait_side_by_side) {
    open_late(MAP_SHARED);
    pthread_t first = start_looking(map), second = start_looking(map + 4096), again = start_looking(map + 1);
    for (unsigned int asked = 0; asked != 3;)
        asked |= 1u << question();
    answer(1, 11);
    CHECK(seen(second) == 11);
    answer(0, 10);
    CHECK(seen(first) == 10 && seen(again) == 10);
}

TEST(a_mapping_that_went_while_its_page_came_is_a_segmentation_fault) {
    open_late(MAP_SHARED);
    pthread_t t = start_looking(map + 4096);
    CHECK(question() == 1);
    CHECK(munmap((void *)map, SIZE) == 0);
    answer(1, 1);
    CHECK(seen(t) == -SIGSEGV);
}

TEST(a_mapping_that_came_in_its_place_is_what_is_seen) {
    open_late(MAP_SHARED);
    pthread_t t = start_looking(map + 4096);
    CHECK(question() == 1);
    CHECK(mmap((void *)map, SIZE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == map);
    answer(1, 1);
    CHECK(seen(t) == 0);
}

TEST(the_page_of_another_place_in_the_file_is_asked_for_anew) {
    open_late(MAP_SHARED);
    pthread_t t = start_looking(map + 4096);
    CHECK(question() == 1);
    CHECK(mmap((void *)map, SIZE / 2, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 4096) == map);
    answer(1, 1);
    CHECK(question() == 2);
    answer(2, 22);
    CHECK(seen(t) == 22);
}

TEST(a_page_that_does_not_come_is_a_bus_error) {
    open_late(MAP_SHARED);
    pthread_t t = start_looking(map);
    CHECK(question() == 0);
    answer(0, ERROR);
    CHECK(seen(t) == -SIGBUS);
}

TEST(a_page_that_comes_for_a_private_write_is_copied) {
    open_late(MAP_PRIVATE);
    pthread_t t = start_looking(map + 4096 * 3);
    CHECK(question() == 3);
    answer(3, 33);
    CHECK(seen(t) == 33);
    map[4096 * 3] = 1;
    volatile unsigned char *shared = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0);
    CHECK(map[4096 * 3 + 1] == 33 && shared[4096 * 3] == 33);
}

TEST(who_waits_for_a_page_can_be_killed) {
    open_late(MAP_SHARED);
    pid_t pid = fork();
    if (pid == 0)
        _exit(map[0]);
    CHECK(question() == 0);
    CHECK(kill(pid, SIGKILL) == 0);
    int status;
    CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void *write_from_map(void *to) {
    return (void *)(long)write(*(int *)to, (void *)(map + 4000), 200);
}
static void *read_with_vm(void *buf) {
    struct iovec here = {buf, 200}, there = {(void *)(map + 4000), 200};
    return (void *)(long)process_vm_readv(getpid(), &here, 1, &there, 1, 0);
}

TEST(calls_wait_for_the_pages_of_their_buffers) {
    static char buf[200];
    int p[2];
    pthread_t t;
    open_late(MAP_SHARED);
    CHECK(pipe(p) == 0 && !pthread_create(&t, NULL, write_from_map, &p[1]));
    CHECK(question() == 0);
    answer(0, 'a');
    CHECK(question() == 1 && change_mappings() == 0);
    answer(1, 'b');
    CHECK(seen(t) == 200 && read(p[0], buf, 200) == 200 && buf[95] == 'a' && buf[96] == 'b');
    answer(1, FORGET);
    CHECK(!pthread_create(&t, NULL, read_with_vm, buf));
    CHECK(question() == 1 && change_mappings() == 0);
    answer(1, 'c');
    CHECK(seen(t) == 200 && buf[95] == 'a' && buf[96] == 'c');
}

static void *populate(void *arg) {
    (void)arg;
    return mmap(NULL, 3 * 4096, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
}

TEST(populating_waits_for_each_page_and_lets_others_map) {
    open_late(MAP_SHARED);
    pthread_t t;
    CHECK(!pthread_create(&t, NULL, populate, NULL));
    for (int i = 0; i < 3; i++) {
        CHECK(question() == (uint64_t)i && change_mappings() == 0);
        answer(i, i);
    }
    volatile unsigned char *there = (void *)seen(t);
    CHECK(there != MAP_FAILED && there[0] == 0 && there[4096] == 1 && there[8192] == 2);
}

// The page goes when the fault has it in hand and is about to map it.
TEST(no_page_of_before_a_truncation_is_mapped_after_it) {
    open_late(MAP_SHARED);
    pthread_t t = start_looking(map);
    CHECK(question() == 0);
    answer(0, HOLD + 1);
    CHECK(question() == 0);
    answer(0, FORGET);
    answer(0, 2);
    CHECK(seen(t) == 2 && map[0] == 2);
}

// Every thread that ends looks whether it owns such a lock.
TEST(others_end_while_the_word_of_a_lock_that_lends_priority_waits_for_its_page) {
    pthread_t t;
    open_late(MAP_SHARED);
    CHECK(!pthread_create(&t, NULL, lock_pi, (void *)(map + 4096)));
    CHECK(question() == 1);
    pid_t pid = fork();
    if (!pid)
        _exit(7);
    CHECK(test_wait_exit(pid) == 7);
    answer(1, 0);
    CHECK(seen(t) == 0);
}
