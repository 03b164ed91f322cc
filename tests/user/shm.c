// SPDX-License-Identifier: MIT
// Shared memory of System V: shmget(2), shmop(2), shmctl(2).
#include "test.h"
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define KEY 0x5e6

static struct shmid_ds stat_of(int id) {
    struct shmid_ds d;
    CHECK(shmctl(id, IPC_STAT, &d) == 0);
    return d;
}

static char *attached(int id) {
    char *p = shmat(id, NULL, 0);
    CHECK(p != (void *)-1);
    return p;
}

TEST(shm_is_found_by_its_key) {
    int id = shmget(KEY, 5000, IPC_CREAT | IPC_EXCL | 0640);
    CHECK(id >= 0 && shmget(KEY, 0, 0) == id && shmget(KEY, 5000, IPC_CREAT) == id);
    CHECK_ERRNO(shmget(KEY, 5000, IPC_CREAT | IPC_EXCL), EEXIST);
    CHECK_ERRNO(shmget(KEY, 5001, 0), EINVAL);
    CHECK_ERRNO(shmget(KEY + 1, 5000, 0), ENOENT);
    CHECK_ERRNO(shmget(KEY + 1, 0, IPC_CREAT), EINVAL);
    int other = shmget(IPC_PRIVATE, 1, 0600), third = shmget(IPC_PRIVATE, 1, IPC_CREAT | IPC_EXCL | 0600);
    CHECK(other >= 0 && third >= 0 && other != third && other != id);
    struct shmid_ds d = stat_of(id);
    CHECK(d.shm_segsz == 5000 && d.shm_perm.__key == KEY && (d.shm_perm.mode & 0777) == 0640 &&
          d.shm_nattch == 0);
    CHECK(d.shm_cpid == getpid() && d.shm_lpid == 0 && d.shm_atime == 0 && d.shm_dtime == 0 &&
          d.shm_ctime != 0);
    CHECK(shmctl(id, IPC_RMID, NULL) == 0 && shmctl(other, IPC_RMID, NULL) == 0 &&
          shmctl(third, IPC_RMID, NULL) == 0);
    CHECK_ERRNO(shmctl(id, IPC_STAT, &d), EINVAL);
    CHECK_ERRNO(shmget(KEY, 0, 0), ENOENT);
    int again = shmget(KEY, 1, IPC_CREAT | 0600);
    CHECK(again >= 0 && again != id); // numbers are not used again at once
    CHECK(shmctl(again, IPC_RMID, NULL) == 0);
}

TEST(shm_is_shared_and_counted) {
    int id = shmget(IPC_PRIVATE, 8192, 0600);
    char *a = attached(id), *b = attached(id);
    CHECK(a != b && a[0] == 0 && a[8191] == 0);
    strcpy(a, "shared");
    CHECK(!strcmp(b, "shared") && stat_of(id).shm_nattch == 2);
    pid_t pid = fork();
    if (!pid) {
        struct shmid_ds d = stat_of(id);
        if (d.shm_nattch != 4 || shmdt(b) || stat_of(id).shm_nattch != 3)
            _exit(1);
        strcpy(a + 4096, "child");
        _exit(0); // gives the other up
    }
    CHECK(test_wait_exit(pid) == 0 && !strcmp(b + 4096, "child"));
    struct shmid_ds d = stat_of(id);
    CHECK(d.shm_nattch == 2 && d.shm_lpid == pid && d.shm_dtime != 0);
    CHECK(shmdt(a) == 0 && stat_of(id).shm_nattch == 1 && stat_of(id).shm_lpid == getpid());
    CHECK_ERRNO(shmdt(a), EINVAL);
    CHECK_ERRNO(shmdt(b + 1), EINVAL);
    CHECK_ERRNO(shmdt(b + 4096), EINVAL);
    CHECK(munmap(b, 8192) == 0 && stat_of(id).shm_nattch == 0);
    a = attached(id);
    CHECK(!strcmp(a, "shared")); // it stays without anybody
    CHECK(shmdt(a) == 0 && shmctl(id, IPC_RMID, NULL) == 0);
}

