// SPDX-License-Identifier: MIT
// Semaphores of System V.
#include "test.h"
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

union arg {
    int val;
    struct semid_ds *buf;
    unsigned short *array;
    struct seminfo *info;
};

static int make(int n) {
    int id = semget(IPC_PRIVATE, n, 0600);
    CHECK(id >= 0);
    return id;
}

static int ctl(int id, int number, int cmd, int value) {
    return semctl(id, number, cmd, (union arg){.val = value});
}

static int op(int id, int number, int change, int flags) {
    struct sembuf b = {(unsigned short)number, (short)change, (short)flags};
    return semop(id, &b, 1);
}

// Waits until n of that kind wait.
static void wait_for(int id, int number, int cmd, int n) {
    while (ctl(id, number, cmd, 0) != n)
        usleep(1000);
}

TEST(semget_finds_and_makes) {
    key_t key = 0x5e3a1;
    CHECK_ERRNO(semget(key, 1, 0), ENOENT);
    CHECK_ERRNO(semget(key, 0, IPC_CREAT | 0600), EINVAL);
    CHECK_ERRNO(semget(key, -1, IPC_CREAT | 0600), EINVAL);
    CHECK_ERRNO(semget(key, 32001, IPC_CREAT | 0600), EINVAL);
    int id = semget(key, 3, IPC_CREAT | IPC_EXCL | 0640);
    CHECK(id >= 0 && semget(key, 0, 0) == id && semget(key, 3, IPC_CREAT) == id);
    CHECK_ERRNO(semget(key, 4, 0), EINVAL);
    CHECK_ERRNO(semget(key, 3, IPC_CREAT | IPC_EXCL), EEXIST);
    struct semid_ds d;
    CHECK(semctl(id, 0, IPC_STAT, (union arg){.buf = &d}) == 0 && d.sem_nsems == 3 && d.sem_otime == 0 &&
          d.sem_perm.__ipc_perm_key == key && (d.sem_perm.mode & 0777) == 0640 && d.sem_ctime > 0);
    pid_t pid = fork();
    if (!pid) {
        CHECK(setgid(77) == 0 && setuid(77) == 0);
        CHECK_ERRNO(semget(key, 1, 0400), EACCES);
        CHECK(semget(key, 1, 0) == id);
        CHECK_ERRNO(op(id, 0, 1, 0), EACCES);
        CHECK_ERRNO(ctl(id, 0, GETVAL, 0), EACCES);
        CHECK_ERRNO(ctl(id, 0, IPC_RMID, 0), EPERM);
        _exit(0);
    }
    CHECK(test_wait_exit(pid) == 0);
    d.sem_perm.uid = 5;
    d.sem_perm.mode = 0600;
    CHECK(semctl(id, 0, IPC_SET, (union arg){.buf = &d}) == 0 && ctl(id, 0, IPC_RMID, 0) == 0);
    CHECK_ERRNO(ctl(id, 0, IPC_RMID, 0), EINVAL);
    CHECK_ERRNO(op(id, 0, 1, 0), EINVAL);
}

TEST(semop_checks_its_arguments) {
    int id = make(2);
    static struct sembuf many[501];
    struct timespec wrong = {0, 1000000000};
    CHECK_ERRNO(semop(id, many, 0), EINVAL);
    CHECK_ERRNO(semop(-1, many, 1), EINVAL);
    CHECK_ERRNO(semop(id, many, 501), E2BIG);
    CHECK(semop(id, many, 500) == 0);
    CHECK_ERRNO(op(id, 2, 1, 0), EFBIG);
    CHECK_ERRNO(semop(id, (void *)1, 1), EFAULT);
    CHECK_ERRNO(semtimedop(id, many, 1, &wrong), EINVAL);
    CHECK_ERRNO(semtimedop(id, many, 1, (void *)1), EFAULT);
    CHECK_ERRNO(op(id, 0, -1, IPC_NOWAIT), EAGAIN);
    CHECK_ERRNO(ctl(id, 0, SETVAL, 32768), ERANGE);
    CHECK_ERRNO(ctl(id, 0, SETVAL, -1), ERANGE);
    CHECK_ERRNO(ctl(id, 2, SETVAL, 1), EINVAL);
    CHECK_ERRNO(ctl(id, 2, GETVAL, 1), EINVAL);
    CHECK(ctl(id, 0, SETVAL, 32767) == 0);
    CHECK_ERRNO(op(id, 0, 1, 0), ERANGE);
    CHECK_ERRNO(ctl(id, 0, 99, 0), EINVAL);
    unsigned short values[2] = {32768, 1};
    CHECK_ERRNO(semctl(id, 0, SETALL, (union arg){.array = values}), ERANGE);
    values[0] = 7;
    CHECK(semctl(id, 0, SETALL, (union arg){.array = values}) == 0);
    memset(values, 0, sizeof(values));
    CHECK(semctl(id, 0, GETALL, (union arg){.array = values}) == 0 && values[0] == 7 && values[1] == 1);
    CHECK(ctl(id, 0, IPC_RMID, 0) == 0);
}

