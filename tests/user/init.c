// SPDX-License-Identifier: MIT
// /init of the user tests' archive: mounts what tests expect, runs every program in /tests in the order of
// their names, and powers off. The host reads the console: "ok NAME", "not ok NAME", "# detail", and last
// "DONE".
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void mount_at(const char *type, const char *where) {
    mkdir(where, 0755);
    if (mount(type, where, type, 0, NULL))
        printf("# mount %s at %s: %s\n", type, where, strerror(errno));
}

static void run(const char *name) {
    char path[300];
    int status = 0;
    snprintf(path, sizeof(path), "/tests/%s", name);
    printf("# program %s\n", name);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        execl(path, path, (char *)NULL);
        printf("# exec %s: %s\n", path, strerror(errno));
        fflush(stdout);
        _exit(127);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid || WIFSIGNALED(status) || WEXITSTATUS(status) == 127)
        printf("not ok %s_runs (pid %d, status 0x%x)\n", name, pid, status);
}

static void *wait_for_ever(void *arg) {
    pthread_barrier_wait(arg);
    for (;;)
        pause();
    return NULL;
}

// Signals that would end others do nothing to pid 1, also if only one of its threads would take them.
static void survive_signals(void) {
    sigset_t term;
    pthread_t t;
    pthread_barrier_t runs;
    pthread_barrier_init(&runs, NULL, 2);
    pthread_create(&t, NULL, wait_for_ever, &runs);
    pthread_barrier_wait(&runs);
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &term, NULL);
    kill(1, SIGTERM);
    kill(1, SIGKILL);
    usleep(1000);
    pthread_cancel(t);
    pthread_join(t, NULL);
    pthread_sigmask(SIG_UNBLOCK, &term, NULL);
    printf("ok pid_1_survives_signals_that_one_of_its_threads_takes\n");
}

int main(int argc, char **argv) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    mount_at("proc", "/proc");
    mount_at("sysfs", "/sys");
    mount_at("devtmpfs", "/dev");
    mount_at("tmpfs", "/tmp");
    mkdir("/dev/pts", 0755);
    mount("devpts", "/dev/pts", "devpts", 0, NULL);
    setenv("PATH", "/bin:/usr/bin:/sbin", 1);
    struct dirent **names;
    int n = scandir("/tests", &names, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        if (names[i]->d_name[0] == '.')
            continue;
        int wanted = argc < 2;
        for (int a = 1; a < argc; a++)
            wanted |= !strcmp(argv[a], names[i]->d_name);
        if (wanted)
            run(names[i]->d_name);
    }
    if (argc < 2 || strcmp(argv[argc - 1], "linux"))
        survive_signals();
    printf("DONE\n");
    fflush(stdout);
    reboot(RB_POWER_OFF);
    return 1;
}