TEST(shm_that_was_removed_lives_as_long_as_it_is_attached) {
    int id = shmget(KEY, 4096, IPC_CREAT | 0600);
    char *a = attached(id);
    CHECK(shmctl(id, IPC_RMID, NULL) == 0);
    struct shmid_ds d = stat_of(id);
    CHECK((d.shm_perm.mode & 01000) && d.shm_perm.__key == IPC_PRIVATE); // SHM_DEST
    CHECK_ERRNO(shmget(KEY, 0, 0), ENOENT);
    int other = shmget(KEY, 4096, IPC_CREAT | IPC_EXCL | 0600);
    CHECK(other >= 0 && other != id);
    char *b = attached(id); // Linux goes on to give it
    a[0] = 'x';
    CHECK(b[0] == 'x' && shmdt(a) == 0 && shmdt(b) == 0);
    CHECK_ERRNO(shmctl(id, IPC_STAT, &d), EINVAL);
    CHECK(shmctl(other, IPC_RMID, NULL) == 0);

    // A process that is killed takes what it has attached along.
    id = shmget(IPC_PRIVATE, 4096, 0600);
    pid_t pid = fork();
    if (!pid) {
        attached(id);
        pause();
    }
    while (stat_of(id).shm_nattch == 0)
        usleep(1000);
    CHECK(shmctl(id, IPC_RMID, NULL) == 0 && kill(pid, SIGKILL) == 0 && waitpid(pid, NULL, 0) == pid);
    CHECK_ERRNO(shmctl(id, IPC_STAT, &d), EINVAL);
}