TEST(semop_does_all_or_nothing) {
    int id = make(3);
    struct sembuf ops[] = {{0, 2, 0}, {1, 1, 0}, {2, -1, IPC_NOWAIT}};
    CHECK_ERRNO(semop(id, ops, 3), EAGAIN);
    CHECK(ctl(id, 0, GETVAL, 0) == 0 && ctl(id, 1, GETVAL, 0) == 0 && ctl(id, 0, GETPID, 0) == 0);
    ops[2].sem_op = 1;
    CHECK(semop(id, ops, 3) == 0 && ctl(id, 0, GETVAL, 0) == 2 && ctl(id, 2, GETPID, 0) == getpid());
    // One after the other on the same one.
    struct sembuf twice[] = {{0, -2, 0}, {0, 0, 0}, {0, 5, 0}};
    CHECK(semop(id, twice, 3) == 0 && ctl(id, 0, GETVAL, 0) == 5);
    CHECK(ctl(id, 0, IPC_RMID, 0) == 0);
}

static int id_of_test;
static int wait_down(void *n) {
    return op(id_of_test, 0, -(int)(long)n, 0) ? errno : 0;
}
static int wait_zero(void *n) {
    (void)n;
    return op(id_of_test, 0, 0, 0) ? errno : 0;
}

TEST(waiting_for_zero_has_nothing_to_undo) {
    int id = make(2);
    CHECK(op(id, 0, 0, SEM_UNDO) == 0 && op(id, 1, 1, 0) == 0);
    CHECK_ERRNO(op(id, 1, 0, SEM_UNDO | IPC_NOWAIT), EAGAIN);
    struct sembuf both[] = {{0, 0, SEM_UNDO}, {1, -2, IPC_NOWAIT}};
    CHECK_ERRNO(semop(id, both, 2), EAGAIN); // the first is taken back
    CHECK(ctl(id, 0, IPC_RMID, 0) == 0);
}

TEST(semop_waits_and_is_woken_in_order) {
    int id = id_of_test = make(1);
    pid_t two = test_fork(wait_down, (void *)2);
    wait_for(id, 0, GETNCNT, 1);
    pid_t one = test_fork(wait_down, (void *)1);
    wait_for(id, 0, GETNCNT, 2);
    CHECK(op(id, 0, 1, 0) == 0 && test_wait_exit(one) == 0); // enough for the second alone
    CHECK(op(id, 0, 2, 0) == 0 && test_wait_exit(two) == 0 && ctl(id, 0, GETVAL, 0) == 0);
    CHECK(op(id, 0, 1, 0) == 0);
    pid_t zero = test_fork(wait_zero, NULL);
    wait_for(id, 0, GETZCNT, 1);
    CHECK(ctl(id, 0, GETNCNT, 0) == 0);
    CHECK(op(id, 0, -1, 0) == 0 && test_wait_exit(zero) == 0);
    two = test_fork(wait_down, (void *)2);
    wait_for(id, 0, GETNCNT, 1);
    CHECK(ctl(id, 0, SETVAL, 2) == 0 && test_wait_exit(two) == 0);
    one = test_fork(wait_down, (void *)1);
    wait_for(id, 0, GETNCNT, 1);
    CHECK(ctl(id, 0, IPC_RMID, 0) == 0 && test_wait_exit(one) == EIDRM);
}

static int wait_pair(void *arg) {
    return semop(id_of_test, arg, 2) ? errno : 0;
}

