// SPDX-License-Identifier: MIT
// Message queues of System V.
#include "test.h"
#include <limits.h>
#include <signal.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/stat.h>
#include <sys/wait.h>

#ifndef MSG_COPY
#define MSG_COPY 040000
#endif

struct message {
    long type;
    char text[8193];
};
static struct message m;

static int make(void) {
    int id = msgget(IPC_PRIVATE, 0600);
    CHECK(id >= 0);
    return id;
}

static int put(int id, long type, const char *text) {
    m.type = type;
    strcpy(m.text, text);
    return msgsnd(id, &m, strlen(text), IPC_NOWAIT);
}

// True if the next of that type is this one.
static int is_next(int id, long wanted, int flags, long type, const char *text) {
    memset(&m, 0, sizeof(m));
    ssize_t n = msgrcv(id, &m, 100, wanted, flags | IPC_NOWAIT);
    return n == (ssize_t)strlen(text) && m.type == type && !strcmp(m.text, text);
}

TEST(messages_are_chosen_by_type) {
    int id = make();
    CHECK(put(id, 3, "a") == 0 && put(id, 1, "bb") == 0 && put(id, 2, "c") == 0 && put(id, 1, "d") == 0 &&
          put(id, 9, "") == 0);
    CHECK(is_next(id, 2, MSG_COPY, 2, "c") && is_next(id, 0, MSG_COPY, 3, "a"));
    CHECK_ERRNO(msgrcv(id, &m, 100, 5, MSG_COPY | IPC_NOWAIT), ENOMSG);
    CHECK_ERRNO(msgrcv(id, &m, 100, 0, MSG_COPY), EINVAL);
    CHECK_ERRNO(msgrcv(id, &m, 100, 0, MSG_COPY | IPC_NOWAIT | MSG_EXCEPT), EINVAL);
    CHECK(is_next(id, -2, 0, 1, "bb") && is_next(id, 3, MSG_EXCEPT, 2, "c") &&
          is_next(id, LONG_MIN, 0, 1, "d"));
    CHECK(is_next(id, 0, 0, 3, "a") && is_next(id, 9, 0, 9, ""));
    CHECK_ERRNO(msgrcv(id, &m, 100, 0, IPC_NOWAIT), ENOMSG);
    CHECK(put(id, 1, "abcdef") == 0);
    CHECK_ERRNO(msgrcv(id, &m, 3, 0, IPC_NOWAIT), E2BIG);
    memset(&m, 0, sizeof(m));
    CHECK(msgrcv(id, &m, 3, 0, MSG_NOERROR) == 3 && !strcmp(m.text, "abc"));
    CHECK_ERRNO(msgrcv(id, &m, 100, 0, IPC_NOWAIT), ENOMSG);
    CHECK(msgctl(id, IPC_RMID, NULL) == 0);
}

TEST(messages_check_their_arguments) {
    int id = make();
    m.type = 0;
    CHECK_ERRNO(msgsnd(id, &m, 1, 0), EINVAL);
    m.type = 1;
    CHECK_ERRNO(msgsnd(id, &m, 8193, 0), EINVAL);
    CHECK_ERRNO(msgsnd(id, &m, -1, 0), EINVAL);
    CHECK_ERRNO(msgsnd(-1, &m, 1, 0), EINVAL);
    CHECK_ERRNO(msgsnd(id, (void *)1, 1, 0), EFAULT);
    CHECK_ERRNO(msgrcv(id, &m, -1, 0, 0), EINVAL);
    CHECK_ERRNO(msgrcv(-1, &m, 1, 0, 0), EINVAL);
    CHECK_ERRNO(msgctl(id, 77, NULL), EINVAL);
    CHECK_ERRNO(msgctl(id, IPC_STAT, NULL), EFAULT);
    CHECK(msgsnd(id, &m, 8192, 0) == 0 && msgsnd(id, &m, 8192, 0) == 0);
    CHECK_ERRNO(msgsnd(id, &m, 1, IPC_NOWAIT), EAGAIN);
    CHECK(msgsnd(id, &m, 0, IPC_NOWAIT) == 0); // nothing always fits, until there are as many as bytes
    pid_t pid = fork();
    if (!pid) {
        CHECK(setgid(77) == 0 && setuid(77) == 0);
        CHECK_ERRNO(put(id, 1, "x"), EACCES);
        CHECK_ERRNO(msgrcv(id, &m, 10, 0, IPC_NOWAIT), EACCES);
        struct msqid_ds d;
        CHECK_ERRNO(msgctl(id, IPC_STAT, &d), EACCES);
        CHECK_ERRNO(msgctl(id, IPC_RMID, NULL), EPERM);
        int mine = make();
        CHECK(msgctl(mine, IPC_STAT, &d) == 0 && d.msg_qbytes == 16384);
        d.msg_qbytes++;
        CHECK_ERRNO(msgctl(mine, IPC_SET, &d), EPERM);
        d.msg_qbytes = 100;
        CHECK(msgctl(mine, IPC_SET, &d) == 0 && msgctl(mine, IPC_RMID, NULL) == 0);
        _exit(0);
    }
    CHECK(test_wait_exit(pid) == 0 && msgctl(id, IPC_RMID, NULL) == 0);
    CHECK_ERRNO(msgsnd(id, &m, 1, 0), EINVAL);
}

