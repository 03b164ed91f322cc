// SPDX-License-Identifier: MIT
// IPC namespaces: System V IPC, POSIX message queues and their limits are each one's own, and go with it.
#include "pid_namespaces.h"
#include <linux/nsfs.h>
#include <mqueue.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/stat.h>

#define KEY 0x1234

TEST_DIRECTORY(0777)

static void put_number(const char *path, long n) {
    char text[32];
    snprintf(text, sizeof(text), "%ld\n", n);
    CHECK(!test_put(path, text));
}

static long number_in(const char *path) {
    char text[32] = "";
    int fd = open(path, O_RDONLY);
    CHECK(fd >= 0 && read(fd, text, sizeof(text) - 1) > 0 && !close(fd));
    return atol(text);
}

static int lines_in(const char *path) {
    static char text[65536];
    int fd = open(path, O_RDONLY), lines = 0;
    ssize_t n, all = 0;
    while ((n = read(fd, text + all, sizeof(text) - (size_t)all)) > 0)
        all += n;
    CHECK(fd >= 0 && !close(fd));
    for (ssize_t i = 0; i < all; i++)
        lines += text[i] == '\n';
    return lines;
}

// ---- what is in one is not in another

static int makes_its_own(void *arg) {
    int *outer = arg;
    struct shmid_ds shm;
    struct semid_ds sem;
    struct msqid_ds msg;
    CHECK_ERRNO(shmget(KEY, 1, 0), ENOENT);
    CHECK_ERRNO(semget(KEY, 1, 0), ENOENT);
    CHECK_ERRNO(msgget(KEY, 0), ENOENT);
    CHECK_ERRNO(shmctl(outer[0], IPC_STAT, &shm), EINVAL);
    CHECK_ERRNO(semctl(outer[1], 0, IPC_STAT, &sem), EINVAL);
    CHECK_ERRNO(msgctl(outer[2], IPC_STAT, &msg), EINVAL);
    CHECK(shmget(KEY, 4096, IPC_CREAT | 0600) == 0); // the first of all
    CHECK(semget(KEY, 3, IPC_CREAT | 0600) == 0 && msgget(KEY, IPC_CREAT | 0600) == 0);
    CHECK(lines_in("/proc/sysvipc/shm") == 2 && lines_in("/proc/sysvipc/sem") == 2 &&
          lines_in("/proc/sysvipc/msg") == 2);
    CHECK(mq_open("/queue", O_RDWR) == -1 && errno == ENOENT);
    CHECK(mq_open("/queue", O_RDWR | O_CREAT | O_EXCL, 0600, NULL) >= 0);
    return 0;
}

TEST(each_has_its_own_objects) {
    int id[3] = {shmget(KEY, 4096, IPC_CREAT | 0600), semget(KEY, 1, IPC_CREAT | 0600),
                 msgget(KEY, IPC_CREAT | 0600)};
    CHECK(id[0] >= 0 && id[1] >= 0 && id[2] >= 0);
    int shms = lines_in("/proc/sysvipc/shm");
    CHECK(mq_open("/queue", O_RDWR | O_CREAT | O_EXCL, 0600, NULL) >= 0);
    CHECK(test_wait_exit(start(CLONE_NEWIPC, makes_its_own, id)) == 0);
    CHECK(lines_in("/proc/sysvipc/shm") == shms);
    CHECK(!shmctl(id[0], IPC_RMID, NULL) && !semctl(id[1], 0, IPC_RMID) && !msgctl(id[2], IPC_RMID, NULL));
    CHECK(!mq_unlink("/queue"));
}

static int has_limits(void *unused) {
    (void)unused;
    put_number("/proc/sys/kernel/msgmni", 1);
    CHECK(msgget(IPC_PRIVATE, 0600) >= 0);
    CHECK_ERRNO(msgget(IPC_PRIVATE, 0600), ENOSPC);
    put_number("/proc/sys/kernel/shmmax", 4096);
    CHECK_ERRNO(shmget(IPC_PRIVATE, 4097, 0600), EINVAL);
    put_number("/proc/sys/fs/mqueue/msg_default", 3);
    struct mq_attr attr;
    mqd_t q = mq_open("/limited", O_RDWR | O_CREAT, 0600, NULL);
    CHECK(q >= 0 && !mq_getattr(q, &attr) && attr.mq_maxmsg == 3);
    return 0;
}