TEST(what_waits_counts_its_own_operations) {
    int id = id_of_test = make(2);
    struct sembuf up_down[] = {{0, 1, 0}, {0, -3, 0}}, down_zero[] = {{0, -1, 0}, {0, 0, 0}};
    pid_t pid = test_fork(wait_pair, up_down);
    wait_for(id, 0, GETNCNT, 1);
    CHECK(ctl(id, 0, SETVAL, 2) == 0 && test_wait_exit(pid) == 0 && ctl(id, 0, GETVAL, 0) == 0);
    CHECK(ctl(id, 0, SETVAL, 2) == 0);
    pid = test_fork(wait_pair, down_zero);
    wait_for(id, 0, GETZCNT, 1);
    CHECK(ctl(id, 0, SETVAL, 1) == 0 && test_wait_exit(pid) == 0 && ctl(id, 0, GETVAL, 0) == 0);
    // An earlier one that cannot be any more ends it.
    struct sembuf now_later[] = {{0, -1, IPC_NOWAIT}, {1, -1, 0}};
    CHECK(ctl(id, 0, SETVAL, 1) == 0);
    pid = test_fork(wait_pair, now_later);
    wait_for(id, 1, GETNCNT, 1);
    CHECK(ctl(id, 0, SETVAL, 0) == 0 && test_wait_exit(pid) == EAGAIN);
    // One that goes on lets those before it go on.
    struct sembuf both[] = {{0, -1, 0}, {1, 0, 0}};
    CHECK(ctl(id, 1, SETVAL, 1) == 0);
    pid = test_fork(wait_pair, both);
    wait_for(id, 0, GETNCNT, 1);
    CHECK(ctl(id, 0, SETVAL, 1) == 0);
    wait_for(id, 1, GETZCNT, 1);
    CHECK(op(id, 1, -1, 0) == 0 && test_wait_exit(pid) == 0 && ctl(id, 0, GETVAL, 0) == 0);
    CHECK(ctl(id, 0, IPC_RMID, 0) == 0);
}

// With something to undo; its death is what lets the others go on.
static int hold(void *go) {
    CHECK(op(id_of_test, 0, -1, SEM_UNDO) == 0 && write(((int *)go)[1], "x", 1) == 1);
    return pause();
}

TEST(one_who_is_killed_lets_all_go_on) {
    int id = id_of_test = make(1), go[2];
    char c;
    pid_t pids[8];
    for (int round = 0; round < 5; round++) {
        CHECK(ctl(id, 0, SETVAL, 1) == 0 && pipe(go) == 0);
        pid_t holder = test_fork(hold, go);
        CHECK(read(go[0], &c, 1) == 1);
        struct sembuf pass[] = {{0, -1, 0}, {0, 1, 0}};
        for (int i = 0; i < 8; i++)
            pids[i] = test_fork(wait_pair, pass);
        wait_for(id, 0, GETNCNT, 8);
        CHECK(kill(pids[0], SIGKILL) == 0 && kill(holder, SIGKILL) == 0);
        CHECK(waitpid(holder, NULL, 0) == holder && waitpid(pids[0], NULL, 0) == pids[0]);
        for (int i = 1; i < 8; i++)
            CHECK(test_wait_exit(pids[i]) == 0);
        CHECK(ctl(id, 0, GETVAL, 0) == 1 && ctl(id, 0, GETNCNT, 0) == 0);
    }
    CHECK(ctl(id, 0, IPC_RMID, 0) == 0);
}

// The holder exits before the first of those that wait can run, and finds it in the list: killed, too, and on the same hart.
TEST(one_who_is_killed_hands_on_to_one_who_lives) {
    int id = id_of_test = make(1), go[2];
    struct sembuf pass[] = {{0, -1, 0}, {0, 1, 0}};
    cpu_set_t one;
    char c;
    CPU_ZERO(&one);
    CPU_SET(0, &one);
    CHECK(sched_setaffinity(0, sizeof(one), &one) == 0);
    CHECK(ctl(id, 0, SETVAL, 1) == 0 && pipe(go) == 0);
    pid_t holder = test_fork(hold, go), first, second;
    CHECK(read(go[0], &c, 1) == 1);
    first = test_fork(wait_pair, pass);
    wait_for(id, 0, GETNCNT, 1);
    second = test_fork(wait_pair, pass);
    wait_for(id, 0, GETNCNT, 2);
    struct sched_param soon = {.sched_priority = 10}, at_once = {.sched_priority = 20};
    CHECK(syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &at_once) == 0);
    CHECK(syscall(SYS_sched_setscheduler, holder, SCHED_FIFO, &soon) == 0);
    CHECK(kill(first, SIGKILL) == 0 && kill(holder, SIGKILL) == 0);
    CHECK(waitpid(holder, NULL, 0) == holder && waitpid(first, NULL, 0) == first);
    CHECK(test_wait_exit(second) == 0 && ctl(id, 0, GETVAL, 0) == 1);
    CHECK(ctl(id, 0, IPC_RMID, 0) == 0);
}

