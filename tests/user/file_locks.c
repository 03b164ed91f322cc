// SPDX-License-Identifier: MIT
// Locks on one file that are many, of many, or waited for by many: who has them keeps others from nothing else, and they are what they
// would be if they were few.
#include "test.h"
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>

TEST_DIRECTORY(0755)

static int lock(int fd, int cmd, short type, off_t start, off_t len) {
    struct flock l = {.l_type = type, .l_start = start, .l_len = len};
    return fcntl(fd, cmd, &l);
}

static double seconds(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

// The child waits in the kernel.
static void wait_until_asleep(pid_t pid) {
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    for (int i = 0; i < 1000; i++, usleep(5000)) {
        const char *state = strrchr(test_read(path), ')');
        if (state && state[2] == 'S')
            return;
    }
    CHECK(!"it waits");
}

// ---- many of one owner

enum { MANY = 10000, BATCH = 500 };

static double lock_batch(int fd, int first) {
    double start = seconds(CLOCK_PROCESS_CPUTIME_ID);
    for (int i = first; i < first + BATCH; i++)
        CHECK(!lock(fd, F_SETLK, F_RDLCK, 2 * i, 1));
    return seconds(CLOCK_PROCESS_CPUTIME_ID) - start;
}

static int look_at_the_end(void *arg) {
    struct flock l = {.l_type = F_WRLCK, .l_start = 2 * (MANY - 1)};
    return fcntl(*(int *)arg, F_GETLK, &l) || l.l_start != 2 * (MANY - 1) || l.l_pid != getppid();
}

TEST(the_ten_thousandth_lock_on_a_file_costs_what_the_first_does) {
    int fd = test_make("many", "x");
    double first = lock_batch(fd, 0), last = 0;
    for (int at = BATCH; at < MANY; at += BATCH)
        last = lock_batch(fd, at);
    printf("  %d locks: the first at %.1f us, the last at %.1f\n", MANY, first * 1e6 / BATCH,
           last * 1e6 / BATCH);
    CHECK(last < 5 * first + 0.01);
    CHECK(test_wait_exit(test_fork(look_at_the_end, &fd)) == 0);
    CHECK(!lock(fd, F_SETLK, F_WRLCK, 0, 2 * MANY)); // one in the place of all
    CHECK(!lock(fd, F_SETLK, F_UNLCK, 0, 0) && test_wait_exit(test_fork(look_at_the_end, &fd)) == 1);
}

// ---- as a model has them

enum { OWNERS = 6, BYTES = 48, STEPS = 20000 };
static short model[OWNERS][BYTES];

static int in_the_way(int owner, short type, int start, int len) {
    for (int o = 0; o < OWNERS; o++)
        for (int i = start; i < start + len; i++)
            if (o != owner && (model[o][i] == F_WRLCK || (model[o][i] == F_RDLCK && type == F_WRLCK)))
                return 1;
    return 0;
}

TEST(ranges_are_cut_and_joined_as_a_table_of_bytes_has_them) {
    static const short types[] = {F_RDLCK, F_WRLCK, F_UNLCK, F_UNLCK};
    int fds[OWNERS];
    srand(1);
    close(test_make("model", "x"));
    for (int o = 0; o < OWNERS; o++) {
        CHECK((fds[o] = open("model", O_RDWR)) >= 0);
        for (int i = 0; i < BYTES; i++)
            model[o][i] = F_UNLCK;
    }
    for (int step = 0; step < STEPS; step++) {
        int o = rand() % OWNERS, start = rand() % BYTES, len = 1 + rand() % (BYTES - start);
        short type = types[rand() % 4];
        int refused = type != F_UNLCK && in_the_way(o, type, start, len);
        struct flock l = {.l_type = type == F_UNLCK ? F_WRLCK : type, .l_start = start, .l_len = len};
        CHECK(!fcntl(fds[o], F_OFD_GETLK, &l) &&
              (l.l_type != F_UNLCK) == in_the_way(o, type == F_UNLCK ? F_WRLCK : type, start, len));
        CHECK(lock(fds[o], F_OFD_SETLK, type, start, len) == -refused);
        for (int i = start; i < start + len && !refused; i++)
            model[o][i] = type;
        if (rand() % 500 == 0) { // who closes has none
            CHECK(!close(fds[o]) && (fds[o] = open("model", O_RDWR)) >= 0);
            for (int i = 0; i < BYTES; i++)
                model[o][i] = F_UNLCK;
        }
    }
}

// ---- many who wait

static int wait_for_flock(void *arg) {
    int fd = open(arg, O_RDWR);
    struct rusage u;
    CHECK(fd >= 0 && !flock(fd, LOCK_EX) && !usleep(2000));
    CHECK(!flock(fd, LOCK_UN) && !getrusage(RUSAGE_SELF, &u));
    return u.ru_nvcsw > 20;
}

TEST(who_lets_go_of_a_lock_wakes_one_of_those_who_want_it_alone) {
    enum { WAITERS = 100 };
    int fd = test_make("wanted", "x");
    pid_t pids[WAITERS];
    CHECK(!flock(fd, LOCK_EX));
    for (int i = 0; i < WAITERS; i++)
        pids[i] = test_fork(wait_for_flock, "wanted");
    for (int i = 0; i < WAITERS; i++)
        wait_until_asleep(pids[i]);
    CHECK(!flock(fd, LOCK_UN));
    for (int i = 0; i < WAITERS; i++)
        CHECK(test_wait_exit(pids[i]) == 0);
}

static int wait_for_readers_lock(void *arg) {
    int fd = open("shared", O_RDWR), *told = arg;
    CHECK(fd >= 0 && !lock(fd, F_SETLKW, F_RDLCK, 0, 1) && write(told[1], "r", 1) == 1);
    return pause();
}

TEST(all_who_may_have_a_lock_together_are_woken_together) {
    enum { WAITERS = 20 };
    int fd = test_make("shared", "x"), told[2];
    pid_t pids[WAITERS];
    char c;
    CHECK(!pipe(told) && !lock(fd, F_SETLK, F_WRLCK, 0, 1));
    for (int i = 0; i < WAITERS; i++)
        pids[i] = test_fork(wait_for_readers_lock, told);
    for (int i = 0; i < WAITERS; i++)
        wait_until_asleep(pids[i]);
    CHECK(!lock(fd, F_SETLK, F_RDLCK, 0, 1)); // it stays, for reading
    for (int i = 0; i < WAITERS; i++)
        CHECK(read(told[0], &c, 1) == 1);
    for (int i = 0; i < WAITERS; i++)
        test_end(pids[i]);
}

static int wait_for_byte(void *arg) {
    int fd = open("byte", O_RDWR);
    return lock(fd, F_SETLKW, F_WRLCK, 0, *(int *)arg);
}

TEST(who_waits_behind_one_that_gives_up_is_not_forgotten) {
    int fd = test_make("byte", "x"), one = 1, ten = 10;
    for (int killed_first = 0; killed_first < 2; killed_first++) {
        CHECK(!lock(fd, F_SETLK, F_WRLCK, 0, 1));
        pid_t first = test_fork(wait_for_byte, &ten);
        wait_until_asleep(first);
        pid_t second = test_fork(wait_for_byte, &one);
        wait_until_asleep(second);
        if (killed_first)
            test_end(first);
        CHECK(!lock(fd, F_SETLK, F_UNLCK, 0, 0));
        CHECK(test_wait_exit(second) == 0 && (killed_first || test_wait_exit(first) == 0));
    }
}

static int hold_and_wait(void *arg) {
    int fd = open("queue", O_RDWR), *number = arg;
    CHECK(!lock(fd, F_SETLK, F_WRLCK, 1 + *number, 1));
    return lock(fd, F_SETLKW, F_WRLCK, 0, 1);
}

TEST(a_deadlock_is_found_behind_a_long_queue) {
    enum { QUEUE = 30 };
    int fd = test_make("queue", "x");
    pid_t pids[QUEUE];
    CHECK(!lock(fd, F_SETLK, F_WRLCK, 0, 1));
    for (int i = 0; i < QUEUE; i++) {
        pids[i] = test_fork(hold_and_wait, &i);
        wait_until_asleep(pids[i]);
    }
    CHECK_ERRNO(lock(fd, F_SETLKW, F_WRLCK, QUEUE, 1), EDEADLK); // the last one's
    CHECK(!lock(fd, F_SETLK, F_UNLCK, 0, 1));
    for (int i = 0; i < QUEUE; i++)
        CHECK(test_wait_exit(pids[i]) == 0);
}

enum { CIRCLES = 16 };
static int circle_go[2], circle_told[2];

static int hold_one_and_want_zero(void *arg) {
    int fd = open("circles", O_RDWR), *number = arg;
    char c;
    CHECK(!lock(fd, F_SETLK, F_WRLCK, 1 + *number, 1) && write(circle_told[1], "", 1) == 1);
    CHECK(read(circle_go[0], &c, 1) == 1);
    return lock(fd, F_SETLKW, F_WRLCK, 0, 1);
}

static int waiters_in_proc(void) {
    int n = 0;
    for (const char *at = test_read("/proc/locks"); (at = strstr(at, "->")); at++)
        n++;
    return n;
}

static int hold_zero_and_want_each(void *arg) {
    int fd = open("circles", O_RDWR);
    (void)arg;
    CHECK(!lock(fd, F_SETLK, F_WRLCK, 0, 1) && write(circle_told[1], "", 1) == 1);
    while (waiters_in_proc() < CIRCLES)
        usleep(5000);
    alarm(20); // for one that is not found
    for (int i = 0; i < CIRCLES; i++)
        CHECK_ERRNO(lock(fd, F_SETLKW, F_WRLCK, 1 + i, 1), EDEADLK);
    return 0;
}

// Whichever of the two is older, and wherever their stacks lie.
TEST(a_deadlock_is_found_by_whoever_closes_the_circle) {
    CHECK(!close(test_make("circles", "x")) && !pipe(circle_go) && !pipe(circle_told));
    for (int last = 0; last < 2; last++) {
        pid_t pids[CIRCLES], pid = last ? 0 : test_fork(hold_zero_and_want_each, NULL);
        char told_by[CIRCLES + 1];
        for (int i = 0; i < CIRCLES; i++)
            pids[i] = test_fork(hold_one_and_want_zero, &i);
        pid = last ? test_fork(hold_zero_and_want_each, NULL) : pid;
        for (int i = 0; i <= CIRCLES; i++)
            CHECK(read(circle_told[0], told_by + i, 1) == 1);
        CHECK(write(circle_go[1], told_by, CIRCLES) == CIRCLES);
        CHECK(test_wait_exit(pid) == 0);
        for (int i = 0; i < CIRCLES; i++)
            test_end(pids[i]);
    }
}

TEST(a_range_before_the_beginning_is_none) {
    int fd = test_make("range", "x");
    for (long start = -3; start < 0; start++)
        for (int cmd = 0; cmd < 2; cmd++)
            for (int i = 0; i < 2; i++)
                CHECK_ERRNO(lock(fd, cmd ? F_OFD_SETLK : F_SETLK, F_WRLCK, start, LONG_MIN), EINVAL);
    CHECK_ERRNO(lock(fd, F_SETLK, F_WRLCK, 0, LONG_MIN), EINVAL);
    CHECK_ERRNO(lock(fd, F_SETLK, F_WRLCK, LONG_MIN, LONG_MIN), EINVAL);
    CHECK_ERRNO(lock(fd, F_SETLK, F_WRLCK, LONG_MIN, LONG_MAX), EINVAL);
    CHECK_ERRNO(lock(fd, F_SETLK, F_WRLCK, -1, 0), EINVAL);
    CHECK(!lock(fd, F_SETLK, F_WRLCK, LONG_MAX, LONG_MIN + 1) && !lock(fd, F_SETLK, F_UNLCK, 0, 0));
}

static int closed_meanwhile;

static void *wait_and_be_closed(void *arg) {
    (void)arg;
    return (void *)(long)(lock(closed_meanwhile, F_SETLKW, F_WRLCK, 0, 1) ? errno : 0);
}

static int close_meanwhile(void *arg) {
    void *result;
    pthread_t t;
    closed_meanwhile = open("closed", O_RDWR);
    CHECK(!pthread_create(&t, NULL, wait_and_be_closed, NULL));
    usleep(100000); // in the kernel by now: or there is nothing to be seen
    CHECK(!close(closed_meanwhile) && write(((int *)arg)[1], "", 1) == 1);
    CHECK(!pthread_join(t, &result));
    return result != (void *)EBADF;
}

// Nobody could give it up.
TEST(who_gets_a_lock_of_what_was_closed_meanwhile_has_none) {
    int fd = test_make("closed", "x"), p[2];
    char c;
    CHECK(!pipe(p) && !lock(fd, F_SETLK, F_WRLCK, 0, 1));
    pid_t pid = test_fork(close_meanwhile, p);
    CHECK(read(p[0], &c, 1) == 1 && !lock(fd, F_SETLK, F_UNLCK, 0, 1));
    CHECK(test_wait_exit(pid) == 0);
    CHECK(!lock(fd, F_SETLK, F_WRLCK, 0, 1));
}

TEST(who_has_too_many_may_give_up_any) {
    enum { TOO_MANY = 100000 }; // on Linux nobody has
    int fd = test_make("most", "x"), whole = test_make("whole", "x");
    CHECK(!setresgid(4321, 4321, 4321) && !setresuid(4321, 4321, 4321) && !flock(whole, LOCK_SH));
    for (int n = 0; n < TOO_MANY; n++)
        if (lock(fd, F_SETLK, F_RDLCK, 2 * n, 1)) {
            CHECK(errno == ENOLCK);
            break;
        }
    CHECK(!flock(whole, LOCK_UN));
    CHECK(!lock(fd, F_SETLK, F_UNLCK, 2, 1) && !lock(fd, F_SETLK, F_UNLCK, 0, 0));
}

static void *wait_in_thread(void *arg) {
    return (void *)(long)lock(*(int *)arg, F_SETLKW, F_WRLCK, 0, 1);
}

static int wait_in_two_threads(void *arg) {
    int fd = open("threads", O_RDWR);
    pthread_t t[2];
    void *result[2];
    (void)arg;
    for (int i = 0; i < 2; i++)
        CHECK(!pthread_create(&t[i], NULL, wait_in_thread, &fd));
    for (int i = 0; i < 2; i++)
        CHECK(!pthread_join(t[i], &result[i]));
    return result[0] || result[1];
}

TEST(threads_of_one_process_do_not_wait_for_each_others_locks) {
    int fd = test_make("threads", "x");
    CHECK(!lock(fd, F_SETLK, F_WRLCK, 0, 1));
    pid_t pid = test_fork(wait_in_two_threads, NULL);
    usleep(300000); // both wait
    CHECK(!lock(fd, F_SETLK, F_UNLCK, 0, 1) && test_wait_exit(pid) == 0);
}

// ---- flock(2)

TEST(flock_gives_up_the_lock_that_it_changes_before_it_asks_for_the_other) {
    int a = test_make("upgrade", "x"), b = open("upgrade", O_RDWR), c = open("upgrade", O_RDWR);
    CHECK(!flock(a, LOCK_SH) && !flock(b, LOCK_SH) && !flock(a, LOCK_SH));
    CHECK_ERRNO(flock(a, LOCK_EX | LOCK_NB), EWOULDBLOCK);
    CHECK(!flock(b, LOCK_EX | LOCK_NB)); // a has none any more
    CHECK_ERRNO(flock(c, LOCK_SH | LOCK_NB), EWOULDBLOCK);
    CHECK(!flock(b, LOCK_SH | LOCK_NB) && !flock(c, LOCK_SH | LOCK_NB));
}

// ---- leases

TEST(leases_on_several_files_are_all_told) {
    struct stat st;
    char name[16], line[64], told[1 << 13];
    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof(name), "lease%d", i);
        close(test_make(name, "x"));
        CHECK(!fcntl(open(name, O_RDONLY), F_SETLEASE, F_RDLCK));
    }
    strcpy(told, test_read("/proc/locks"));
    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof(name), "lease%d", i);
        CHECK(!stat(name, &st));
        snprintf(line, sizeof(line), ":%lu 0 EOF\n", (unsigned long)st.st_ino);
        CHECK(strstr(told, line));
    }
}

