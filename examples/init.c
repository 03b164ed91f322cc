// SPDX-License-Identifier: MIT
// /init of the examples' archives, static, the same on Drupe and on Linux: makes the places that Debian's programs
// expect, runs /example/start, and then either a login shell on the console, or what stands behind "--" on the kernel's
// command line, whose end is told in a line "STATUS n". Then the machine is switched off.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void mount_at(const char *type, const char *where, const char *options) {
    mkdir(where, 0755);
    if (mount(type, where, type, 0, options) && errno != EBUSY)
        printf("init: mount %s at %s: %s\n", type, where, strerror(errno));
}

static void make_places(void) {
    static const char *const links[][2] = {{"/proc/self/fd", "/dev/fd"},
                                           {"fd/0", "/dev/stdin"},
                                           {"fd/1", "/dev/stdout"},
                                           {"fd/2", "/dev/stderr"},
                                           {"/run", "/var/run"}};
    umask(0);
    mount_at("proc", "/proc", NULL);
    mount_at("sysfs", "/sys", NULL);
    mount_at("devtmpfs", "/dev", NULL);
    mount_at("devpts", "/dev/pts", "gid=5,mode=620,ptmxmode=666");
    mount_at("tmpfs", "/dev/shm", "mode=1777");
    mount_at("tmpfs", "/tmp", "mode=1777");
    mount_at("tmpfs", "/run", "mode=755");
    mkdir("/var", 0755);
    rmdir("/var/run"); // which packages bring as a directory
    for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
        symlink(links[i][0], links[i][1]); // what is there stays
    umask(022);
}

// What pid 1 was given is the archive's /dev/console; programs look for their terminal's name in what lies over it now.
static void reopen_console(void) {
    int fd = open("/dev/console", O_RDWR);
    for (int i = 0; fd >= 0 && i < 3; i++)
        dup2(fd, i);
    if (fd > 2)
        close(fd);
}

// Loopback is up on Drupe from the start; on Linux somebody has to.
static void raise_loopback(void) {
    struct ifreq r = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    ioctl(fd, SIOCSIFFLAGS, &r);
    close(fd);
}

// A serial line does not tell its size; tools/run hands it on from the terminal outside.
static void set_size(void) {
    const char *lines = getenv("LINES"), *columns = getenv("COLUMNS");
    struct winsize size = {.ws_row = lines ? atoi(lines) : 0, .ws_col = columns ? atoi(columns) : 0};
    if (size.ws_row && size.ws_col)
        ioctl(0, TIOCSWINSZ, &size);
}

// A session of its own with the console as its terminal; input only for who is to read it.
static pid_t start(char *const argv[], int reads) {
    pid_t pid = fork();
    if (pid)
        return pid;
    setsid();
    ioctl(0, TIOCSCTTY, 1);
    if (!reads) {
        int null = open("/dev/null", O_RDONLY);
        dup2(null, 0);
        close(null);
    }
    execv(argv[0], argv);
    printf("init: %s: %s\n", argv[0], strerror(errno));
    fflush(stdout);
    _exit(127);
}

// Waits for one child, and reaps what others left behind meanwhile.
static int wait_for(pid_t pid) {
    int status;
    for (;;) {
        pid_t ended = waitpid(-1, &status, 0);
        if (ended == pid)
            return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        if (ended < 0 && errno != EINTR)
            return 126;
    }
}

int main(int argc, char **argv) {
    char *prepare[] = {"/example/start", NULL}, *shell[] = {"/bin/bash", "-l", NULL};
    setvbuf(stdout, NULL, _IOLBF, 0);
    make_places();
    reopen_console();
    raise_loopback();
    set_size();
    sethostname("drupe", 5);
    clearenv();
    setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
    setenv("HOME", "/root", 1);
    setenv("LANG", "C.UTF-8", 1);
    setenv("TERM", argc > 1 ? "dumb" : "vt220", 1);
    chdir("/root");
    int status = access(prepare[0], X_OK) ? 0 : wait_for(start(prepare, 0));
    if (status)
        printf("init: /example/start ended with %d\n", status);
    status = argc > 1 ? wait_for(start(argv + 1, 0)) : wait_for(start(shell, 1));
    printf("STATUS %d\n", status);
    fflush(stdout);
    sync();
    reboot(RB_POWER_OFF);
    return 1;
}
