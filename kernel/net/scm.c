// SPDX-License-Identifier: MIT
// Descriptors and credentials beside messages, in and out of programs.
//
// Letting go of a descriptor may end a socket, whose unread messages hold descriptors, and so on, as deep as somebody cares to
// nest them. So the files of a message are let go of one after the other in the outermost scm_files_free() of the thread: what
// comes to an end meanwhile joins its list (thread.dying_files).
#include "net/scm.h"
#include "arch/riscv/uaccess.h"
#include "fs/fdtable.h"
#include "core/user_ns.h"
#include "mm/slab.h"
#include "net/identity.h"
#include "net/unix_private.h"
#include "sched/pid_ns.h"
#include "sched/user.h"
#include <asm/socket.h>
#include <linux/capability.h>
#include <linux/fcntl.h>

// ---- credentials

void credentials_note(struct credentials *c) {
    const struct cred *cred = current->cred;
    c->process = net_process_ops->get_current();
    c->uid = cred->uid;
    c->gid = cred->gid;
}

void credentials_copy(struct credentials *to, const struct credentials *from) {
    *to = *from;
    if (to->process)
        net_process_ops->get(to->process);
}

void credentials_put_noted(struct credentials *c) {
    net_process_ops->put(c->process);
    c->process = NULL;
}

// unix(7): one's own ids, or the capability to lie.
static int check_credentials(const struct ucred *u) {
    const struct cred *cred = current->cred;
    if (u->uid == ID_NONE || u->gid == ID_NONE)
        return -EINVAL;
    bool pid = u->pid == current->own_pid || cred_capable_in(cred, current->pid_ns->ns.owner, CAP_SYS_ADMIN);
    bool uid = u->uid == cred->uid || u->uid == cred->euid || u->uid == cred->suid ||
               cred_capable_within(cred, CAP_SETUID);
    bool gid = u->gid == cred->gid || u->gid == cred->egid || u->gid == cred->sgid ||
               cred_capable_within(cred, CAP_SETGID);
    return pid && uid && gid ? 0 : -EPERM;
}

static int import_credentials(const struct cmsghdr *c, struct scm *scm) {
    if (c->cmsg_len != CMSG_LEN(sizeof(struct ucred)))
        return -EINVAL;
    struct ucred ids = *(const struct ucred *)(c + 1), *u = &ids;
    u->uid = uid_from_user(current->cred->user_ns, u->uid);
    u->gid = gid_from_user(current->cred->user_ns, u->gid);
    int err = check_credentials(u);
    if (err)
        return err;
    void *process =
        u->pid == current->own_pid ? net_process_ops->get_current() : net_process_ops->find(u->pid);
    if (!process)
        return -ESRCH;
    credentials_put(&scm->from);
    scm->from = (struct credentials){process, u->uid, u->gid};
    return 0;
}

// ---- descriptors

static int import_files(const struct cmsghdr *c, struct scm *scm) {
    size_t n = (c->cmsg_len - sizeof(*c)) / sizeof(int);
    const int *fd = (const int *)(c + 1);
    if (!n)
        return 0;
    if (n > SCM_MAX_FD)
        return -EINVAL;
    if (!scm->files) {
        scm->files = kmalloc(sizeof(*scm->files));
        if (!scm->files)
            return -ENOMEM;
        scm->files->count = 0;
        scm->files->user = NULL;
    }
    struct scm_files *files = scm->files;
    if (files->count + n > SCM_MAX_FD)
        return -EINVAL;
    for (size_t i = 0; i < n; i++) {
        struct file *f = fd_get(fd[i]);
        if (!f)
            return -EBADF;
        files->file[files->count++] = f;
    }
    return 0;
}

static int import_one(struct socket *s, const struct cmsghdr *c, struct scm *scm) {
    if (c->cmsg_level != SOL_SOCKET)
        return 0;
    switch (c->cmsg_type) {
    case SCM_RIGHTS:
        return s->family == AF_UNIX ? import_files(c, scm) : -EINVAL;
    case SCM_CREDENTIALS:
        return import_credentials(c, scm);
    default:
        return -EINVAL;
    }
}

int scm_import(struct socket *s, const struct message *m, struct scm *scm) {
    struct cmsghdr *c = NULL;
    int ret;
    while ((ret = message_next_control(m, &c)) > 0) {
        ret = import_one(s, c, scm);
        if (ret)
            return ret;
    }
    if (!ret && scm->files && !scm->files->count) {
        kfree(scm->files);
        scm->files = NULL;
    }
    return ret;
}

