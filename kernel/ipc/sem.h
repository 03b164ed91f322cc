// SPDX-License-Identifier: MIT
// Semaphores of System V: semget(2), semop(2), semctl(2).
#pragma once
#include "core/errno.h"
#include "sched/clock.h"
#include <asm/sembuf.h>
#include <linux/sem.h>

#define SEM_VALUE_MAX 32767
#define SEM_AT_ONCE   500u // Linux's numbers
#define SEM_OF_SET    32000u
#define SEM_SETS      32000u
// kernel.sem: of a set, of all, operations at once, sets.

struct sem_undos;
struct thread;

int __must_check sem_get(int key, int n, int flags);
// semtimedop(2), with the operations copied in, n > 0; `deadline` is monotonic, KTIME_NEVER: none. Its errors; -EINTR.
int __must_check sem_operate(int id, const struct sembuf *ops, unsigned int n, ktime_t deadline);
// IPC_STAT, SEM_STAT, SEM_STAT_ANY. The number, or -errno.
int __must_check sem_stat(int id, int cmd, struct semid64_ds *out);
int __must_check sem_set(int id, const struct semid64_ds *to); // IPC_SET
int __must_check sem_remove(int id);                           // IPC_RMID
int __must_check sem_ask(int id, int number, int cmd);         // GETVAL, GETPID, GETNCNT, GETZCNT
int __must_check sem_set_value(int id, int number, int value); // SETVAL
// GETALL: kmalloc'ed values, the caller's, and how many. ERR_PTR.
unsigned short *__must_check sem_values(int id, unsigned int *n);
// SETALL, in two halves: how many values there are to be, and they. -EINVAL, -EACCES, -ERANGE, -EIDRM.
int __must_check sem_values_wanted(int id);
int __must_check sem_set_values(int id, const unsigned short *values, unsigned int n);
struct ipc_ns;
void sem_end_all(struct ipc_ns *ns);          // nobody is in it any more
int sem_info(struct seminfo *out, bool used); // IPC_INFO, SEM_INFO. The highest index in use.

// SEM_UNDO: what a thread, or those that share it (CLONE_SYSVSEM), will take back. `t` is new, and made by the current thread. -ENOMEM.
int __must_check sem_share_undos(struct thread *t);
void sem_leave_undos(struct thread *t); // the last that has it takes it all back
