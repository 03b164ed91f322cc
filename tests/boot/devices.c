// SPDX-License-Identifier: MIT
// What test_device_races.py has done in a machine with a port, entropy and a disk of 1 MiB: direct access, and races for the devices.
#include "../user/races.h"
#include <fcntl.h>
#include <linux/fs.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>

#define SIZE 1048576
#define PART 4096

// ---- O_DIRECT

static char *pages(void) {
    char *at = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(at != MAP_FAILED);
    return at;
}

TEST(direct_access_to_a_disk_wants_addresses_lengths_and_places_of_whole_blocks) {
    char *page = pages();
    int fd = open("/dev/vda", O_RDWR | O_DIRECT);
    CHECK(fd >= 0 && pread(fd, page, 4096, 512) == 4096 && pwrite(fd, page, 512, 1024) == 512);
    CHECK(pread(fd, page + 512, 512, 0) == 512);
    CHECK_ERRNO(pread(fd, page + 1, 512, 0), EINVAL);
    CHECK_ERRNO(pwrite(fd, page + 256, 512, 0), EINVAL);
    CHECK_ERRNO(pread(fd, page, 511, 0), EINVAL);
    CHECK_ERRNO(pread(fd, page, 512, 100), EINVAL);
    struct iovec good[2] = {{page, 512}, {page + 1024, 1024}}, bad[2] = {{page, 100}, {page + 1024, 924}},
                 askew[2] = {{page, 512}, {page + 1000, 512}};
    CHECK(preadv(fd, good, 2, 0) == 1536 && pwritev(fd, good, 2, 0) == 1536);
    CHECK_ERRNO(preadv(fd, bad, 2, 0), EINVAL);
    CHECK_ERRNO(pwritev(fd, askew, 2, 0), EINVAL);
}

// What is beyond the end is cut off before anything else is looked at.
TEST(direct_access_at_the_end_of_a_disk) {
    char *page = pages();
    int fd = open("/dev/vda", O_RDWR | O_DIRECT);
    CHECK(pread(fd, page, 4096, SIZE - 512) == 512 && pread(fd, page, 1000, SIZE - 512) == 512);
    CHECK(pread(fd, page + 1, 7, SIZE) == 0 && pread(fd, page, 0, 3) == 0 && pwrite(fd, page, 0, 3) == 0);
    CHECK_ERRNO(pwrite(fd, page + 1, 7, SIZE), ENOSPC);
}

TEST(direct_access_can_be_switched_on_where_it_can_be_opened_with) {
    char *page = pages();
    int fd = open("/dev/vda", O_RDONLY), random = open("/dev/hwrng", O_RDONLY);
    CHECK(pread(fd, page + 1, 7, 3) == 7);
    CHECK(fcntl(fd, F_SETFL, O_DIRECT) == 0 && fcntl(fd, F_GETFL) & O_DIRECT);
    CHECK_ERRNO(pread(fd, page + 1, 7, 3), EINVAL);
    CHECK(fcntl(fd, F_SETFL, 0) == 0 && pread(fd, page + 1, 7, 3) == 7);
    CHECK_ERRNO(fcntl(random, F_SETFL, O_DIRECT), EINVAL);
}

// ---- races

static void disk_write(long part, int flags) {
    static char filled[MAX_RACERS][PART] __attribute__((aligned(PART)));
    int fd = open("/dev/vda", O_RDWR | flags);
    memset(filled[part], 'a' + (int)part, PART);
    CHECK(fd >= 0 && pwrite(fd, filled[part], PART, 8192 + part * PART) == PART);
    CHECK(pread(fd, filled[part], PART, 8192 + part * PART) == PART);
    for (int i = 0; i < PART; i++)
        CHECK(filled[part][i] == 'a' + part);
    close(fd);
}

static void first_writes(void) {
    disk_write(0, 0);
}

static void second_writes_directly(void) {
    disk_write(1, O_DIRECT);
}

static void somebody_flushes(void) {
    unsigned long long size;
    int fd = open("/dev/vda", O_RDONLY);
    CHECK(fsync(fd) == 0 && ioctl(fd, BLKGETSIZE64, &size) == 0 && size == SIZE);
    close(fd);
}

static void counts_are_read(void) {
    char text[4096];
    int fd = open("/proc/diskstats", O_RDONLY);
    CHECK(fd >= 0 && read(fd, text, sizeof(text)) > 0);
    close(fd);
}

TEST(blocks_of_a_disk_are_each_their_writers) {
    static const struct race r = {
        .part = {first_writes, second_writes_directly, somebody_flushes, counts_are_read}};
    CHECK(run_race(&r) > 0);
}

static void use(const char *path, int flags, bool write_it) {
    char text[3000] = {0};
    int fd = open(path, flags | O_NONBLOCK);
    if (fd < 0) {
        CHECK(errno == EBUSY); // a port is one program's
        return;
    }
    struct pollfd p = {.fd = fd, .events = POLLIN | POLLOUT};
    CHECK(poll(&p, 1, 0) >= 0);
    ssize_t n = write_it ? write(fd, text, sizeof(text)) : read(fd, text, sizeof(text));
    CHECK(n >= 0 || errno == EAGAIN);
    close(fd);
}

static void port_is_written(void) {
    use("/dev/vport0p1", O_RDWR, true);
}

static void port_is_read(void) {
    use("/dev/vport0p1", O_RDWR, false);
}

static void entropy_is_read(void) {
    use("/dev/hwrng", O_RDONLY, false);
}

TEST(ports_are_opened_used_and_closed_at_once) {
    static const struct race r = {.part = {port_is_written, port_is_read, entropy_is_read, port_is_written}};
    CHECK(run_race(&r) > 0);
}

// A child that waits for a device is killed in the middle, again and again; the device is whole for the next.
static pid_t child_that_loops(void (*use_it)(void)) {
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0)
        for (;;)
            use_it();
    return pid;
}

static void read_all(const char *path, size_t n) {
    static char text[65536] __attribute__((aligned(PART)));
    int fd = open(path, O_RDONLY);
    while (read(fd, text, n) == (ssize_t)n)
        ;
    close(fd);
}

static void disk_is_read(void) {
    read_all("/dev/vda", 65536);
}

static void entropy_is_waited_for(void) {
    read_all("/dev/hwrng", 4096);
}

static void port_is_filled(void) {
    static char text[65536];
    int fd = open("/dev/vport0p1", O_RDWR);
    while (fd >= 0 && write(fd, text, sizeof(text)) > 0)
        ;
    close(fd);
}

TEST(readers_and_writers_are_killed_and_devices_are_whole) {
    static void (*const uses[])(void) = {disk_is_read, disk_is_read, entropy_is_waited_for, port_is_filled};
    long end = milliseconds() + MILLISECONDS;
    char *page = pages();
    for (unsigned int round = 0; milliseconds() < end; round++) {
        pid_t pids[4];
        for (int i = 0; i < 4; i++)
            pids[i] = child_that_loops(uses[i]);
        for (unsigned int i = 0; i < round % 7; i++)
            sched_yield();
        for (int i = 0; i < 4; i++)
            CHECK(kill(pids[i], SIGKILL) == 0);
        for (int i = 0; i < 4; i++)
            CHECK(waitpid(pids[i], NULL, 0) == pids[i]);
        disk_write(round % 4, O_DIRECT);
        int fd = open("/dev/hwrng", O_RDONLY), port = open("/dev/vport0p1", O_RDWR);
        CHECK(fd >= 0 && port >= 0 && read(fd, page, 16) > 0 && write(port, page, 16) == 16);
        close(fd);
        close(port);
    }
}