struct scm_files *scm_files_copy(const struct scm_files *files) {
    struct scm_files *copy = kmalloc(sizeof(*copy));
    if (!copy)
        return NULL;
    copy->count = files->count;
    copy->user = NULL;
    for (unsigned int i = 0; i < files->count; i++) {
        copy->file[i] = files->file[i];
        file_get(copy->file[i]);
    }
    return copy;
}

void scm_files_free(struct scm_files *files) {
    struct scm_files *dying = files;
    if (!files)
        return;
    if (files->user)
        unix_files_landed(files);
    files->next = NULL;
    if (current->dying_files) {
        files->next = *current->dying_files;
        *current->dying_files = files;
        return;
    }
    current->dying_files = &dying;
    while ((files = dying)) {
        dying = files->next;
        for (unsigned int i = 0; i < files->count; i++)
            file_put(files->file[i]);
        kfree(files);
        cond_resched();
    }
    current->dying_files = NULL;
}

// ---- to the receiver

// A number for the file, written where the program will look for it. 0 or -errno.
static int export_file(struct file *f, int __user *user, unsigned int flags) {
    int fd = fd_reserve(0, flags);
    if (fd < 0)
        return fd;
    int err = put_user(fd, user);
    if (err) {
        fd_unreserve(fd);
        return err;
    }
    file_get(f);
    fd_install(fd, f);
    return 0;
}

static void export_files(struct message *m, const struct scm_files *files) {
    struct cmsghdr header = {0, SOL_SOCKET, SCM_RIGHTS};
    char __user *user = m->control;
    size_t most =
        user && m->control_len > sizeof(header) ? (m->control_len - sizeof(header)) / sizeof(int) : 0;
    unsigned int n = MIN((size_t)files->count, most), done = 0;
    unsigned int flags = m->flags & MSG_CMSG_CLOEXEC ? O_CLOEXEC : 0;
    while (done < n && !export_file(files->file[done], (int __user *)(user + sizeof(header)) + done, flags))
        done++;
    if (done < files->count)
        m->out |= MSG_CTRUNC;
    if (!done)
        return;
    header.cmsg_len = CMSG_LEN(done * sizeof(int));
    if (put_object(user, header))
        return;
    size_t used = MIN(CMSG_SPACE(done * sizeof(int)), m->control_len);
    m->control = user + used;
    m->control_len -= used;
}

static void export_pidfd(struct message *m, const struct credentials *from) {
    int fd = -1;
    if (m->control_len < CMSG_LEN(sizeof(int))) {
        m->out |= MSG_CTRUNC;
        return;
    }
    struct file *f = from->process ? net_process_ops->create_pidfd(from->process) : ERR_PTR(-ESRCH);
    if (IS_ERR(f)) {
        fd = PTR_ERR(f);
    } else {
        fd = fd_reserve(0, O_CLOEXEC);
        if (fd < 0)
            file_put(f);
    }
    message_put_control(m, SOL_SOCKET, SCM_PIDFD, &fd, sizeof(fd));
    if (fd >= 0)
        fd_install(fd, f);
}

void scm_export(struct socket *s, struct message *m, struct scm *scm) {
    if (!m->control) {
        if (socket_wants_credentials(s) || scm->files)
            m->out |= MSG_CTRUNC;
        scm_end(scm);
        return;
    }
    if (socket_has(s, SOCKET_PASSCRED)) {
        const struct user_ns *reader = current->cred->user_ns;
        struct ucred u = {net_process_ops->number(scm->from.process), uid_shown(reader, scm->from.uid),
                          gid_shown(reader, scm->from.gid)};
        if (scm->from.uid == ID_NONE)
            u.uid = u.gid = ID_OVERFLOW; // nobody said
        message_put_control(m, SOL_SOCKET, SCM_CREDENTIALS, &u, sizeof(u));
    }
    if (scm->files)
        export_files(m, scm->files);
    if (socket_has(s, SOCKET_PASSPIDFD))
        export_pidfd(m, &scm->from);
    scm_end(scm);
}

void scm_end(struct scm *scm) {
    credentials_put(&scm->from);
    if (scm->files)
        scm_files_free(scm->files);
    scm->files = NULL;
}