TEST(shm_goes_where_it_is_to) {
    int id = shmget(IPC_PRIVATE, 4096 * 3 - 100, 0600);
    char *room = mmap(NULL, 4096 * 8, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(munmap(room + 4096 * 2, 4096 * 3) == 0);
    CHECK(shmat(id, room + 4096 * 2, 0) == room + 4096 * 2);
    CHECK_ERRNO((long)shmat(id, room + 4096, 0), EINVAL); // there is something
    CHECK_ERRNO((long)shmat(id, room + 4096 + 1, 0), EINVAL);
    CHECK_ERRNO((long)shmat(id, NULL, SHM_REMAP), EINVAL);
    CHECK_ERRNO((long)shmat(id, (void *)1, SHM_RND | SHM_REMAP), EINVAL);
    CHECK_ERRNO((long)shmat(-1, NULL, 0), EINVAL);
    CHECK(shmat(id, room + 4096 + 5, SHM_RND | SHM_REMAP) == room + 4096);
    room[4096] = 'a'; // the first page of the second, which has taken two of the first
    CHECK(room[4096 * 4] == 0 && stat_of(id).shm_nattch == 2);
    CHECK(shmdt(room + 4096 * 2) == 0 &&
          stat_of(id).shm_nattch == 1); // what is left of the first: its last page
    CHECK(room[4096] == 'a');
    // An attachment in parts is let go of as a whole.
    CHECK(mprotect(room + 4096 * 2, 4096, PROT_READ) == 0 && stat_of(id).shm_nattch == 3);
    CHECK(shmdt(room + 4096) == 0 && stat_of(id).shm_nattch == 0);
    CHECK(shmctl(id, IPC_RMID, NULL) == 0);
}

static int reads_only(void *arg) {
    *(char *)arg = 1;
    return 0;
}

TEST(shm_is_read_only_where_that_was_asked_for) {
    int id = shmget(IPC_PRIVATE, 4096, 0600);
    char *w = attached(id), *r = shmat(id, NULL, SHM_RDONLY);
    w[0] = 'w';
    CHECK(r != (void *)-1 && r[0] == 'w');
    int status;
    pid_t pid = test_fork(reads_only, r);
    CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    CHECK_ERRNO(mprotect(r, 4096, PROT_READ | PROT_WRITE), EACCES);
    CHECK(shmctl(id, IPC_RMID, NULL) == 0);
}

static int as_another(void *arg) {
    int id = *(int *)arg;
    struct shmid_ds d;
    CHECK(setgid(1000) == 0 && setuid(1000) == 0);
    CHECK_ERRNO(shmget(KEY, 0, 0600), EACCES);
    CHECK(shmget(KEY, 0, 0) == id && shmget(KEY, 0, 0444) == id);
    CHECK_ERRNO((long)shmat(id, NULL, 0), EACCES);
    CHECK(shmat(id, NULL, SHM_RDONLY) != (void *)-1 && shmctl(id, IPC_STAT, &d) == 0);
    CHECK_ERRNO(shmctl(id, IPC_SET, &d), EPERM);
    CHECK_ERRNO(shmctl(id, IPC_RMID, NULL), EPERM);
    CHECK_ERRNO(shmctl(id, SHM_LOCK, NULL), EPERM);
    return 0;
}

static int as_owner(void *arg) {
    int id = *(int *)arg;
    CHECK(setgid(1000) == 0 && setuid(1000) == 0);
    CHECK(shmat(id, NULL, 0) != (void *)-1 && shmctl(id, IPC_RMID, NULL) == 0);
    return 0;
}

TEST(shm_has_owners_and_modes) {
    int id = shmget(KEY, 4096, IPC_CREAT | 0604);
    CHECK(test_wait_exit(test_fork(as_another, &id)) == 0);
    struct shmid_ds d = stat_of(id);
    d.shm_perm.uid = 1000;
    d.shm_perm.mode = 0600;
    CHECK(shmctl(id, IPC_SET, &d) == 0 && stat_of(id).shm_perm.uid == 1000 && stat_of(id).shm_perm.cuid == 0);
    CHECK(test_wait_exit(test_fork(as_owner, &id)) == 0);
    CHECK_ERRNO(shmctl(id, IPC_STAT, &d), EINVAL);
}

TEST(shm_tells_what_there_is) {
    struct shminfo limits;
    struct shm_info info;
    struct shmid_ds d;
    char text[4096], word[80];
    int id = shmget(KEY, 4096 * 5, IPC_CREAT | 0600), found = 0;
    char *p = attached(id);
    p[0] = p[4096] = 1;
    CHECK(shmctl(0, IPC_INFO, (void *)&limits) >= 0 && limits.shmmin == 1 && limits.shmmni == 4096);
    int highest = shmctl(0, SHM_INFO, (void *)&info);
    CHECK(highest >= 0 && info.used_ids == 1 && info.shm_tot == 5 && info.shm_rss == 2);
    for (int i = 0; i <= highest; i++)
        found += shmctl(i, SHM_STAT, &d) == id && d.shm_segsz == 4096 * 5;
    CHECK(found == 1);
    int f = open("/proc/sysvipc/shm", O_RDONLY);
    ssize_t n = read(f, text, sizeof(text) - 1);
    CHECK(n > 0 && close(f) == 0);
    text[n] = 0;
    snprintf(word, sizeof(word), "%10d %10d   600 %21d ", KEY, id, 4096 * 5);
    CHECK(strstr(text, word) && strstr(text, "  8192                     0\n"));
    CHECK_ERRNO(shmctl(id, 99, NULL), EINVAL);
    CHECK_ERRNO(shmctl(id, IPC_STAT, (void *)16), EFAULT);
    CHECK(shmctl(id, SHM_LOCK, NULL) == 0 && (stat_of(id).shm_perm.mode & 02000) &&
          shmctl(id, SHM_UNLOCK, NULL) == 0);
    CHECK(shmdt(p) == 0 && shmctl(id, IPC_RMID, NULL) == 0);
    CHECK_ERRNO(shmget(IPC_PRIVATE, ~0ul, 0600), EINVAL);
}
