// SPDX-License-Identifier: MIT
// /sys: what programs read of the console and the processors there, and that it is a file system like Linux's.
#include "test.h"
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/vfs.h>

#define CPU    "/sys/devices/system/cpu"
#define ACTIVE "/sys/class/tty/console/active"

static const char *slurp(const char *path) {
    static char text[4096];
    int fd = open(path, O_RDONLY);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    CHECK(n >= 0 && close(fd) == 0);
    text[n] = '\0';
    return text;
}

// The names in a directory, in the order of the alphabet, each behind a blank.
static const char *names_in(const char *path) {
    static char text[4096];
    struct dirent **names;
    int n = scandir(path, &names, NULL, alphasort);
    CHECK(n >= 2);
    text[0] = '\0';
    for (int i = 2; i < n; i++)
        strcat(strcat(text, " "), names[i]->d_name);
    return text;
}

static int harts(void) {
    cpu_set_t set;
    CHECK(sched_getaffinity(0, sizeof(set), &set) == 0);
    return CPU_COUNT(&set);
}

static long free_kib(void) {
    return test_number_in("/proc/meminfo", "MemFree:");
}

static int as_user(void *claim) {
    CHECK(setuid(1000) == 0);
    ((void (*)(void))claim)();
    return 0;
}

TEST(sysfs_names_the_console) {
    char target[64] = "";
    CHECK(!strcmp(slurp(ACTIVE), "ttyS0\n"));
    CHECK(readlink("/sys/class/tty/console", target, sizeof(target)) > 0);
    CHECK(!strcmp(target, "../../devices/virtual/tty/console"));
    CHECK(!strcmp(names_in("/sys/class/tty/console/"), " active"));
}

TEST(sysfs_lists_the_processors) {
    char all[16], names[256] = "";
    snprintf(all, sizeof(all), harts() > 1 ? "0-%d\n" : "%d\n", harts() - 1);
    CHECK(!strcmp(slurp(CPU "/online"), all) && !strcmp(slurp(CPU "/possible"), all));
    CHECK(!strcmp(slurp(CPU "/present"), all) && atoi(slurp(CPU "/kernel_max")) >= harts() - 1);
    for (int i = 0; i < harts(); i++)
        sprintf(names + strlen(names), " cpu%d", i);
    CHECK(!strncmp(names_in(CPU), names, strlen(names)) && !strncmp(names_in(CPU) + strlen(names), " k", 2));
    CHECK(get_nprocs() == harts() && get_nprocs_conf() == harts());
    CHECK(!strcmp(slurp("/sys/devices/system/node/online"), "0\n"));
    CHECK(!strcmp(slurp("/sys/devices/system/node/node0/cpulist"), all));
}

// lscpu and numactl take them for granted where there is a processor or a node.
TEST(sysfs_tells_how_processors_stand_to_each_other) {
    char all[16], mask[16], path[128];
    snprintf(all, sizeof(all), harts() > 1 ? "0-%d\n" : "%d\n", harts() - 1);
    snprintf(mask, sizeof(mask), "%x\n", (1 << harts()) - 1);
    CHECK(!strcmp(slurp("/sys/devices/system/node/node0/cpumap"), mask) &&
          !strcmp(slurp(CPU "/offline"), "\n"));
    CHECK(strstr(slurp("/sys/devices/system/node/node0/meminfo"), "Node 0 MemFree:"));
    CHECK(!strcmp(slurp("/sys/devices/system/node/node0/distance"), "10\n"));
    for (int i = 0; i < harts(); i++) {
        snprintf(path, sizeof(path), CPU "/cpu%d/topology/core_id", i);
        CHECK(atoi(slurp(path)) == i);
        snprintf(path, sizeof(path), CPU "/cpu%d/topology/thread_siblings", i);
        snprintf(mask, sizeof(mask), "%x\n", 1 << i);
        CHECK(!strcmp(slurp(path), mask));
        snprintf(path, sizeof(path), CPU "/cpu%d/topology/package_cpus_list", i);
        CHECK(!strcmp(slurp(path), all));
    }
}

TEST(sysfs_looks_as_in_linux) {
    struct stat st;
    struct statfs sf;
    CHECK(!strcmp(names_in("/sys"), " block class dev devices firmware kernel") &&
          !strcmp(names_in("/sys/kernel"), " address_bits cpu_byteorder"));
    CHECK(statfs(ACTIVE, &sf) == 0 && sf.f_type == 0x62656572 && sf.f_bsize == 4096 && !sf.f_blocks);
    CHECK(stat("/sys", &st) == 0 && st.st_mode == (S_IFDIR | 0555) && st.st_nlink == 8 && st.st_ino == 1);
    CHECK(stat("/sys/kernel", &st) == 0 && st.st_mode == (S_IFDIR | 0755) && st.st_nlink == 2);
    CHECK(stat(ACTIVE, &st) == 0 && st.st_mode == (S_IFREG | 0444) && st.st_size == 4096 && !st.st_uid);
    CHECK(lstat("/sys/class/tty/console", &st) == 0 && st.st_mode == (S_IFLNK | 0777));
    CHECK(strstr(slurp("/proc/filesystems"), "nodev\tsysfs\n"));
    CHECK(strstr(slurp("/proc/self/mounts"), "sysfs /sys sysfs rw,relatime 0 0\n"));
}

TEST(a_file_of_sysfs_is_read_at_any_place) {
    char c[8];
    int fd = open(ACTIVE, O_RDONLY);
    CHECK(pread(fd, c, 2, 3) == 2 && !memcmp(c, "S0", 2) && pread(fd, c, 8, 6) == 0);
    CHECK(lseek(fd, -4090, SEEK_END) == 6 && read(fd, c, 8) == 0);
    CHECK(lseek(fd, 0, SEEK_SET) == 0 && read(fd, c, 8) == 6 && read(fd, c, 8) == 0);
    CHECK_ERRNO(write(fd, "x", 1), EBADF);
}