TEST(each_has_its_own_limits) {
    long msgmni = number_in("/proc/sys/kernel/msgmni"), shmmax = number_in("/proc/sys/kernel/shmmax");
    CHECK(test_wait_exit(start(CLONE_NEWIPC, has_limits, NULL)) == 0);
    CHECK(number_in("/proc/sys/kernel/msgmni") == msgmni && number_in("/proc/sys/kernel/shmmax") == shmmax);
    CHECK(number_in("/proc/sys/fs/mqueue/msg_default") == 10);
}

static int looks_into_mqueues(void *unused) {
    (void)unused;
    CHECK(!mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) && !mkdir("queues", 0777));
    CHECK(!mount("q", "queues", "mqueue", 0, NULL));
    CHECK(access("queues/seen", F_OK) == -1);
    CHECK(mq_open("/seen", O_RDWR | O_CREAT, 0600, NULL) >= 0 && !access("queues/seen", F_OK));
    return 0;
}

TEST(mqueue_shows_those_of_who_mounted_it) {
    CHECK(mq_open("/outer", O_RDWR | O_CREAT, 0600, NULL) >= 0);
    CHECK(test_wait_exit(start(CLONE_NEWIPC | CLONE_NEWNS, looks_into_mqueues, NULL)) == 0);
    CHECK(!mq_unlink("/outer"));
    CHECK_ERRNO(mq_unlink("/seen"), ENOENT);
}

// ---- its end

static int leaves(void *unused) {
    (void)unused;
    int old = open("/proc/self/ns/ipc", O_RDONLY);
    CHECK(old >= 0 && !unshare(CLONE_NEWIPC));
    int id = shmget(KEY, 8192, IPC_CREAT | 0600), sem = semget(KEY, 1, IPC_CREAT | 0600);
    char *at = shmat(id, NULL, 0);
    CHECK(id >= 0 && sem >= 0 && at != (void *)-1);
    mqd_t q = mq_open("/kept", O_RDWR | O_CREAT, 0600, NULL);
    CHECK(q >= 0 && !mq_send(q, "x", 1, 0));
    struct sembuf up = {0, 1, SEM_UNDO};
    CHECK(!semop(sem, &up, 1));
    memset(at, 7, 8192);
    CHECK(!setns(old, CLONE_NEWIPC)); // nobody is in the other one any more
    CHECK(at[0] == 7 && at[8191] == 7);
    CHECK_ERRNO(shmget(KEY, 1, 0), ENOENT);
    struct mq_attr attr;
    CHECK(!mq_getattr(q, &attr) && attr.mq_curmsgs == 1); // it is open
    pid_t pid = fork();
    if (!pid)
        _exit(at[5000] == 7 && !shmdt(at) ? 0 : 1);
    CHECK(test_wait_exit(pid) == 0 && !shmdt(at));
    return 0;
}

TEST(what_is_attached_or_open_outlives_the_namespace) {
    CHECK(test_wait_exit(start(0, leaves, NULL)) == 0);
}

static int waits_with_undo(void *arg) {
    int *p = arg, sem = semget(KEY, 1, 0600);
    struct sembuf up = {0, 1, SEM_UNDO};
    CHECK(sem >= 0 && !semop(sem, &up, 1));
    tell(p[1]);
    wait_for(p[2]);
    CHECK(!unshare(CLONE_NEWIPC)); // and with that it is undone
    tell(p[1]);
    idle(NULL);
}

TEST(who_leaves_one_undoes_what_it_did) {
    int p[4], sem = semget(KEY, 1, IPC_CREAT | 0600);
    CHECK(!pipe(p) && !pipe(p + 2) && sem >= 0);
    int ends[] = {p[0], p[1], p[2], p[3]};
    pid_t pid = start(0, waits_with_undo, ends);
    wait_for(p[0]);
    CHECK(semctl(sem, 0, GETVAL) == 1);
    tell(p[3]);
    wait_for(p[0]);
    CHECK(semctl(sem, 0, GETVAL) == 0 && !semctl(sem, 0, IPC_RMID));
    test_end(pid);
}

