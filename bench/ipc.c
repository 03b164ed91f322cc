// SPDX-License-Identifier: MIT
// What watches on files cost (bench.h tells how it is counted).
#define _GNU_SOURCE
#include "bench.h"
#include <sys/inotify.h>

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

int main(void) {
    if (getpid() == 1)
        set_up_as_init();
    printf("main\t%lu\t1\n", rdtime());
    mount("tmpfs", "/tmp", "tmpfs", 0, NULL);
    sleep(5); // a kernel's own start-up work shall be over
    bench_inotify();
    printf("end\n");
    fflush(stdout);
    if (getpid() == 1)
        reboot(RB_POWER_OFF);
    return 0;
}
