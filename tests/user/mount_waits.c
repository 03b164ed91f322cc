// SPDX-License-Identifier: MIT
// What somebody has of mounts keeps nobody waiting elsewhere, however many they are and however they lie.
#include "mounts.h"
#include "races.h"
#include <sys/mman.h>
#include <sys/prctl.h>

#define ATTACKER 1000
#define LONGEST                                                                                              \
    1000000000l // ns that somebody else may wait, on a host that has other work. It took up to three times that

TEST_DIRECTORY(0777)

static struct {
    atomic_int state;    // 0: he gets what he wants; 1: now it is measured; 2: it is over
    atomic_long longest; // ns
    int most;            // mounts that he can have
} * shared;

static long nanoseconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000l + t.tv_nsec;
}

static void become_root_within(void) {
    char map[32];
    CHECK(!setgid(ATTACKER) && !setuid(ATTACKER) && !prctl(PR_SET_DUMPABLE, 1));
    CHECK(!unshare(CLONE_NEWUSER | CLONE_NEWNS));
    snprintf(map, sizeof(map), "0 %d 1", ATTACKER);
    CHECK(!test_put("/proc/self/setgroups", "deny") && !test_put("/proc/self/uid_map", map) &&
          !test_put("/proc/self/gid_map", map));
    CHECK(!mount("t", "his", "tmpfs", 0, NULL) && !chdir("his"));
}

struct attack {
    void (*make)(void), (*use)(void);
    bool
        repeats; // in many short steps: a busy host makes others wait longer than those do, so what it took is only told
};

static int attack(void *what) {
    const struct attack *a = what;
    become_root_within();
    a->make();
    shared->state = 1;
    a->use();
    shared->state = 2;
    return 0;
}

// Mounts and unmounts what is its own, as anybody does, and walks there.
static void try_for_time(const char *name, const struct attack *a) {
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(shared != MAP_FAILED && !unshare(CLONE_NEWNS) &&
          !mount(NULL, "/", NULL, MS_PRIVATE | MS_REC, NULL));
    (void)(mkdir("his", 0777), mkdir("mine", 0777));
    shared->most = (int)(atol(test_read("/proc/sys/fs/mount-max")) / 8) - 100;
    pid_t pid = test_fork(attack, (void *)a);
    long begun = 0, longest = 0;
    while (shared->state < 2 && kill(pid, 0) == 0 && waitpid(pid, NULL, WNOHANG) == 0) {
        int measured = shared->state;
        long from = nanoseconds();
        CHECK(!mount("m", "mine", "tmpfs", 0, NULL) && !umount2("mine", 0));
        long took = nanoseconds() - from;
        if (measured && !begun)
            begun = from;
        if (measured && took > longest)
            longest = took;
        usleep(500);
    }
    printf("# %s, %d mounts: others waited up to %ld us; it took %ld ms\n", name, shared->most,
           longest / 1000, begun ? (nanoseconds() - begun) / 1000000 : 0);
    CHECK(shared->state == 2 && (a->repeats || longest < LONGEST));
}

static void make_names(const char *in, int n) {
    char path[64];
    for (int i = 0; i < n; i++) {
        snprintf(path, sizeof(path), "%s/%d", in, i);
        dir(path);
    }
}
static void bind_many(const char *from, const char *in, int n) {
    char path[64];
    for (int i = 0; i < n; i++) {
        snprintf(path, sizeof(path), "%s/%d", in, i);
        CHECK(bind_to(from, path, 0) == 0);
    }
}

// ---- each group is the slave of the one before, the last has many slaves, and all but those go at once

static void make_chain(void) {
    char from[64] = "first", to[64];
    int half = shared->most / 2;
    dir("first");
    dir("chain");
    dir("slaves");
    CHECK(!mount("t", "first", "tmpfs", 0, NULL) && !mount("t", "chain", "tmpfs", 0, NULL));
    CHECK(!mount(NULL, "first", NULL, MS_SHARED, NULL));
    make_names("chain", half);
    make_names("slaves", half);
    for (int i = half - 1; i >= 0; i--) { // so that the one that goes first is the last of the chain
        snprintf(to, sizeof(to), "chain/%d", i);
        CHECK(!bind_to(from, to, 0) && !mount(NULL, to, NULL, MS_SLAVE, NULL) &&
              !mount(NULL, to, NULL, MS_SHARED, NULL));
        strcpy(from, to);
    }
    bind_many(from, "slaves", half - 20);
    for (int i = 0; i < half - 20; i++) {
        snprintf(to, sizeof(to), "slaves/%d", i);
        CHECK(!mount(NULL, to, NULL, MS_SLAVE, NULL));
    }
}
static void take_chain(void) {
    CHECK(!umount2("chain", MNT_DETACH));
}
TEST(a_chain_of_groups_that_ends_keeps_nobody_waiting) {
    try_for_time("chain of groups", &(struct attack){make_chain, take_chain, false});
}

