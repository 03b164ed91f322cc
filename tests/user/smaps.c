// SPDX-License-Identifier: MIT
// What of a process's memory is in memory, and with whom it is shared: /proc/PID/smaps, smaps_rollup, pagemap; and of which files it
// is: map_files.
#include "test.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#define PAGES 16
#define FRAME ((1ull << 55) - 1)

struct usage {
    unsigned long size, rss, pss, shared, private_, anonymous, locked;
    char flags[128];
};

static void take_line(const char *line, struct usage *u) {
    char name[64];
    unsigned long value;
    if (!strncmp(line, "VmFlags:", 8))
        snprintf(u->flags, sizeof(u->flags), "%.120s", line);
    if (sscanf(line, "%63[^:]: %lu kB", name, &value) != 2)
        return;
    u->size += strcmp(name, "Size") ? 0 : value;
    u->rss += strcmp(name, "Rss") ? 0 : value;
    u->pss += strcmp(name, "Pss") ? 0 : value;
    u->shared += strncmp(name, "Shared_C", 8) && strncmp(name, "Shared_D", 8) ? 0 : value;
    u->private_ += strncmp(name, "Private_C", 9) && strncmp(name, "Private_D", 9) ? 0 : value;
    u->anonymous += strcmp(name, "Anonymous") ? 0 : value;
    u->locked += strcmp(name, "Locked") ? 0 : value;
}

// The area that holds addr; NULL: all areas.
static struct usage usage_of(const char *file, const void *addr) {
    struct usage u = {0};
    char line[512];
    FILE *f = fopen(file, "r");
    CHECK(f);
    unsigned long start, end, at = (unsigned long)addr;
    int in = !addr;
    while (fgets(line, sizeof(line), f)) {
        if (addr && strchr(line, '-') && sscanf(line, "%lx-%lx ", &start, &end) == 2)
            in = start <= at && at < end;
        if (in)
            take_line(line, &u);
    }
    CHECK(!fclose(f));
    return u;
}

