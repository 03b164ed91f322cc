// SPDX-License-Identifier: MIT
// Message queues of System V: msgget(2), msgop(2), msgctl(2).
#pragma once
#include "core/errno.h"
#include "core/types.h"
#include <asm/msgbuf.h>
#include <linux/ipc.h>
#include <linux/msg.h>

#define MSG_QUEUES  32000u // Linux's numbers
#define MSG_BYTES   16384u
#define MSG_LONGEST 8192u

// A message, kmalloc'ed, whose text is behind it.
struct message;
struct message *__must_check msg_alloc(long type, size_t size); // ERR_PTR(-ENOMEM)
char *msg_text(struct message *m);
size_t msg_size(const struct message *m);
long msg_type(const struct message *m);
void msg_free(struct message *m);

int __must_check msg_get(int key, int flags);
// msgsnd(2): takes the message over unless it fails.
int __must_check msg_send(int id, struct message *m, int flags);
// msgrcv(2): a message, the caller's; ERR_PTR. `size`: of the caller's buffer.
struct message *__must_check msg_receive(int id, size_t size, long type, int flags);
// IPC_STAT, MSG_STAT, MSG_STAT_ANY. The number, or -errno.
int __must_check msg_stat(int id, int cmd, struct msqid64_ds *out);
int __must_check msg_set(int id, const struct msqid64_ds *to); // IPC_SET
int __must_check msg_remove(int id);                           // IPC_RMID
struct ipc_ns;
void msg_end_all(struct ipc_ns *ns);            // nobody is in it any more
int msg_info(struct msginfo *out, bool in_use); // IPC_INFO, MSG_INFO. The highest index in use.