static void become(uid_t uid) {
    CHECK(setgid(uid) == 0 && setuid(uid) == 0);
}

#define LARGE   64 // sets, of 256 KiB
#define UNDOERS 5  // of 64 KiB for each of them

static int large[LARGE];
static int undo_all(void *go) {
    int err = 0;
    become(4712);
    for (int i = 0; i < LARGE && !err; i++)
        err = op(large[i], 0, 1, SEM_UNDO);
    CHECK(write(((int *)go)[1], err ? "n" : "y", 1) == 1);
    return pause();
}

static int make_large(void *large_too) {
    become(4711);
    for (int i = 0; large_too && i < LARGE; i++)
        CHECK((large[i] = semget(0x5e400 + i, 32000, IPC_CREAT | 0666)) >= 0);
    int id = make(32000); // there is room for it whatever others do
    return ctl(id, 0, IPC_RMID, 0);
}

TEST(undos_are_charged_to_who_makes_them) {
    int go[2];
    pid_t pids[UNDOERS];
    char c;
    CHECK(pipe(go) == 0 && test_wait_exit(test_fork(make_large, go)) == 0);
    for (int i = 0; i < LARGE; i++)
        CHECK((large[i] = semget(0x5e400 + i, 0, 0)) >= 0);
    for (int i = 0; i < UNDOERS; i++) {
        pids[i] = test_fork(undo_all, go);
        CHECK(read(go[0], &c, 1) == 1 && c == 'y');
    }
    CHECK(test_wait_exit(test_fork(make_large, NULL)) == 0);
    for (int i = 0; i < UNDOERS; i++)
        CHECK(kill(pids[i], SIGKILL) == 0 && waitpid(pids[i], NULL, 0) == pids[i]);
    for (int i = 0; i < LARGE; i++)
        CHECK(ctl(large[i], 0, GETVAL, 0) == 0 && ctl(large[i], 0, IPC_RMID, 0) == 0);
}

static void nothing(int sig) {
    (void)sig;
}

TEST(semop_is_interrupted_and_never_restarted) {
    int id = id_of_test = make(1);
    struct sembuf b = {0, -1, 0};
    struct timespec soon = {0, 20000000}, never = {1000, 0};
    CHECK_ERRNO(semtimedop(id, &b, 1, &soon), EAGAIN);
    struct sigaction act = {.sa_handler = nothing, .sa_flags = SA_RESTART};
    CHECK(sigaction(SIGUSR1, &act, NULL) == 0);
    pid_t pid = fork();
    if (!pid)
        _exit(semtimedop(id, &b, 1, &never) == -1 ? errno : 0);
    wait_for(id, 0, GETNCNT, 1);
    CHECK(kill(pid, SIGUSR1) == 0 && test_wait_exit(pid) == EINTR && ctl(id, 0, GETNCNT, 0) == 0);
    CHECK(ctl(id, 0, IPC_RMID, 0) == 0);
}