static void cannot_be_changed(void) {
    CHECK_ERRNO(open(ACTIVE, O_WRONLY), EACCES);
    CHECK_ERRNO(open(ACTIVE, O_RDWR | O_TRUNC), EACCES);
    CHECK_ERRNO(open("/sys/kernel/new", O_CREAT | O_WRONLY, 0644), EACCES);
    CHECK_ERRNO(open("/sys/kernel/new", O_RDONLY), ENOENT);
    CHECK_ERRNO(mkdir("/sys/kernel", 0755), EEXIST);
}

TEST(nobody_writes_to_sysfs) {
    cannot_be_changed();
    CHECK(test_wait_exit(test_fork(as_user, cannot_be_changed)) == 0);
}

#define TREE "/sys/firmware/devicetree/base"

TEST(the_device_tree_tells_what_machine_this_is) {
    char target[64] = "";
    struct stat st, root;
    CHECK(readlink("/proc/device-tree", target, sizeof(target)) > 0 && !strcmp(target, TREE));
    CHECK(!strcmp(slurp("/proc/device-tree/compatible"), "riscv-virtio"));
    CHECK(!strcmp(slurp(TREE "/model"), "riscv-virtio,qemu"));
    CHECK(stat(TREE "/model", &st) == 0 && st.st_size == 18 && st.st_mode == (S_IFREG | 0444));
    CHECK(stat(TREE, &root) == 0 && S_ISDIR(root.st_mode) && root.st_nlink > 4);
    CHECK(stat(TREE "/cpus/cpu@0", &st) == 0 && S_ISDIR(st.st_mode) && st.st_ino != root.st_ino);
    CHECK(!strcmp(slurp(TREE "/cpus/cpu@0/device_type"), "cpu"));
    CHECK(stat(TREE "/cpus/timebase-frequency", &st) == 0 && st.st_size == 4);
    CHECK(!memcmp(slurp(TREE "/cpus/timebase-frequency"), "\0\x98\x96\x80", 4)); // 10 MHz
    CHECK_ERRNO(open(TREE "/model", O_RDWR), EACCES);
    CHECK_ERRNO(open(TREE "/nosuch", O_RDONLY), ENOENT);
    CHECK_ERRNO(open(TREE "/model/x", O_RDONLY), ENOTDIR);
}

TEST(nodes_of_the_device_tree_have_names) {
    struct stat st;
    CHECK(stat(TREE "/cpus/cpu@0/name", &st) == 0 && st.st_size == 4);
    CHECK(!strcmp(slurp(TREE "/cpus/cpu@0/name"), "cpu"));
    CHECK(stat(TREE "/name", &st) == 0 && st.st_size == 1);
    const char *names = names_in(TREE "/cpus");
    CHECK(strstr(names, " cpu@0") && strstr(names, " name") && strstr(names, " timebase-frequency"));
}

// Whoever knew it could tell the kernel's random numbers.
TEST(seeds_of_random_numbers_are_not_told) {
    CHECK(access(TREE "/chosen/bootargs", R_OK) == 0);
    CHECK_ERRNO(access(TREE "/chosen/rng-seed", F_OK), ENOENT);
    CHECK(!strstr(names_in(TREE "/chosen"), "seed"));
}

TEST(the_device_tree_keeps_no_memory) {
    long before = 0;
    for (int i = 0; i < 400; i++) {
        if (i == 100)
            before = free_kib();
        DIR *d = opendir(TREE "/cpus");
        while (readdir(d))
            ;
        CHECK(closedir(d) == 0 && slurp(TREE "/cpus/cpu@0/name") && access(TREE "/chosen/x", F_OK));
    }
    CHECK(free_kib() > before - 256);
}

TEST(nothing_is_made_or_removed_in_sysfs) {
    CHECK_ERRNO(mkdir("/sys/kernel/new", 0755), EPERM);
    CHECK_ERRNO(symlink("x", "/sys/kernel/new"), EPERM);
    CHECK_ERRNO(link(ACTIVE, "/sys/kernel/new"), EPERM);
    CHECK_ERRNO(mknod("/sys/kernel/new", S_IFIFO | 0600, 0), EPERM);
    CHECK_ERRNO(mknod("/sys/kernel/new", S_IFREG | 0600, 0), EACCES);
    CHECK_ERRNO(unlink(ACTIVE), EPERM);
    CHECK_ERRNO(rmdir("/sys/kernel"), EPERM);
    CHECK_ERRNO(rename("/sys/kernel", "/sys/new"), EPERM);
    CHECK(access("/sys/kernel/new", F_OK) == -1 && access("/sys/kernel", F_OK) == 0);
}

TEST(memory_of_sysfs_comes_back_when_it_is_unmounted) {
    char at[64], file[128];
    snprintf(at, sizeof(at), "/tmp/sysfs.%d", getpid());
    snprintf(file, sizeof(file), "%s/class/tty/console/active", at);
    CHECK(mkdir(at, 0755) == 0);
    CHECK_ERRNO(mount("s", at, "sysfs", 0, "nosuch=1"), EINVAL);
    long before = free_kib();
    for (int i = 0; i < 1000; i++) {
        CHECK(mount("s", at, "sysfs", 0, NULL) == 0);
        int fd = open(file, O_RDONLY);
        CHECK(fd >= 0);
        if (i == 0)
            CHECK_ERRNO(umount(at), EBUSY);
        CHECK(close(fd) == 0 && umount(at) == 0);
    }
    CHECK(free_kib() > before - 256 && rmdir(at) == 0);
}
