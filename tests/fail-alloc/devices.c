// SPDX-License-Identifier: MIT
// What programs do with virtio devices: a port, a console, entropy, a disk, two directories of the host.
#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <termios.h>
#include <unistd.h>
#include "walk.h"

static char text[20000];

static int do_port(void) {
    int fd = open("/dev/vport0p1", O_RDWR | O_NONBLOCK);
    struct pollfd p = {.fd = fd, .events = POLLIN | POLLOUT};
    if (fd < 0 || poll(&p, 1, 0) < 0 || (write(fd, text, sizeof(text)) < 0 && errno != EAGAIN))
        return errno;
    return read(fd, text, sizeof(text)) < 0 && errno != EAGAIN ? errno : 0;
}

static int do_console(void) {
    struct termios t;
    int fd = open("/dev/hvc0", O_RDWR | O_NOCTTY | O_NONBLOCK);
    if (fd < 0 || tcgetattr(fd, &t) || tcsetattr(fd, TCSANOW, &t))
        return errno;
    return write(fd, text, 3000) < 0 && errno != EAGAIN ? errno : 0;
}

static int do_entropy(void) {
    int fd = open("/dev/hwrng", O_RDONLY);
    return fd < 0 ? errno : error_of(read(fd, text, 5000));
}

static int do_disk(void) {
    unsigned long long size;
    int fd = open("/dev/vda", O_RDWR), direct = open("/dev/vda", O_RDWR | O_DIRECT);
    char *page = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (fd < 0 || direct < 0 || page == MAP_FAILED || ioctl(fd, BLKGETSIZE64, &size))
        return errno;
    if (pread(fd, text, 1000, 100) < 0 || pwrite(fd, text, 1000, 100) < 0 ||
        pread(direct, page, 65536, 4096) < 0 || pwrite(direct, page, 65536, 4096) < 0)
        return errno;
    return error_of(fsync(fd));
}

static int use_file(const char *name) {
    int other, fd = open(name, O_RDWR | O_CREAT, 0600);
    if (fd < 0 || (other = open(name, O_RDONLY)) < 0 || write(fd, text, sizeof(text)) < 0 ||
        pread(other, text, sizeof(text), 0) < 0)
        return errno;
    char *map = mmap(NULL, sizeof(text), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED)
        return errno;
    map[0] = map[8192] = 'x';
    if (msync(map, sizeof(text), MS_SYNC) || ftruncate(fd, 5000) || fchmod(fd, 0640) || fsync(fd) ||
        flock(fd, LOCK_EX))
        return errno;
    return 0;
}

// A call that told of an error may have done it all the same: the answer found no memory.
static int do_directory(void) {
    struct statfs st;
    struct stat a;
    char target[20];
    int err = mkdir("/host/d", 0700) && errno != EEXIST ? errno : 0;
    if (!err && (link("/host/f", "/host/d/l") || symlink("x", "/host/d/s")) && errno != EEXIST)
        err = errno;
    err = err ?: use_file("/host/d/f");
    if (!err && (rename("/host/d/f", "/host/d/g") || stat("/host/d/g", &a) || statfs("/host/d", &st) ||
                 readlink("/host/d/s", target, sizeof(target)) < 0))
        err = errno;
    DIR *dir = err ? NULL : opendir("/host/d");
    errno = 0;
    while (dir && readdir(dir))
        ;
    err = err ?: errno;
    static const char *const made[] = {"/host/d/l", "/host/d/s", "/host/d/f", "/host/d/g"};
    for (size_t i = 0; i < sizeof(made) / sizeof(*made); i++)
        if (unlink(made[i]) && errno != ENOENT)
            err = err ?: errno;
    return rmdir("/host/d") && errno != ENOENT && errno != ENOTEMPTY ? err ?: errno : err;
}

static int do_mount_directory(void) {
    struct stat st;
    if (mount("other", "/other", "9p", 0, "trans=virtio"))
        return errno;
    int err = error_of(stat("/other/f", &st));
    if (umount("/other"))
        err = err ?: errno;
    return err;
}

const struct operation device_operations[] = {
    {"a_port", do_port, false},           {"a_console", do_console, false},
    {"entropy", do_entropy, false},       {"a_disk", do_disk, false},
    {"a_directory", do_directory, false}, {"a_directorys_mount", do_mount_directory, false},
};
const size_t device_operation_count = sizeof(device_operations) / sizeof(*device_operations);

bool devices_set_up(void) {
    mkdir("/host", 0700), mkdir("/other", 0700);
    bool good = mount("host", "/host", "9p", 0, "trans=virtio") == 0 && access("/dev/vda", F_OK) == 0 &&
                access("/dev/hwrng", F_OK) == 0 && access("/dev/hvc0", F_OK) == 0 &&
                access("/dev/vport0p1", F_OK) == 0;
    if (!good)
        printf("# no devices: %s\n", strerror(errno));
    return good;
}