TEST(sem_undo_is_done_at_exit) {
    int id = make(3), go[2];
    char c;
    CHECK(ctl(id, 0, SETVAL, 5) == 0 && pipe(go) == 0);
    pid_t pid = fork();
    if (!pid) {
        CHECK(op(id, 0, -3, SEM_UNDO) == 0 && op(id, 1, 4, SEM_UNDO) == 0 && op(id, 2, 1, 0) == 0);
        CHECK(op(id, 0, 1, SEM_UNDO) == 0 && write(go[1], "x", 1) == 1);
        pid_t child = fork(); // has nothing to undo
        if (!child)
            _exit(0);
        CHECK(test_wait_exit(child) == 0 && ctl(id, 0, GETVAL, 0) == 3);
        pause();
    }
    CHECK(read(go[0], &c, 1) == 1);
    CHECK(op(id, 1, -3, 0) == 0);
    CHECK(kill(pid, SIGKILL) == 0 && waitpid(pid, NULL, 0) == pid);
    CHECK(ctl(id, 0, GETVAL, 0) == 5 && ctl(id, 1, GETVAL, 0) == 0 && ctl(id, 2, GETVAL, 0) == 1);
    CHECK(ctl(id, 0, GETPID, 0) == pid);
    // What is set is not taken back, and one who waits gets what is given back.
    pid = fork();
    if (!pid) {
        CHECK(op(id, 0, -5, SEM_UNDO) == 0 && op(id, 2, -1, SEM_UNDO) == 0 && ctl(id, 0, SETVAL, 9) == 0);
        CHECK(write(go[1], "x", 1) == 1);
        usleep(20000);
        _exit(0);
    }
    CHECK(read(go[0], &c, 1) == 1);
    CHECK(op(id, 2, -1, 0) == 0 && test_wait_exit(pid) == 0 && ctl(id, 0, GETVAL, 0) == 9);
    // Too much to be undone.
    CHECK(ctl(id, 1, SETVAL, 0) == 0 && op(id, 1, 32767, SEM_UNDO) == 0 && op(id, 1, -32767, 0) == 0);
    CHECK(op(id, 1, 1, SEM_UNDO) == 0);
    CHECK_ERRNO(op(id, 1, 1, SEM_UNDO), ERANGE);
    CHECK(ctl(id, 0, IPC_RMID, 0) == 0);
}

static void *thread_op(void *arg) {
    CHECK(op(*(int *)arg, 0, 1, SEM_UNDO) == 0);
    return NULL;
}

TEST(sem_undo_is_shared_by_threads) {
    int id = make(1);
    pthread_t t;
    pid_t pid = fork();
    if (!pid) {
        CHECK(pthread_create(&t, NULL, thread_op, &id) == 0 && pthread_join(t, NULL) == 0);
        CHECK(ctl(id, 0, GETVAL, 0) == 1);
        _exit(0);
    }
    CHECK(test_wait_exit(pid) == 0 && ctl(id, 0, GETVAL, 0) == 0);
    CHECK(op(id, 0, 1, SEM_UNDO) == 0 && unshare(CLONE_SYSVSEM) == 0 && ctl(id, 0, GETVAL, 0) == 0);
    CHECK(ctl(id, 0, IPC_RMID, 0) == 0);
}

TEST(semaphores_are_told_of) {
    struct seminfo info;
    int id = semget(0x5e3a2, 4, IPC_CREAT | 0600), found = 0, listed = 0;
    char line[256], expected[64];
    CHECK(id >= 0 && op(id, 1, 1, 0) == 0);
    int highest = semctl(0, 0, SEM_INFO, (union arg){.info = &info});
    CHECK(highest >= 0 && info.semusz >= 1 && info.semaem >= 4 && info.semvmx == 32767 && info.semopm == 500);
    CHECK(semctl(0, 0, IPC_INFO, (union arg){.info = &info}) == highest && info.semmni == 32000 &&
          info.semmsl == 32000 && info.semmns == 1024000000 && info.semusz == 20);
    for (int i = 0; i <= highest; i++) {
        struct semid_ds d;
        if (semctl(i, 0, SEM_STAT, (union arg){.buf = &d}) == id)
            found += d.sem_nsems == 4 && d.sem_otime > 0;
    }
    FILE *f = fopen("/proc/sysvipc/sem", "r");
    snprintf(expected, sizeof(expected), "%10d %10d  %4o %10u ", 0x5e3a2, id, 0600, 4);
    while (f && fgets(line, sizeof(line), f))
        listed += !strncmp(line, expected, strlen(expected));
    CHECK(found == 1 && listed == 1 && ctl(id, 0, IPC_RMID, 0) == 0);
    f = fopen("/proc/sys/kernel/sem", "r");
    CHECK(f && fgets(line, sizeof(line), f) && !strcmp(line, "32000\t1024000000\t500\t32000\n"));
}
