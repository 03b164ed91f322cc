// SPDX-License-Identifier: MIT
// What goes along with a message of a UNIX socket: descriptors (SCM_RIGHTS) and who sent it (SCM_CREDENTIALS). unix(7).
#pragma once
#include "net/packet.h"

struct file;
struct user;

// Descriptors in flight. Each counts for the sender (USER_FDS_IN_FLIGHT); those of UNIX sockets are known to unix_gc.c.
struct scm_files {
    struct scm_files *next; // scm_files_free()
    struct user *user;      // a reference; NULL: not in flight yet, or not any more
    unsigned int count;
    struct file *file[SCM_MAX_FD];
};

// Of one call of sendmsg or recvmsg.
struct scm {
    struct credentials from;
    struct scm_files *files;
};
static inline void scm_init(struct scm *scm) {
    scm->from = (struct credentials){.uid = -1, .gid = -1};
    scm->files = NULL;
}

// Reads the control data of a message to send. `scm` is filled even if that fails, and is to be ended. -EINVAL, -EBADF,
// -EPERM, -ESRCH, -ENOMEM, -ETOOMANYREFS.
int __must_check scm_import(struct socket *s, const struct message *m, struct scm *scm);
// Puts them out for the receiver, who is the current thread, and ends scm.
void scm_export(struct socket *s, struct message *m, struct scm *scm);
void scm_end(struct scm *scm);

static inline bool socket_wants_credentials(const struct socket *s) {
    return READ_ONCE(s->flags) & (1u << SOCKET_PASSCRED | 1u << SOCKET_PASSPIDFD);
}
void credentials_note(struct credentials *c); // of the current thread
void credentials_copy(struct credentials *to, const struct credentials *from);
void credentials_put_noted(struct credentials *c);
static inline void credentials_put(struct credentials *c) {
    if (unlikely(c->process != NULL))
        credentials_put_noted(c);
}

void scm_files_free(struct scm_files *files); // lets go of them; NULL is fine. May sleep
struct scm_files *__must_check
scm_files_copy(const struct scm_files *files); // none of them in flight. NULL if no memory