// ---- races

enum { RACERS = 6, ROUNDS = 400, PLACES = 8 };
static volatile int *held; // by how many each byte is

static void nothing(int sig) {
    (void)sig;
}

static int race(void *arg) {
    int fd = open("race", O_RDWR), ofd = *(int *)arg % 2;
    struct itimerval often = {{0, 700}, {0, 700}};
    struct sigaction a = {.sa_handler = nothing};
    srand((unsigned int)*(int *)arg);
    CHECK(!sigaction(SIGALRM, &a, NULL) && !setitimer(ITIMER_REAL, &often, NULL));
    for (int n = 0; n < ROUNDS; n++) {
        int start = rand() % PLACES, len = 1 + rand() % (PLACES - start);
        if (lock(fd, ofd ? F_OFD_SETLKW : F_SETLKW, F_WRLCK, start, len)) {
            CHECK(errno == EINTR);
            continue;
        }
        for (int i = start; i < start + len; i++)
            CHECK(__atomic_add_fetch(&held[i], 1, __ATOMIC_SEQ_CST) == 1);
        if (n % 16 == 0)
            usleep(100);
        for (int i = start; i < start + len; i++)
            __atomic_sub_fetch(&held[i], 1, __ATOMIC_SEQ_CST);
        CHECK(!lock(fd, ofd ? F_OFD_SETLK : F_SETLK, F_UNLCK, start, len));
    }
    return 0;
}

TEST(who_waits_among_signals_has_the_range_alone) {
    pid_t pids[RACERS];
    close(test_make("race", "x"));
    held = mmap(NULL, PLACES * sizeof(int), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < RACERS; i++)
        pids[i] = test_fork(race, &i);
    for (int i = 0; i < RACERS; i++)
        CHECK(test_wait_exit(pids[i]) == 0);
}
