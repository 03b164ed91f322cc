// SPDX-License-Identifier: MIT
// Somebody without privileges does at random what he can with mounts of his own, by many at once, while others walk through them, read of
// them, enter their namespaces and are killed. What holds then: the machine goes on, and all is as before in the end.
#include "mounts.h"
#include "races.h"
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#define ATTACKER   1000
#define WORKERS    6
#define DEPTH      3      // of processes below one of them
#define MOUNTS_ALL "2400" // in the machine, so that one has a few hundred
#define HELD       4

#ifndef SYS_statmount
#define SYS_statmount 457
#define SYS_listmount 458
#endif

TEST_DIRECTORY(0777)

static struct {
    pid_t first; // of those that attack, as the test sees it
    atomic_int deeds, done;
} * seen;

static unsigned int seed;
static int held[HELD]; // descriptors of places, which keep what has been taken away
static int depth;

static unsigned int pick(unsigned int n) {
    seed = seed * 1103515245u + 12345u;
    return (seed >> 8) % n;
}

// ---- places: a few names, up to three deep, of which the last may be a file's or a link's. None leads out of where they play

static const char *place(void) {
    static const char *const names[] = {"a", "b", "c", "d", "a", "b", ".", "a/..", "file", "link"};
    static char paths[4][64];
    static unsigned int next;
    char *path = paths[next++ % 4];
    path[0] = '\0';
    for (unsigned int n = pick(8) / 3; n; n--)
        strcat(strcat(path, names[pick(8)]), "/");
    strcat(path, names[pick(4) ? pick(4) : pick(10)]);
    return path;
}

// Names in the directory, as far as there is room; where a directory should be is no file.
static void fill(const char *path) {
    static const char *const names[] = {"a", "b", "c", "d", "file", "link"};
    char name[128];
    for (int i = 0; i < 6; i++) {
        snprintf(name, sizeof(name), "%s/%s", path, names[i]);
        int err = i < 4    ? unlink(name) && mkdir(name, 0777)
                  : i == 4 ? mknod(name, S_IFREG | 0666, 0)
                           : symlink("file", name);
        (void)err;
    }
}

static const char *proc_file(const char *name) {
    static char path[64];
    pid_t pid = pick(2) ? getpid() : (pid_t)(1 + pick(40)); // theirs begin at 1
    snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
    return path;
}

// ---- what they do

static unsigned long any_type(void) {
    return 1ul << (17 + pick(4)); // MS_UNBINDABLE to MS_SHARED
}
static unsigned long maybe(unsigned long flag) {
    return pick(3) ? 0 : flag;
}

static void bind_any(void) {
    const char *from = place();
    bind_to(from, place(), maybe(MS_REC));
}
static void mount_any(void) {
    const char *at = place();
    if (mount("t", at, "tmpfs", 0, "nr_inodes=40") == 0)
        fill(at);
}
static void unmount_any(void) {
    static const int flags[] = {0, MNT_DETACH, MNT_DETACH, UMOUNT_NOFOLLOW, UMOUNT_NOFOLLOW | MNT_DETACH, 4};
    umount2(place(), flags[pick(6)]);
}
static void move_any(void) {
    const char *from = place();
    mount(from, place(), NULL, MS_MOVE, NULL);
}
static void set_type(void) {
    mount(NULL, place(), NULL, any_type() | maybe(MS_REC), NULL);
}
static void remount_any(void) {
    mount(NULL, place(), NULL, MS_REMOUNT | MS_BIND | maybe(MS_RDONLY) | maybe(MS_NOSUID), NULL);
}
static void set_attributes(void) {
    struct mount_attr attr = {.attr_set = maybe(MOUNT_ATTR_NODEV),
                              .attr_clr = maybe(MOUNT_ATTR_RDONLY),
                              .propagation = pick(2) ? any_type() : 0};
    syscall(SYS_mount_setattr, AT_FDCWD, place(), maybe(AT_RECURSIVE), &attr, sizeof(attr));
}
static void lay_tree(void) {
    int tree =
        open_tree(AT_FDCWD, place(), OPEN_TREE_CLONE | maybe(AT_RECURSIVE) | maybe(AT_SYMLINK_NOFOLLOW));
    if (tree < 0)
        return;
    if (pick(4))
        lay(tree, place());
    test_read_to_end(openat(tree, "file", O_RDWR));
    close(tree);
}
static void hold(void) {
    int *fd = &held[pick(HELD)];
    if (*fd > 0)
        close(*fd);
    *fd = open(place(), pick(2) ? O_PATH | maybe(O_NOFOLLOW) : O_RDONLY | O_NONBLOCK);
}
static void change_names(void) {
    const char *at = place();
    switch (pick(5)) {
    case 0:
        rename(at, place());
        return;
    case 1:
        rmdir(at);
        return;
    case 2:
        unlink(at);
        return;
    default:
        fill(at);
    }
}
static void look(void) {
    char text[64];
    struct stat st;
    close(open(pick(2) ? "link" : "file", O_CREAT | O_RDWR, 0600));
    close(open(place(), O_RDONLY | O_NONBLOCK));
    if (stat(place(), &st) || readlink(place(), text, sizeof(text)) < 0 || !getcwd(text, sizeof(text)))
        lstat(place(), &st);
}
static void read_about(void) {
    static uint64_t ids[64];
    static char told[2048];
    uint64_t request[3] = {24, UINT64_MAX, 0};
    if (pick(12)) // that takes longer than all else
        return;
    test_read_to_end(open(proc_file(pick(2) ? "mountinfo" : "mounts"), O_RDONLY));
    int n = (int)syscall(SYS_listmount, request, ids, 64, pick(2));
    for (int i = 0; i < n; i++) {
        uint64_t about[3] = {24, ids[i], 0xff};
        syscall(SYS_statmount, about, told, sizeof(told), 0);
    }
}
static void bind_namespace(void) {
    bind_to(proc_file("ns/mnt"), place(), 0);
}

