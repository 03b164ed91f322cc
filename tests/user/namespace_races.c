// SPDX-License-Identifier: MIT
// Namespaces are made, entered, read, mounted in and left at the same moment.
#include "races.h"
#include <fcntl.h>
#include <mqueue.h>
#include <signal.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define ALL_NEW (CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWUTS)

TEST_DIRECTORY(0777)

static char paths[5][64];

static void have_namespaces(void *arg) {
    (void)arg;
    CHECK(!unshare(ALL_NEW) && !mount("t", "place", "tmpfs", 0, NULL));
}

static void make_resident(void) {
    static const char *const names[] = {"ns/mnt", "ns/user", "mountinfo", "mounts", "uid_map"};
    make_resident_of(have_namespaces);
    for (int i = 0; i < 5; i++)
        snprintf(paths[i], sizeof(paths[i]), "/proc/%d/%s", resident, names[i]);
}

static void enter(void) {
    int mounts = open(paths[0], O_RDONLY), users = open(paths[1], O_RDONLY);
    if (users >= 0 && !setns(users, CLONE_NEWUSER) && mounts >= 0 && !setns(mounts, CLONE_NEWNS)) {
        umount2("/", MNT_DETACH);
        mount("u", "/tmp", "tmpfs", 0, NULL);
        if (!unshare(CLONE_NEWNS))
            umount2("/tmp", MNT_DETACH);
    }
}

static void enter_in_a_process(void) {
    in_a_process(enter);
}

static void read_about(void) {
    for (int i = 0; i < 5; i++)
        test_read_to_end(open(paths[i], O_RDONLY | O_CLOEXEC));
}

TEST(a_namespace_ends_while_others_enter_and_read_it) {
    static const struct race r = {
        make_resident, {enter_in_a_process, end_resident, read_about, enter_in_a_process}, NULL};
    CHECK(!mkdir("place", 0777) && run_race(&r) > 0);
}

static void make_place(void) {
    CHECK(!mkdir("a", 0777) && !mkdir("a/below", 0777));
}

static void mount_there(void) {
    if (unshare(ALL_NEW))
        return;
    for (int i = 0; i < 4; i++) {
        mount("t", "a/below", "tmpfs", 0, NULL);
        mount("a", "a", NULL, MS_BIND | MS_REC, NULL);
        umount2("a/below", MNT_DETACH);
    }
}

static void mount_in_a_process(void) {
    in_a_process(mount_there);
}

static void take_name_away(void) {
    for (int i = 0; i < 10; i++) {
        rename("a/below", "a/other");
        rename("a/other", "a/below");
    }
    rmdir("a/below");
    rename("a", "b");
}

static void no_name_stays(void) {
    CHECK(rmdir("b/below") == 0 || errno == ENOENT);
    CHECK(rmdir("a") == 0 || rmdir("b") == 0);
}

TEST(names_go_while_others_mount_on_them) {
    static const struct race r = {
        make_place, {mount_in_a_process, take_name_away, mount_in_a_process}, no_name_stays};
    CHECK(run_race(&r) > 0);
}

static char of_process[64];

static void cover_resident(void) {
    if (!unshare(ALL_NEW)) {
        mount("t", of_process, "tmpfs", 0, NULL);
        mount("t", of_process, "tmpfs", 0, NULL);
    }
}

static void cover_in_a_process(void) {
    in_a_process(cover_resident);
}

static void make_covered(void) {
    make_resident();
    snprintf(of_process, sizeof(of_process), "/proc/%d", resident);
}

static void nothing_of_it_is_left(void) {
    CHECK(access(of_process, F_OK) == -1 && errno == ENOENT);
}

TEST(a_process_ends_while_others_mount_on_its_directory) {
    static const struct race r = {make_covered,
                                  {cover_in_a_process, end_resident, read_about, cover_in_a_process},
                                  nothing_of_it_is_left};
    CHECK((!access("place", F_OK) || !mkdir("place", 0777)) && run_race(&r) > 0);
}

// ---- pid namespaces

static atomic_int inits; // the init of a namespace that everybody works on, by its number outside

// It has children that make others, and orphans come to it.
static void run_init(int ready) {
    for (int i = 0; i < 2; i++) {
        if (fork())
            continue;
        for (;;) {
            pid_t pid = fork();
            if (!pid && fork() >= 0) // an orphan
                _exit(0);
            if (pid > 0)
                waitpid(pid, NULL, 0);
        }
    }
    CHECK(write(ready, "r", 1) == 1);
    for (;;)
        if (wait(NULL) < 0)
            pause();
}

static void make_init(void) {
    int ready[2];
    char c;
    CHECK(!pipe(ready));
    fflush(stdout);
    pid_t pid = (pid_t)syscall(SYS_clone, CLONE_NEWUSER | CLONE_NEWPID | SIGCHLD, 0, 0, 0, 0);
    if (!pid)
        run_init(ready[1]);
    CHECK(pid > 0 && read(ready[0], &c, 1) == 1 && !close(ready[0]) && !close(ready[1]));
    inits = pid;
}

static void end_init(void) {
    CHECK(!kill(inits, SIGKILL) && waitpid(inits, NULL, 0) == inits);
}

static int open_of_init(const char *name) {
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/%s", inits, name);
    return open(path, O_RDONLY | O_CLOEXEC);
}

