// SPDX-License-Identifier: MIT
// Operations of walk.c with watches, System V IPC, message queues and attributes of files.
#define _GNU_SOURCE
#include "walk.h"
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <mqueue.h>
#include <signal.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

// Watches of both kinds, and events with names. An event that there was no memory for is told to be lost.
int do_watches(void) {
    char buf[4096];
    signal(SIGIO, SIG_IGN);
    unlink("watched/file"), unlink("watched/other"), rmdir("watched"); // of one that failed
    int i = inotify_init1(IN_NONBLOCK), fd;
    if (i < 0 || mkdir("watched", 0700) || inotify_add_watch(i, "watched", IN_ALL_EVENTS) < 0)
        return errno;
    fd = open("watched", O_RDONLY);
    if (fd < 0 || fcntl(fd, F_NOTIFY, DN_CREATE | DN_DELETE | DN_MULTISHOT) || close(fd))
        return errno;
    fd = open("watched", O_RDONLY);
    if (fd < 0 || fcntl(fd, F_NOTIFY, DN_CREATE))
        return errno;
    fd = open("watched/file", O_CREAT | O_RDWR, 0600);
    if (fd < 0 || inotify_add_watch(i, "watched/file", IN_ALL_EVENTS) < 0)
        return errno;
    if (write(fd, buf, 100) < 0 || rename("watched/file", "watched/other") || unlink("watched/other") ||
        rmdir("watched"))
        return errno;
    close(fd);
    ssize_t n = read(i, buf, sizeof(buf));
    return n > 0 ? 0 : error_of(n);
}

// Pages of a file through two pipes and a socket, and bytes behind what is the file's.
int do_splice(void) {
    static char bytes[3 * 4096];
    int file = memfd_create("spliced", 0), a[2], b[2], s[2];
    loff_t at = 100;
    if (file < 0 || pipe2(a, O_NONBLOCK) || pipe2(b, O_NONBLOCK) || socketpair(AF_UNIX, SOCK_STREAM, 0, s))
        return errno;
    if (write(file, bytes, sizeof(bytes)) < 0 || splice(file, &at, a[1], NULL, 10000, 0) < 0 ||
        write(a[1], "more", 4) < 0 || tee(a[0], b[1], 20000, 0) < 0 || write(b[1], "more", 4) < 0)
        return errno;
    if (splice(a[0], NULL, s[0], NULL, 5000, 0) < 0 || splice(s[1], NULL, b[1], NULL, 5000, 0) < 0 ||
        splice(a[0], NULL, b[1], NULL, 5000, 0) < 0 || sendfile(b[1], file, &(off_t){1}, 5000) < 0)
        return errno;
    struct iovec v = {bytes, sizeof(bytes)};
    return error_of(vmsplice(a[1], &v, 1, 0)) ?: error_of(splice(b[0], NULL, file, NULL, 50000, 0));
}

// A set of semaphores with something to undo, and a queue with a message.
int do_sysv(void) {
    struct {
        long type;
        char text[200];
    } m = {.type = 1};
    struct sembuf op = {1, 1, SEM_UNDO};
    int set = semget(0x77a1, 3, IPC_CREAT | 0600), queue = msgget(0x77a1, IPC_CREAT | 0600), err = 0;
    if (set < 0 || queue < 0 || semop(set, &op, 1) || msgsnd(queue, &m, sizeof(m.text), IPC_NOWAIT) ||
        msgrcv(queue, &m, sizeof(m.text), 1, IPC_NOWAIT) < 0)
        err = errno;
    if (set >= 0)
        semctl(set, 0, IPC_RMID);
    if (queue >= 0)
        msgctl(queue, IPC_RMID, NULL);
    return err;
}

int do_attributes(void) {
    char value[300] = "";
    unlink("with-attributes"); // of one that failed
    int fd = open("with-attributes", O_CREAT | O_RDWR, 0600);
    if (fd < 0)
        return errno;
    int err = fsetxattr(fd, "user.a", value, sizeof(value), 0) || fsetxattr(fd, "user.a", value, 1, 0) ||
                      fsetxattr(fd, "trusted.b", value, 20, 0) || flistxattr(fd, value, sizeof(value)) < 0 ||
                      fgetxattr(fd, "user.a", value, sizeof(value)) < 0
                  ? errno
                  : 0;
    close(fd);
    unlink("with-attributes");
    return err;
}

// What is made in a directory with a default list gets two.
int do_acl(void) {
    static const uint32_t list[] = {
        2,   7 << 16 | 1,    -1u, 6 << 16 | 2,    1000, 5 << 16 | 4,
        -1u, 7 << 16 | 0x10, -1u, 5 << 16 | 0x20, -1u};  // the version; tag and permissions, id
    unlink("lists/f"), rmdir("lists/d"), rmdir("lists"); // of one that failed
    if (mkdir("lists", 0700))
        return errno;
    int fd = -1, err = setxattr("lists", "system.posix_acl_default", list, sizeof(list), 0) ||
                               setxattr("lists", "system.posix_acl_access", list, sizeof(list), 0) ||
                               mkdir("lists/d", 0755) ||
                               (fd = open("lists/f", O_CREAT | O_WRONLY, 0644)) < 0 ||
                               setxattr("lists/f", "system.posix_acl_access", list, sizeof(list), 0)
                           ? errno
                           : 0;
    if (fd >= 0)
        close(fd);
    unlink("lists/f"), rmdir("lists/d"), rmdir("lists");
    return err;
}

int do_mqueue(void) {
    char text[100] = "";
    struct mq_attr attr = {.mq_maxmsg = 3, .mq_msgsize = sizeof(text)};
    mqd_t q = mq_open("/walk", O_CREAT | O_RDWR | O_NONBLOCK, 0600, &attr);
    if (q < 0)
        return errno;
    int err = mq_send(q, text, sizeof(text), 1) || mq_receive(q, text, sizeof(text), NULL) < 0 ||
                      mq_send(q, text, 1, 1)
                  ? errno
                  : 0;
    mq_close(q);
    mq_unlink("/walk");
    return err;
}

// Filters of system calls, one upon the other, and a child that has both.
int do_filters(void) {
    struct sock_filter code[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    struct sock_fprog program = {1, code};
    for (int i = 0; i < 2; i++) {
        if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program))
            return errno;
    }
    pid_t pid = fork();
    if (!pid)
        _exit(0);
    return pid < 0 || waitpid(pid, NULL, 0) != pid ? errno : 0;
}