// ---- each on the one before, all slaves of one group that is out of sight

#define PILE 400 // in which each name is two characters longer

static int mountinfo;

static void make_pile(void) {
    char m[128];
    mountinfo = open("/proc/self/mountinfo", O_RDONLY);
    snprintf(m, sizeof(m), "%s/his/m", test_place);
    CHECK(!mkdir("m", 0755) && !mkdir("s", 0755) && !mount("t", "m", "tmpfs", 0, NULL));
    CHECK(!mkdir("m/d", 0755) && !mount(NULL, "m", NULL, MS_SHARED, NULL) && !chdir("s") &&
          !mkdir("d", 0755));
    for (int i = 0; i < PILE; i++)
        CHECK(!bind_to(m, "d", 0) && !mount(NULL, "d", NULL, MS_SLAVE, NULL) && !chdir("d"));
    CHECK(!chdir(test_place) && !chdir("his/s") && !chroot("."));
}
static void read_pile(void) {
    test_read_to_end(mountinfo);
}
TEST(a_pile_that_is_read_keeps_nobody_waiting) {
    try_for_time("pile, read", &(struct attack){make_pile, read_pile, true});
}

static void list_pile(void) {
    static uint64_t ids[20000];
    uint64_t request[3] = {24, UINT64_MAX, 0};
    for (int i = 0; i < 20; i++)
        CHECK(syscall(458, request, ids, 20000, 0) == PILE);
}
TEST(a_pile_that_is_listed_keeps_nobody_waiting) {
    try_for_time("pile, listed", &(struct attack){make_pile, list_pile, true});
}

// ---- many on one, which has many peers

static void make_children(void) {
    int half = shared->most / 2;
    dir("top");
    CHECK(!mount("t", "top", "tmpfs", 0, NULL));
    dir("top/p");
    dir("peers");
    CHECK(!mount("t", "top/p", "tmpfs", 0, NULL));
    make_names("top/p", half);
    make_names("peers", half);
    bind_many("peers", "top/p", half);
    CHECK(!mount(NULL, "top/p", NULL, MS_SHARED, NULL));
    bind_many("top/p", "peers", half - 20);
}
static void take_children(void) {
    CHECK(!umount2("top", MNT_DETACH));
}
TEST(children_that_go_keep_nobody_waiting_for_peers) {
    try_for_time("children and peers", &(struct attack){make_children, take_children, false});
}
static void private_again(void) {
    CHECK(!mount(NULL, ".", NULL, MS_PRIVATE | MS_REC, NULL));
    CHECK(!mount(NULL, ".", NULL, MS_SHARED | MS_REC, NULL));
    CHECK(!mount(NULL, ".", NULL, MS_SLAVE | MS_REC, NULL));
}
TEST(groups_that_change_at_once_keep_nobody_waiting) {
    try_for_time("types", &(struct attack){make_children, private_again, false});
}

// ---- many on one place, each in another mount of the same file system, and the name goes in another namespace

static void lay_on_places(void *unused) {
    (void)unused;
    CHECK(!unshare(CLONE_NEWNS));
    for (int i = 0; i < shared->most / 2 - 20; i++) {
        char path[64];
        snprintf(path, sizeof(path), "views/%d", i);
        CHECK(!bind_to(".", path, 0));
        strcat(path, "/d");
        CHECK(!bind_to("other", path, 0));
    }
}
static void make_places(void) {
    dir("d");
    dir("views");
    dir("other");
    make_names("views", shared->most / 2);
    (void)test_start_idle(lay_on_places, NULL);
}
static void take_place(void) {
    CHECK(!rmdir("d"));
}
TEST(a_place_that_goes_keeps_nobody_waiting) {
    try_for_time("place", &(struct attack){make_places, take_place, false});
}

// ---- many on one: what is looked for there is found

static void make_many(void) {
    dir("many");
    make_names("many", shared->most);
    bind_many("many", "many", shared->most - 20);
}
static void walk_many(void) {
    char path[64];
    for (int n = 0; n < 3000; n++) {
        snprintf(path, sizeof(path), "many/%d", n % (shared->most - 20));
        CHECK(there(path));
    }
}
TEST(many_that_are_walked_keep_nobody_waiting) {
    try_for_time("many on one, walked", &(struct attack){make_many, walk_many, true});
}
