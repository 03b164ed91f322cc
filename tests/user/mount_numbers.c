// SPDX-License-Identifier: MIT
// Mounts by their numbers: statmount(2), listmount(2), STATX_MNT_ID_UNIQUE. The same program passes on Linux.
#include "mounts.h"
#include <stdint.h>

#ifndef SYS_statmount
#define SYS_statmount 457
#define SYS_listmount 458
#endif
#define UNIQUE 0x4000u // STATX_MNT_ID_UNIQUE
#define ROOT   UINT64_MAX

TEST_DIRECTORY(0755)

struct request {
    uint32_t size, spare;
    uint64_t id, param;
};

static struct {
    uint32_t size, options;
    uint64_t mask;
    uint32_t major, minor;
    uint64_t magic;
    uint32_t flags, type;
    uint64_t id, parent;
    uint32_t old, old_parent;
    uint64_t attributes, propagation, group, master, from;
    uint32_t root, point;
    uint64_t ns, spare[49];
    char text[4096];
} told;

static uint64_t ids[4096];
static char here[64];

static int stat_mount(uint64_t id, uint64_t what, size_t size) {
    struct request r = {sizeof(r), 0, id, what};
    memset(&told, 0, sizeof(told));
    return (int)syscall(SYS_statmount, &r, &told, size, 0);
}
static int list(uint64_t id, uint64_t last, size_t n, unsigned int flags) {
    struct request r = {sizeof(r), 0, id, last};
    return (int)syscall(SYS_listmount, &r, ids, n, flags);
}

// A number of the mount that shows the path, unique or not.
static uint64_t number_of(const char *path, unsigned int which) {
    char st[256];
    uint32_t mask;
    uint64_t id;
    CHECK(syscall(SYS_statx, AT_FDCWD, path, 0, which, st) == 0);
    memcpy(&mask, st, sizeof(mask));
    memcpy(&id, st + 0x90, sizeof(id)); // stx_mnt_id, also where the C library does not know it
    CHECK(mask & which);
    return id;
}

// In a namespace of its own, below which nothing is shared, and in a directory of its own.
static void start(void) {
    char name[] = "numbersXXXXXX";
    CHECK(unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_PRIVATE | MS_REC, NULL) == 0);
    CHECK(mkdtemp(name) && chdir(name) == 0 && mkdir("m", 0755) == 0 && getcwd(here, sizeof(here)));
    CHECK(mount("mine", "m", "tmpfs", 2 | 8, "nr_inodes=100") == 0 &&
          mkdir("m/in", 0755) == 0); // MS_NOSUID, MS_NOEXEC
}

TEST(mount_is_told_by_its_number) {
    char path[128];
    start();
    uint64_t id = number_of("m", UNIQUE);
    CHECK(id > UINT32_MAX / 2 && stat_mount(id, 0x3b, sizeof(told)) == 0 && (told.mask & 0x3b) == 0x3b);
    CHECK(told.id == id && told.old == number_of("m", 0x1000) && told.parent == number_of(".", UNIQUE));
    CHECK(told.magic == 0x01021994 && told.flags == 0 && told.size > 512 && told.size < sizeof(told));
    CHECK(told.attributes == (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC) && told.propagation == MS_PRIVATE);
    snprintf(path, sizeof(path), "%s/m", here);
    CHECK(!strcmp(told.text + told.type, "tmpfs") && !strcmp(told.text + told.root, "/") &&
          !strcmp(told.text + told.point, path));
    CHECK(stat_mount(id, 0x80, sizeof(told)) == 0 && strstr(told.text + told.options, "nr_inodes=100") &&
          told.text[told.options] != ',');
    CHECK_ERRNO(stat_mount(id, 0x20, 512), EOVERFLOW); // the text has no room
    CHECK(stat_mount(id, 3, 512) == 0 && told.size == 512);
    CHECK(umount2("m", 0) == 0);
    CHECK_ERRNO(stat_mount(id, 3, 512), ENOENT);
}

TEST(requests_are_checked) {
    struct request r = {sizeof(r), 1, 0, 0};
    start();
    r.id = number_of("m", UNIQUE);
    CHECK_ERRNO(syscall(SYS_statmount, &r, &told, sizeof(told), 0), EINVAL);
    r.spare = 0;
    CHECK_ERRNO(syscall(SYS_statmount, &r, &told, sizeof(told), 1), EINVAL);
    CHECK_ERRNO(syscall(SYS_listmount, &r, ids, 10, 2), EINVAL);
    CHECK_ERRNO(syscall(SYS_listmount, &r, ids, 1000001, 0), EOVERFLOW);
    r.size = 16;
    CHECK_ERRNO(syscall(SYS_statmount, &r, &told, sizeof(told), 0), EINVAL);
    r.size = 5000;
    CHECK_ERRNO(syscall(SYS_statmount, &r, &told, sizeof(told), 0), E2BIG);
    CHECK_ERRNO(stat_mount(r.id + (1ul << 40), 3, sizeof(told)), ENOENT);
}

TEST(mounts_are_listed_in_their_order) {
    start();
    CHECK(mount("in", "m/in", "tmpfs", 0, NULL) == 0 && mkdir("other", 0755) == 0 &&
          mount("o", "other", "tmpfs", 0, NULL) == 0);
    uint64_t m = number_of("m", UNIQUE), in = number_of("m/in", UNIQUE), other = number_of("other", UNIQUE);
    CHECK(list(m, 0, 10, 0) == 1 && ids[0] == in && list(in, 0, 10, 0) == 0);
    int n = list(ROOT, 0, 4096, 0);
    CHECK(n >= 3 && ids[n - 3] == m && ids[n - 2] == in && ids[n - 1] == other);
    for (int i = 1; i < n; i++)
        CHECK(ids[i] > ids[i - 1]);
    CHECK(list(ROOT, m, 1, 0) == 1 && ids[0] == in && list(ROOT, in, 10, 0) == 1 && ids[0] == other);
    CHECK(list(ROOT, 0, 2, 1) == 2 && ids[0] == other && ids[1] == in && list(ROOT, in, 1, 1) == 1 &&
          ids[0] == m);
}

TEST(many_are_listed) {
    start();
    for (int i = 0; i < 200; i++)
        CHECK(mount("m", "m", NULL, 4096, NULL) == 0); // MS_BIND, each on the one before
    CHECK(list(number_of(".", UNIQUE), 0, 4096, 0) >= 201);
    while (umount2("m", MNT_DETACH) == 0)
        ;
}

TEST(what_cannot_be_seen_is_not_told) {
    start();
    uint64_t id = number_of("m", UNIQUE);
    CHECK(mkdir("jail", 0755) == 0 && chroot("jail") == 0 && chdir("/") == 0 &&
          stat_mount(id, 2, sizeof(told)) == 0);
    CHECK(setgid(12345) == 0 && setuid(12345) == 0);
    CHECK_ERRNO(stat_mount(id, 2, sizeof(told)), EPERM);
    CHECK_ERRNO(list(id, 0, 10, 0), EPERM);
}
