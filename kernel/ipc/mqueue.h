// SPDX-License-Identifier: MIT
// Message queues of POSIX (mq_overview(7)): files of a file system of their own, which can be mounted.
#pragma once
#include "core/errno.h"
#include "fs/async.h"
#include "fs/file.h"
#include "sched/clock.h"
#include <linux/mqueue.h>

#define MQ_PRIORITIES 32768u
struct mqueue_limits {
    unsigned long queues, messages, size, default_messages, default_size;
};
#define MQ_MESSAGES_MOST 65536ul // whoever asks
#define MQ_SIZE_MOST     (16ul << 20)

// Above there are processes.
struct mqueue_owner_ops {
    void (*send)(const struct file_owner *owner, int sig, uint64_t value); // to who asked to be told
    bool (*is_there)(const struct file_owner *owner);
};
extern const struct mqueue_owner_ops *mqueue_ops; // [I] after the start

// mq_open(2), mq_unlink(2). `attr`: NULL, or of a new queue. ERR_PTR.
struct file *__must_check mqueue_open(const char *name, int flags, mode_t mode, const struct mq_attr *attr);
int __must_check mqueue_unlink(const char *name);
bool mqueue_is(const struct file *f);
void mqueue_get_attr(struct file *f, struct mq_attr *out);
// mq_timedsend(2), mq_timedreceive(2): `deadline` in ns of the realtime clock. A message is kmalloc'ed.
struct mq_message;
struct mq_message *__must_check mqueue_message(struct file *f, size_t size,
                                               unsigned int priority); // ERR_PTR(-EMSGSIZE, -ENOMEM)
char *mqueue_text(struct mq_message *m);
size_t mqueue_size(const struct mq_message *m);
unsigned int mqueue_priority(const struct mq_message *m);
// Takes it over unless it fails.
int __must_check mqueue_send(struct file *f, struct mq_message *m, ktime_t deadline);
struct mq_message *__must_check mqueue_receive(struct file *f, ktime_t deadline); // the caller's; ERR_PTR
size_t mqueue_size_max(struct file *f);

// mq_notify(2). Who asked, and how: a signal (0: none), or a cookie sent to a netlink socket.
struct mq_notification {
    struct file_owner owner; // nr 0: nobody
    int sig;
    uint64_t value;
    struct file *netlink; // NULL, or a reference
    char cookie[NOTIFY_COOKIE_LEN];
};
int __must_check mqueue_notify(struct file *f,
                               const struct mq_notification *n); // takes `netlink` over if 0; -EBUSY
void mqueue_notify_no_more(struct file *f);                      // the current process

struct ipc_ns;
int __must_check mqueue_begin(struct ipc_ns *ns); // makes its file system. -ENOMEM
void mqueue_init(void);