static void go_on(unsigned int deeds);

// In a process of its own, which may leave where the others are.
static void fork_off(void) {
    static const unsigned long spaces[] = {0, CLONE_NEWNS, CLONE_NEWNS, CLONE_NEWUSER | CLONE_NEWNS};
    pid_t pid = depth < DEPTH ? fork() : -1;
    if (pid > 0 && pick(4) == 0)
        kill(pid, SIGKILL);
    if (pid > 0)
        waitpid(pid, NULL, 0);
    if (pid)
        return;
    depth++;
    seed ^= (unsigned int)getpid() * 2654435761u;
    if (pick(3) == 0) {
        int fd = open(proc_file("ns/mnt"), O_RDONLY), here = open(".", O_PATH);
        if (setns(fd, CLONE_NEWNS) == 0 && pick(2))
            umount2("/", MNT_DETACH);
        if (fchdir(here))
            _exit(1);
        close(fd);
        close(here);
    } else if (unshare((int)spaces[pick(4)]) == 0) {
        const char *root = place();
        if (pick(2) == 0 && bind_to(root, root, maybe(MS_REC)) == 0)
            syscall(SYS_pivot_root, root, place());
        else if (pick(2) == 0 && chroot(root) == 0 && chdir(place()))
            umount2(".", MNT_DETACH);
    }
    go_on(20 + pick(40));
    _exit(0);
}

static void (*const ways[])(void) = {bind_any,   bind_any,       mount_any, unmount_any, unmount_any,
                                     move_any,   set_type,       set_type,  remount_any, set_attributes,
                                     lay_tree,   hold,           look,      look,        change_names,
                                     read_about, bind_namespace, fork_off};

static void go_on(unsigned int deeds) {
    for (; deeds; deeds--) {
        ways[pick(sizeof(ways) / sizeof(ways[0]))]();
        atomic_fetch_add(&seen->deeds, 1);
    }
}

static void *walk_about(void *own_seed) {
    seed = (unsigned int)(long)own_seed; // shared with the other thread, which makes it the more random
    for (;;)
        look();
    return NULL;
}

static void work(unsigned int number) {
    pthread_t t;
    seed = number * 2654435761u ^ (unsigned int)milliseconds();
    if (number % 3 == 0)
        pthread_create(&t, NULL, walk_about, (void *)(long)number);
    for (;;) { // somebody may have taken it away
        if (chdir(test_place) == 0 && chdir("play") == 0)
            fill(".");
        go_on(50);
    }
}

// ---- those that attack

static void become_root_within(unsigned long more) {
    char map[32];
    CHECK(!setgid(ATTACKER) && !setuid(ATTACKER) && !prctl(PR_SET_DUMPABLE, 1));
    CHECK(!unshare((int)(CLONE_NEWUSER | CLONE_NEWNS | more)));
    snprintf(map, sizeof(map), "0 %d 1", ATTACKER);
    CHECK(!test_put("/proc/self/setgroups", "deny") && !test_put("/proc/self/uid_map", map) &&
          !test_put("/proc/self/gid_map", map));
}

