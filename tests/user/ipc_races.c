// SPDX-License-Identifier: MIT
// System V semaphores and messages that go while others use them.
#include "races.h"
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/wait.h>

enum { BUSY = 50 };
static int id;

static void make_set(void) {
    CHECK((id = semget(IPC_PRIVATE, 2, 0600)) >= 0);
}
static void up_and_down(void) {
    struct sembuf up = {0, 1, SEM_UNDO}, down = {0, -1, 0};
    for (int i = 0; i < BUSY; i++)
        if (semop(id, &up, 1) || semop(id, &down, 1))
            CHECK(errno == EIDRM || errno == EINVAL);
}
static void exit_with_undo(void) {
    struct sembuf up = {0, 1, SEM_UNDO}, both[] = {{1, 1, SEM_UNDO}, {1, 0, IPC_NOWAIT}};
    for (int i = 0; i < 3; i++) {
        pid_t pid = fork();
        if (!pid) {
            semop(id, &up, 1);
            semop(id, both, 2);
            _exit(0);
        }
        CHECK(pid > 0 && waitpid(pid, NULL, 0) == pid);
    }
}
static void nothing_is_left(void) {
    CHECK(semctl(id, 0, GETVAL) == 0 && semctl(id, 1, GETVAL) == 0 && semctl(id, 0, IPC_RMID) == 0);
}
static void remove_set(void) {
    CHECK(semctl(id, 0, IPC_RMID) == 0);
}

TEST(what_many_do_to_a_semaphore_adds_up) {
    static const struct race r = {make_set, {up_and_down, up_and_down, exit_with_undo}, nothing_is_left};
    CHECK(run_race(&r) > 0);
}

TEST(a_set_may_go_while_it_is_used) {
    static const struct race r = {make_set, {up_and_down, exit_with_undo, remove_set, up_and_down}, NULL};
    CHECK(run_race(&r) > 0);
}

static atomic_int sent, received;
static void make_queue(void) {
    sent = received = 0;
    CHECK((id = msgget(IPC_PRIVATE, 0600)) >= 0);
}
static void send_some(void) {
    struct {
        long type;
        char text[1000];
    } m = {.type = 1};
    for (int i = 0; i < BUSY; i++)
        sent += !msgsnd(id, &m, sizeof(m.text), 0);
}
static void receive_some(void) {
    struct {
        long type;
        char text[1000];
    } m;
    for (int i = 0; i < BUSY; i++)
        received += msgrcv(id, &m, sizeof(m.text), -5, 0) == 1000;
}
static void all_came(void) {
    CHECK(sent == 2 * BUSY && received == 2 * BUSY && msgctl(id, IPC_RMID, NULL) == 0);
}
static void remove_queue(void) {
    CHECK(msgctl(id, IPC_RMID, NULL) == 0);
}

TEST(each_message_comes_once) {
    static const struct race r = {make_queue, {send_some, receive_some, send_some, receive_some}, all_came};
    CHECK(run_race(&r) > 0);
}

TEST(a_queue_may_go_while_it_is_used) {
    static const struct race r = {make_queue, {send_some, receive_some, remove_queue}, NULL};
    CHECK(run_race(&r) > 0);
}
