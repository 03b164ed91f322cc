// SPDX-License-Identifier: MIT
// What watches on files, pages moved through pipes, semaphores and messages of System V and POSIX, and a look at all processes cost (bench.h tells how it is counted).
#define _GNU_SOURCE
#include "bench.h"
#include <dirent.h>
#include <mqueue.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/msg.h>
#include <sys/sem.h>

static void bench_inotify(void) {
    int watch = inotify_init1(IN_NONBLOCK), fd = open("/tmp/watched", O_RDWR | O_CREAT, 0644);
    must(watch >= 0 && fd >= 0, "inotify");
    MEASURE("inotify: add a watch and remove it", ROUNDS, {
        int wd = inotify_add_watch(watch, "/tmp/watched", IN_ALL_EVENTS);
        must(wd > 0 && inotify_rm_watch(watch, wd) == 0, "watch");
        must(read(watch, buffer, BLOCK) == 16, "event");
    });
    must(inotify_add_watch(watch, "/tmp", IN_MODIFY) > 0, "watch");
    MEASURE("inotify: write 1 B to a file in a watched directory, read the event", ROUNDS,
            { must(pwrite(fd, buffer, 1, 0) == 1 && read(watch, buffer, BLOCK) == 32, "event"); });
    close(watch);
    close(fd);
}

// A file's pages into a pipe, and from there into another pipe, or to nowhere.
static void bench_splice(void) {
    int file = open("/tmp/pages", O_RDWR | O_CREAT, 0644), null = open("/dev/null", O_WRONLY), from[2], to[2];
    loff_t at;
    must(file >= 0 && null >= 0 && !pipe(from) && !pipe(to), "pipe");
    must(write(file, buffer, BLOCK) == BLOCK, "write");
    MEASURE("splice of 64 KiB from a file into a pipe, and on to /dev/null", ROUNDS, {
        at = 0;
        must(splice(file, &at, from[1], NULL, BLOCK, 0) == BLOCK, "splice");
        must(splice(from[0], NULL, null, NULL, BLOCK, 0) == BLOCK, "splice");
    });
    MEASURE("the same, with tee and a second pipe between", ROUNDS, {
        at = 0;
        must(splice(file, &at, from[1], NULL, BLOCK, 0) == BLOCK, "splice");
        must(tee(from[0], to[1], BLOCK, 0) == BLOCK, "tee");
        must(splice(from[0], NULL, null, NULL, BLOCK, 0) == BLOCK, "splice");
        must(splice(to[0], NULL, null, NULL, BLOCK, 0) == BLOCK, "splice");
    });
    close(file);
    close(null);
    for (int i = 0; i < 2; i++)
        must(!close(from[i]) && !close(to[i]), "close");
}

static void bench_sysv(void) {
    struct {
        long type;
        char text[64];
    } m = {.type = 1};
    struct sembuf up = {0, 1, 0}, down = {0, -1, 0};
    int set = semget(IPC_PRIVATE, 1, 0600), queue = msgget(IPC_PRIVATE, 0600);
    must(set >= 0 && queue >= 0, "System V");
    MEASURE("System V semaphore, up and down", ROUNDS,
            must(!semop(set, &up, 1) && !semop(set, &down, 1), "semop"));
    if (fork() == 0) {
        for (int i = 0; i < ROUNDS; i++) {
            must(msgrcv(queue, &m, sizeof(m.text), 1, 0) == 64, "msgrcv");
            m.type = 2;
            must(!msgsnd(queue, &m, sizeof(m.text), 0), "msgsnd");
        }
        _exit(0);
    }
    MEASURE("System V message of 64 B, two processes, round trip", ROUNDS, {
        m.type = 1;
        must(!msgsnd(queue, &m, sizeof(m.text), 0), "msgsnd");
        must(msgrcv(queue, &m, sizeof(m.text), 2, 0) == 64, "msgrcv");
    });
    wait(NULL);
    must(!semctl(set, 0, IPC_RMID) && !msgctl(queue, IPC_RMID, NULL), "IPC_RMID");
}

static void bench_mqueue(void) {
    struct mq_attr attr = {.mq_maxmsg = 4, .mq_msgsize = 64};
    mqd_t there = mq_open("/there", O_CREAT | O_RDWR, 0600, &attr),
          back = mq_open("/back", O_CREAT | O_RDWR, 0600, &attr);
    must(there >= 0 && back >= 0, "mq_open");
    if (fork() == 0) {
        for (int i = 0; i < ROUNDS; i++)
            must(mq_receive(there, buffer, 64, NULL) == 64 && !mq_send(back, buffer, 64, 0),
                 "child's message");
        _exit(0);
    }
    MEASURE("POSIX message of 64 B, two processes, round trip", ROUNDS,
            must(!mq_send(there, buffer, 64, 0) && mq_receive(back, buffer, 64, NULL) == 64, "message"));
    wait(NULL);
    must(!mq_unlink("/there") && !mq_unlink("/back") && !mq_close(there) && !mq_close(back), "mq_unlink");
}

static void read_in(const char *pid, const char *name) {
    char path[64];
    snprintf(path, sizeof(path), "/proc/%s/%s", pid, name);
    int fd = open(path, O_RDONLY);
    must(fd >= 0 && read(fd, buffer, 1024) >= 0 && !close(fd), path);
}

// What ps(1) reads of each process.
static void look_at_processes(void) {
    struct dirent *e;
    struct stat st;
    char path[300];
    DIR *d = opendir("/proc");
    must(d != NULL, "/proc");
    while ((e = readdir(d))) {
        if (*e->d_name < '0' || *e->d_name > '9')
            continue;
        snprintf(path, sizeof(path), "/proc/%s", e->d_name);
        must(!stat(path, &st), path);
        read_in(e->d_name, "stat");
        read_in(e->d_name, "status");
        read_in(e->d_name, "cmdline");
    }
    closedir(d);
}

enum { PROCESSES = 100, LOOKS = 20 };

static void bench_ps(void) {
    pid_t pids[PROCESSES];
    for (int i = 0; i < PROCESSES; i++) {
        must((pids[i] = fork()) >= 0, "fork");
        if (!pids[i])
            for (;;)
                pause();
    }
    look_at_processes();
    MEASURE("stat, status and cmdline of 100 processes, as ps reads them", LOOKS, look_at_processes());
    for (int i = 0; i < PROCESSES; i++)
        must(!kill(pids[i], SIGKILL) && waitpid(pids[i], NULL, 0) == pids[i], "kill");
}

int main(void) {
    if (getpid() == 1)
        set_up_as_init();
    printf("main\t%lu\t1\n", rdtime());
    mount("tmpfs", "/tmp", "tmpfs", 0, NULL);
    sleep(5); // a kernel's own start-up work shall be over
    bench_inotify();
    bench_splice();
    bench_sysv();
    bench_mqueue();
    bench_ps();
    printf("end\n");
    fflush(stdout);
    if (getpid() == 1)
        reboot(RB_POWER_OFF);
    return 0;
}