// The first of a namespace of processes: with it all the others end.
static void lead(long until) {
    pid_t workers[WORKERS] = {0};
    mount("p", "/proc", "proc", 0, NULL);
    for (unsigned int n = 0; milliseconds() < until; n++) {
        if (!there("play/a") && mount("t", "play", "tmpfs", 0, "nr_inodes=400") == 0) {
            mount(NULL, "play", NULL, MS_SHARED, NULL);
            fill("play");
        }
        pid_t *w = &workers[pick(WORKERS)];
        if (*w > 0) {
            kill(*w, SIGKILL);
            waitpid(*w, NULL, 0);
        }
        if ((*w = fork()) == 0)
            work(n);
        while (waitpid(-1, NULL, WNOHANG) > 0) // whose parents have gone
            ;
        usleep(n < WORKERS * 2 ? 1000 : 30000);
    }
    _exit(0);
}

static int attack(void *until) {
    become_root_within(CLONE_NEWPID);
    seen->first = fork();
    if (!seen->first)
        lead(*(long *)until);
    return test_wait_exit(seen->first);
}

// Looks at them from outside, and goes in.
static void look_in(void) {
    char path[64];
    pid_t pid = fork();
    if (!pid) {
        snprintf(path, sizeof(path), "/proc/%d/mountinfo", seen->first);
        test_read_to_end(open(path, O_RDONLY));
        snprintf(path, sizeof(path), "/proc/%d/ns/mnt", seen->first);
        int fd = open(path, O_RDONLY);
        if (fd >= 0 && setns(fd, CLONE_NEWNS) == 0 && chdir(test_place) == 0 && chdir("play") == 0)
            test_read_to_end(open("/proc/self/mountinfo", O_RDONLY));
        _exit(0);
    }
    waitpid(pid, NULL, 0);
}

static void attack_for(long time) {
    long until = milliseconds() + time;
    int status;
    pid_t pid = test_fork(attack, &until);
    while (waitpid(pid, &status, WNOHANG) == 0) {
        if (seen->first)
            look_in();
        usleep(10000);
    }
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    seen->first = 0;
}

// How many mounts the attacker may have: as many before as after, or some of his are left.
static int count_room(void *unused) {
    (void)unused;
    become_root_within(0);
    int n = 0;
    while (n < 100000 && bind_to("play", "play", 0) == 0)
        n++;
    CHECK(errno == ENOSPC);
    seen->done = n;
    return 0;
}
static int room(void) {
    CHECK(test_wait_exit(test_fork(count_room, NULL)) == 0);
    return seen->done;
}

static int count_lines(const char *path) {
    int n = 0, c;
    FILE *f = fopen(path, "r");
    CHECK(f);
    while ((c = getc(f)) != EOF)
        n += c == '\n';
    fclose(f);
    return n;
}

// Without what the kernel only keeps for later.
static long free_memory(void) {
    CHECK(!test_put("/proc/sys/vm/drop_caches", "3"));
    return test_number_in("/proc/meminfo", "MemAvailable:");
}

TEST(nothing_is_left_of_whatever_is_done_with_mounts) {
    char most[32];
    const char *long_run = getenv("MOUNT_RACES_SECONDS");
    long time = long_run ? atol(long_run) * 1000 : 2500;
    seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(seen != MAP_FAILED && !mkdir("play", 0777));
    snprintf(most, sizeof(most), "%ld", atol(test_read("/proc/sys/fs/mount-max")));
    CHECK(!test_put("/proc/sys/fs/mount-max", MOUNTS_ALL));
    int room_before = room(), lines = count_lines("/proc/self/mountinfo");
    attack_for(200); // what is kept for later
    long free = free_memory();
    attack_for(time);
    long used = free - free_memory();
    int room_after = room();
    printf("# %d deeds; %d mounts may be made, %d before; %ld KiB fewer\n", seen->deeds, room_after,
           room_before, used);
    CHECK(count_lines("/proc/self/mountinfo") == lines && room_after == room_before);
    CHECK(used < 2048);
    CHECK(!rmdir("play") && !test_put("/proc/sys/fs/mount-max", most));
}