TEST(messages_wait_and_are_woken) {
    int id = make(), status;
    pid_t pid = fork();
    if (!pid)
        _exit(!(msgrcv(id, &m, 100, 7, 0) == 2 && m.type == 7));
    usleep(30000);
    CHECK(put(id, 6, "no") == 0 && put(id, 7, "ok") == 0 && test_wait_exit(pid) == 0 &&
          is_next(id, 0, 0, 6, "no"));
    struct msqid_ds d;
    CHECK(msgctl(id, IPC_STAT, &d) == 0 && d.msg_lspid == getpid() && d.msg_lrpid == getpid() &&
          d.msg_qnum == 0);
    // One who has not enough room is told, and the message stays.
    pid = fork();
    if (!pid)
        _exit(msgrcv(id, &m, 1, 0, 0) == -1 ? errno : 0);
    usleep(30000);
    CHECK(put(id, 1, "long") == 0 && test_wait_exit(pid) == E2BIG && is_next(id, 0, 0, 1, "long"));
    // Senders wait for room.
    m.type = 1;
    CHECK(msgsnd(id, &m, 8192, 0) == 0 && msgsnd(id, &m, 8192, 0) == 0);
    pid = fork();
    if (!pid)
        _exit(msgsnd(id, &m, 10, 0) ? errno : 0);
    usleep(30000);
    CHECK(waitpid(pid, &status, WNOHANG) == 0);
    CHECK(msgrcv(id, &m, 8192, 0, 0) == 8192 && test_wait_exit(pid) == 0);
    CHECK(msgctl(id, IPC_STAT, &d) == 0 && d.msg_qnum == 2 && d.__msg_cbytes == 8202 && d.msg_lspid == pid);
    // Both are told when the queue goes.
    pid_t sender = fork();
    if (!sender)
        _exit(msgsnd(id, &m, 8192, 0) ? errno : 0);
    pid_t receiver = fork();
    if (!receiver)
        _exit(msgrcv(id, &m, 8192, 55, 0) < 0 ? errno : 0);
    usleep(30000);
    CHECK(msgctl(id, IPC_RMID, NULL) == 0 && test_wait_exit(sender) == EIDRM &&
          test_wait_exit(receiver) == EIDRM);
}

static void nothing(int sig) {
    (void)sig;
}

TEST(messages_are_interrupted_and_never_restarted) {
    int id = make();
    struct sigaction act = {.sa_handler = nothing, .sa_flags = SA_RESTART};
    CHECK(sigaction(SIGUSR1, &act, NULL) == 0);
    pid_t pid = fork();
    if (!pid)
        _exit(msgrcv(id, &m, 100, 0, 0) < 0 ? errno : 0);
    usleep(30000);
    CHECK(kill(pid, SIGUSR1) == 0 && test_wait_exit(pid) == EINTR);
    pid = fork();
    if (!pid)
        _exit(!(msgrcv(id, &m, 100, 0, 0) == 1));
    usleep(30000);
    CHECK(kill(pid, SIGSTOP) == 0 && kill(pid, SIGCONT) == 0); // goes on waiting
    usleep(30000);
    CHECK(put(id, 1, "x") == 0 && test_wait_exit(pid) == 0 && msgctl(id, IPC_RMID, NULL) == 0);
}

TEST(messages_are_told_of) {
    struct msginfo info;
    int id = msgget(0x3e55, IPC_CREAT | 0620), found = 0, listed = 0;
    char line[256], expected[80];
    CHECK(id >= 0 && msgget(0x3e55, 0) == id && put(id, 1, "text") == 0);
    CHECK_ERRNO(msgget(0x3e55, IPC_CREAT | IPC_EXCL), EEXIST);
    CHECK_ERRNO(msgget(0x3e56, 0), ENOENT);
    int highest = msgctl(0, MSG_INFO, (void *)&info);
    CHECK(highest >= 0 && info.msgpool >= 1 && info.msgmap >= 1 && info.msgtql >= 4 && info.msgmax == 8192);
    CHECK(msgctl(0, IPC_INFO, (void *)&info) == highest && info.msgmni == 32000 && info.msgmnb == 16384 &&
          info.msgpool == 512000 && info.msgmap == 16384 && info.msgtql == 16384 && info.msgssz == 16 &&
          info.msgseg == 65535);
    for (int i = 0; i <= highest; i++) {
        struct msqid_ds d;
        if (msgctl(i, MSG_STAT, &d) == id)
            found += d.msg_qnum == 1;
    }
    FILE *f = fopen("/proc/sysvipc/msg", "r");
    snprintf(expected, sizeof(expected), "%10d %10d  %4o  %10u %10u %5u %5u ", 0x3e55, id, 0620, 4, 1,
             getpid(), 0);
    while (f && fgets(line, sizeof(line), f))
        listed += !strncmp(line, expected, strlen(expected));
    CHECK(found == 1 && listed == 1 && msgctl(id, IPC_RMID, NULL) == 0);
}