static int fills(void *unused) {
    (void)unused;
    for (int i = 0; i < 40; i++) {
        int id = shmget(IPC_PRIVATE, 65536, 0600), q = msgget(IPC_PRIVATE, 0600);
        struct {
            long type;
            char text[512];
        } m = {1, "x"};
        char *at = shmat(id, NULL, 0);
        CHECK(id >= 0 && q >= 0 && at != (void *)-1 && semget(IPC_PRIVATE, 20, 0600) >= 0);
        memset(at, 1, 65536);
        CHECK(!msgsnd(q, &m, sizeof(m.text), 0));
    }
    return 0;
}

// Forty rounds of some 2.5 MiB would be felt.
TEST(all_of_it_goes_with_the_namespace) {
    long before = test_number_in("/proc/meminfo", "MemAvailable:");
    for (int i = 0; i < 40; i++)
        CHECK(test_wait_exit(start(CLONE_NEWIPC, fills, NULL)) == 0);
    CHECK(test_number_in("/proc/meminfo", "MemAvailable:") > before - 30000);
}

// ---- who may

static int as_user(void *unused) {
    (void)unused;
    CHECK(!setgid(USER) && !setuid(USER));
    CHECK_ERRNO(unshare(CLONE_NEWIPC), EPERM);
    CHECK(!unshare(CLONE_NEWUSER | CLONE_NEWIPC));
    int id = shmget(KEY, 4096, IPC_CREAT | 0000);
    CHECK(id >= 0 && shmat(id, NULL, 0) != (void *)-1); // it has CAP_IPC_OWNER there
    struct shmid_ds d;
    CHECK(!shmctl(id, IPC_STAT, &d) && d.shm_perm.uid == 65534); // no id is in the map
    d.shm_perm.uid = 0;
    CHECK_ERRNO(shmctl(id, IPC_SET, &d), EINVAL);
    CHECK_ERRNO(test_put("/proc/sys/kernel/shmmax", "1"), EACCES);
    return 0;
}

TEST(a_user_has_power_over_one_of_his_own_alone) {
    CHECK(test_wait_exit(start(0, as_user, NULL)) == 0);
}

TEST(threads_that_share_undos_stay_together) {
    CHECK_ERRNO(syscall(SYS_clone, CLONE_NEWIPC | CLONE_SYSVSEM | SIGCHLD, 0, 0, 0, 0), EINVAL);
}

// ---- the numbers of those who did something

static int sends(void *arg) {
    int *id = arg;
    struct {
        long type;
        char text[1];
    } m = {1, "x"};
    CHECK(getpid() == 2 && !msgsnd(id[0], &m, 1, 0) && !semctl(id[1], 0, SETVAL, 3));
    char *at = shmat(id[2], NULL, 0);
    CHECK(at != (void *)-1 && !shmdt(at));
    return 0;
}

static int reads_within(void *arg) {
    int *id = arg;
    struct msqid_ds msg;
    struct shmid_ds shm;
    pid_t pid = start(0, sends, id);
    CHECK(test_wait_exit(pid) == 0); // nobody has the number now
    CHECK(!msgctl(id[0], IPC_STAT, &msg) && msg.msg_lspid == 2);
    CHECK(semctl(id[1], 0, GETPID) == 2);
    CHECK(!shmctl(id[2], IPC_STAT, &shm) && shm.shm_lpid == 2 && shm.shm_cpid == 0); // it is outside
    return 0;
}

TEST(what_they_tell_of_processes_are_the_readers_numbers) {
    int id[3] = {msgget(IPC_PRIVATE, 0600), semget(IPC_PRIVATE, 1, 0600), shmget(IPC_PRIVATE, 4096, 0600)};
    struct msqid_ds msg;
    struct shmid_ds shm;
    CHECK(id[0] >= 0 && id[1] >= 0 && id[2] >= 0);
    CHECK(run_in_new(reads_within, id) == 0);
    CHECK(!msgctl(id[0], IPC_STAT, &msg) && msg.msg_lspid > 2 && semctl(id[1], 0, GETPID) == msg.msg_lspid);
    CHECK(!shmctl(id[2], IPC_STAT, &shm) && shm.shm_cpid == getpid() && shm.shm_lpid == msg.msg_lspid);
    CHECK(!msgctl(id[0], IPC_RMID, NULL) && !semctl(id[1], 0, IPC_RMID) && !shmctl(id[2], IPC_RMID, NULL));
}