// An area on its own, whatever is mapped beside it.
static char *map(size_t pages) {
    char *p = mmap(NULL, (pages + 2) * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(p != MAP_FAILED && !mprotect(p + 4096, pages * 4096, PROT_READ | PROT_WRITE));
    return p + 4096;
}

TEST(smaps_tells_what_of_an_area_is_there) {
    char *p = map(PAGES);
    memset(p, 1, PAGES / 2 * 4096);
    struct usage u = usage_of("/proc/self/smaps", p);
    CHECK(u.size == PAGES * 4 && u.rss == PAGES / 2 * 4 && u.pss == u.rss);
    CHECK(u.private_ == u.rss && !u.shared && u.anonymous == u.rss && !u.locked);
    CHECK(strstr(u.flags, " rd wr mr mw me") && !strstr(u.flags, " lo"));
    CHECK(!mlock(p, PAGES * 4096));
    u = usage_of("/proc/self/smaps", p);
    CHECK(u.rss == u.size && u.locked == u.size && strstr(u.flags, " lo"));
}

static int shares(void *p) {
    struct usage u = usage_of("/proc/self/smaps", p);
    CHECK(u.rss == PAGES * 4 && u.shared == u.rss && !u.private_ && u.pss == u.rss / 2);
    memset(p, 2, PAGES / 2 * 4096);
    u = usage_of("/proc/self/smaps", p);
    CHECK(u.rss == PAGES * 4 && u.shared == PAGES / 2 * 4 && u.private_ == u.shared);
    CHECK(u.pss == PAGES / 2 * 4 + PAGES / 2 * 2);
    return 0;
}

TEST(what_fork_leaves_in_common_is_half_of_each) {
    char *p = map(PAGES);
    memset(p, 1, PAGES * 4096);
    CHECK(test_wait_exit(test_fork(shares, p)) == 0);
}

static int shares_text(void *library) {
    struct usage u = usage_of("/proc/self/smaps", library);
    CHECK(u.shared && !u.anonymous && u.pss < u.rss);
    return 0;
}

TEST(a_librarys_text_is_shared_between_processes) {
    CHECK(usage_of("/proc/self/smaps", (void *)strtoul)
              .rss); // the program's entry or the library itself: its text
    CHECK(test_wait_exit(test_fork(shares_text, (void *)strtoul)) == 0);
}

TEST(smaps_rollup_is_the_sum) {
    struct usage all, sum;
    for (int i = 0; i < 3; i++) { // what reading itself touches is there by the last
        all = usage_of("/proc/self/smaps", NULL);
        sum = usage_of("/proc/self/smaps_rollup", NULL);
    }
    CHECK(sum.rss && labs((long)(all.rss - sum.rss)) <= 64 &&
          labs((long)(all.private_ - sum.private_)) <= 64);
    CHECK(labs((long)(all.pss - sum.pss)) <= 64 + 32); // each of smaps's lines is rounded
}

static uint64_t entry(int fd, const void *addr) {
    uint64_t e;
    CHECK(pread(fd, &e, 8, (long)addr / 4096 * 8) == 8);
    return e;
}

static int no_frames(void *p) {
    CHECK(!setuid(1000) && !prctl(PR_SET_DUMPABLE, 1));
    int fd = open("/proc/self/pagemap", O_RDONLY);
    CHECK(fd >= 0);
    uint64_t e = entry(fd, p);
    CHECK(e >> 63 && !(e & FRAME) && !(e >> 56 & 1)); // the parent has it, too
    return 0;
}

TEST(pagemap_tells_of_each_page) {
    char *p = map(PAGES);
    int fd = open("/proc/self/pagemap", O_RDONLY), file = test_make("file", "text");
    CHECK(fd >= 0);
    p[4096] = 1;
    uint64_t e = entry(fd, p + 4096);
    CHECK(e >> 63 && e >> 56 & 1 && !(e >> 61 & 1) && e & FRAME);
    CHECK(!entry(fd, p) && !entry(fd, p + 2 * 4096));
    char *shared = mmap(NULL, 4096, PROT_READ, MAP_SHARED, file, 0);
    CHECK(shared != MAP_FAILED && *shared == 't' && entry(fd, shared) >> 61 == 5);
    CHECK(test_wait_exit(test_fork(no_frames, p + 4096)) == 0);

    uint64_t all[PAGES];
    CHECK(pread(fd, all, sizeof(all), (long)p / 4096 * 8) == sizeof(all) && all[1] == e && !all[2]);
    CHECK_ERRNO(pread(fd, all, 8, 3), EINVAL);
    CHECK_ERRNO(pread(fd, all, 7, 0), EINVAL);
    CHECK(!pread(fd, all, 8, 1l << 60) && !pread(fd, all, 0, 0));
    CHECK_ERRNO(write(fd, all, 8), EBADF);
}

static int sees_and_may_not(void *name) {
    char target[256];
    CHECK(!setuid(1000) && !prctl(PR_SET_DUMPABLE, 1));
    CHECK(readlink(name, target, sizeof(target)) > 0);
    CHECK_ERRNO(open(name, O_RDONLY), EPERM);
    CHECK_ERRNO(open("/proc/1/map_files", O_RDONLY), EACCES);
    CHECK_ERRNO(readlink("/proc/1/map_files/1000-2000", target, sizeof(target)), EACCES);
    return 0;
}

TEST(map_files_leads_to_the_files_that_are_mapped) {
    char name[128], target[256] = "", text[5] = "", here[200];
    int fd = test_make("mapped", "text"), seen = 0;
    char *p = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
    CHECK(p != MAP_FAILED && getcwd(here, sizeof(here)));
    snprintf(name, sizeof(name), "/proc/self/map_files/%lx-%lx", (long)p, (long)p + 4096);
    CHECK(readlink(name, target, sizeof(target)) > 0 && !strcmp(target + strlen(here), "/mapped"));
    DIR *d = opendir("/proc/self/map_files");
    CHECK(d);
    for (struct dirent *e; (e = readdir(d));)
        seen += !strcmp(e->d_name, strrchr(name, '/') + 1);
    CHECK(seen == 1 && !closedir(d));
    CHECK(!unlink("mapped"));
    int again = open(name, O_RDONLY); // a file without a name
    CHECK(again >= 0 && read(again, text, 4) == 4 && !strcmp(text, "text"));
    CHECK(test_wait_exit(test_fork(sees_and_may_not, name)) == 0);

    CHECK_ERRNO(open("/proc/self/map_files/0-1000", O_RDONLY), ENOENT);
    snprintf(target, sizeof(target), "/proc/self/map_files/0%lx-%lx", (long)p, (long)p + 4096);
    CHECK_ERRNO(open(target, O_RDONLY), ENOENT);
    CHECK(!munmap(p, 4096));
    CHECK_ERRNO(open(name, O_RDONLY), ENOENT);
}

TEST_DIRECTORY(0755)