static void enter_pids(void) {
    int users = open_of_init("ns/user"), pids = open_of_init("ns/pid");
    if (users < 0 || pids < 0 || setns(users, CLONE_NEWUSER) || setns(pids, CLONE_NEWPID))
        return;
    for (int i = 0; i < 4; i++) {
        pid_t pid = fork();
        if (!pid) {
            kill(-1, SIGUSR1);
            if (!unshare(CLONE_NEWPID) && fork() == 0)
                pause();
            _exit(0);
        }
        if (pid > 0)
            waitpid(pid, NULL, 0);
    }
}

static void enter_pids_in_a_process(void) {
    in_a_process(enter_pids);
}

static void read_about_init(void) {
    static const char *const names[] = {"status", "stat", "task/1/stat", "ns/pid", "cmdline"};
    for (int i = 0; i < 20; i++)
        test_read_to_end(open_of_init(names[i % 5]));
}

static void mount_pids(void) {
    int users = open_of_init("ns/user"), pids = open_of_init("ns/pid");
    if (users < 0 || pids < 0 || setns(users, CLONE_NEWUSER) || setns(pids, CLONE_NEWPID) ||
        unshare(CLONE_NEWNS))
        return;
    pid_t pid = fork();
    if (!pid) {
        mount("p", "place", "proc", 0, NULL);
        test_read_to_end(open("place/self/status", O_RDONLY));
        _exit(0);
    }
    if (pid > 0)
        waitpid(pid, NULL, 0);
}

static void mount_pids_in_a_process(void) {
    in_a_process(mount_pids);
}

static void nobody_is_left(void) {
    CHECK(kill(inits, 0) == -1 && errno == ESRCH);
}

TEST(an_init_ends_while_others_come_in_and_look) {
    static const struct race r = {
        make_init,
        {enter_pids_in_a_process, end_init, read_about_init, mount_pids_in_a_process},
        nobody_is_left};
    CHECK((!access("place", F_OK) || !mkdir("place", 0777)) && run_race(&r) > 0);
}

// ---- IPC namespaces

static void make_ipc(void) {
    int ready[2];
    char c;
    CHECK(!pipe(ready));
    fflush(stdout);
    pid_t pid = (pid_t)syscall(SYS_clone, CLONE_NEWUSER | CLONE_NEWIPC | SIGCHLD, 0, 0, 0, 0);
    if (!pid) {
        CHECK(shmat(shmget(1, 4096, IPC_CREAT | 0600), NULL, 0) != (void *)-1);
        CHECK(msgget(1, IPC_CREAT | 0600) >= 0 && semget(1, 1, IPC_CREAT | 0600) >= 0);
        CHECK(mq_open("/queue", O_RDWR | O_CREAT, 0600, NULL) >= 0 && write(ready[1], "r", 1) == 1);
        for (;;)
            pause();
    }
    CHECK(pid > 0 && read(ready[0], &c, 1) == 1 && !close(ready[0]) && !close(ready[1]));
    inits = pid;
}

static void use_ipc(void) {
    struct {
        long type;
        char text[1];
    } m = {1, "x"};
    struct sembuf up = {0, 1, SEM_UNDO};
    int own = open("/proc/self/ns/ipc", O_RDONLY | O_CLOEXEC);
    int users = open_of_init("ns/user"), ipc = open_of_init("ns/ipc");
    if (users < 0 || ipc < 0 || setns(users, CLONE_NEWUSER) || setns(ipc, CLONE_NEWIPC))
        return;
    char *at = shmat(shmget(1, 1, 0), NULL, 0);
    semop(semget(1, 1, 0), &up, 1);
    msgsnd(msgget(1, 0), &m, 1, IPC_NOWAIT);
    mqd_t q = mq_open("/queue", O_RDWR | O_NONBLOCK);
    if (unshare(CLONE_NEWIPC) == 0 && at != (void *)-1)
        at[0]++;
    if (q >= 0)
        mq_send(q, "x", 1, 0);
    setns(own, CLONE_NEWIPC);
    if (fork() == 0)
        _exit(0);
    wait(NULL);
}

static void use_ipc_in_a_process(void) {
    in_a_process(use_ipc);
}

static void read_about_ipc(void) {
    int users = open_of_init("ns/user"), ipc = open_of_init("ns/ipc");
    if (users < 0 || ipc < 0 || setns(users, CLONE_NEWUSER) || setns(ipc, CLONE_NEWIPC))
        return;
    close(users);
    close(ipc);
    for (int i = 0; i < 3; i++) {
        static const char *const names[] = {"/proc/sysvipc/shm", "/proc/sysvipc/sem", "/proc/sysvipc/msg"};
        test_read_to_end(open(names[i], O_RDONLY));
    }
    shmctl(shmget(1, 1, 0), IPC_RMID, NULL);
    semctl(semget(1, 1, 0), 0, IPC_RMID);
    msgctl(msgget(1, 0), IPC_RMID, NULL);
}

static void read_about_ipc_in_a_process(void) {
    in_a_process(read_about_ipc);
}

TEST(what_an_ipc_namespace_has_goes_while_others_use_it) {
    static const struct race r = {
        make_ipc, {use_ipc_in_a_process, end_init, read_about_ipc_in_a_process, use_ipc_in_a_process}, NULL};
    CHECK(run_race(&r) > 0);
}
