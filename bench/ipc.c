// SPDX-License-Identifier: MIT
// What watches on files, and semaphores and messages of System V cost (bench.h tells how it is counted).
#define _GNU_SOURCE
#include "bench.h"
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

int main(void) {
    if (getpid() == 1)
        set_up_as_init();
    printf("main\t%lu\t1\n", rdtime());
    mount("tmpfs", "/tmp", "tmpfs", 0, NULL);
    sleep(5); // a kernel's own start-up work shall be over
    bench_inotify();
    bench_sysv();
    printf("end\n");
    fflush(stdout);
    if (getpid() == 1)
        reboot(RB_POWER_OFF);
    return 0;
}
