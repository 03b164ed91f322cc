// SPDX-License-Identifier: MIT
// Sockets: socket(2), bind(2), ..., with addresses, vectors and control data copied in and out.
#include "arch/riscv/uaccess.h"
#include "core/printk.h"
#include "fs/fdtable.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "net/socket.h"
#include "proc/process.h"
#include "sys/syscalls.h"
#include "sys/timespec.h"
#include <linux/fcntl.h>
#include <linux/uio.h>

#define IOV_FAST 8

// ---- descriptors and addresses

// The file of fd, referenced, and its socket. -EBADF, -ENOTSOCK as ERR_PTR.
static struct file *get_socket(int fd, struct socket **s) {
    struct file *f = fd_get_io(fd);
    if (!f)
        return ERR_PTR(-EBADF);
    *s = file_socket(f);
    if (likely(*s))
        return f;
    file_put(f);
    return ERR_PTR(-ENOTSOCK);
}

static int read_address(struct socket_address *a, const void __user *user, int len) {
    if (len < 0 || len > (int)sizeof(a->storage))
        return -EINVAL;
    memset(a, 0, sizeof(*a));
    a->len = len;
    return len ? copy_from_user(&a->storage, user, len) : 0;
}

// As much as there is room for, and how long it is.
static int write_address(const struct socket_address *a, void __user *user, int __user *user_len) {
    int room;
    int err = get_user(room, user_len);
    if (err)
        return err;
    if (room < 0)
        return -EINVAL;
    err = copy_to_user(user, socket_address_bytes(a), MIN(room, a->len));
    return err ? err : put_user(a->len, user_len);
}

static unsigned int file_flags(int type) {
    return type & SOCK_NONBLOCK ? O_NONBLOCK : 0;
}

// ---- making

// A family that Linux has and we do not is named once in the log.
static void note_family(int family) {
    static const char *const names[] = {
        [3] = "AF_AX25",        [4] = "AF_IPX",      [5] = "AF_APPLETALK",  [6] = "AF_NETROM",
        [9] = "AF_X25",         [15] = "AF_KEY",     [17] = "AF_PACKET",    [21] = "AF_RDS",
        [24] = "AF_PPPOX",      [26] = "AF_LLC",     [27] = "AF_IB",        [28] = "AF_MPLS",
        [29] = "AF_CAN",        [30] = "AF_TIPC",    [31] = "AF_BLUETOOTH", [33] = "AF_RXRPC",
        [36] = "AF_IEEE802154", [38] = "AF_ALG",     [39] = "AF_NFC",       [40] = "AF_VSOCK",
        [41] = "AF_KCM",        [42] = "AF_QIPCRTR", [43] = "AF_SMC",       [44] = "AF_XDP",
        [45] = "AF_MCTP"};
    static uint64_t named; // [a]
    if (family < 0 || (size_t)family >= ARRAY_SIZE(names) || !names[family])
        return;
    uint64_t bit = 1ull << family;
    if (__atomic_fetch_or(&named, bit, __ATOMIC_RELAXED) & bit)
        return;
    char who[64];
    process_describe(who, sizeof(who));
    printk(LOG_DEBUG, "socket family %d (%s) is not implemented, used by %s", family, names[family], who);
}

// A new socket and its file, or ERR_PTR.
static struct file *open_socket(int family, int type, int protocol) {
    struct socket *s = socket_create(family, type & SOCK_TYPE_MASK, protocol);
    if (PTR_ERR(s) == -EAFNOSUPPORT)
        note_family(family);
    if (IS_ERR(s))
        return ERR_PTR(PTR_ERR(s));
    struct file *f = socket_file_create(file_flags(type));
    if (IS_ERR(f))
        socket_release(s);
    else
        socket_file_attach(f, s);
    return f;
}

long sys_socket(int family, int type, int protocol) {
    if (type & ~(SOCK_TYPE_MASK | SOCK_CLOEXEC | SOCK_NONBLOCK))
        return -EINVAL;
    struct file *f = open_socket(family, type, protocol);
    return IS_ERR(f) ? PTR_ERR(f) : fd_add(f, type & SOCK_CLOEXEC ? O_CLOEXEC : 0);
}

static long install_pair(struct file *ends[2], int fd[2], int __user *user) {
    struct socket *a = file_socket(ends[0]), *b = file_socket(ends[1]);
    int err = put_user(fd[0], &user[0]);
    if (!err)
        err = put_user(fd[1], &user[1]);
    if (!err)
        err = socket_pair(a, b);
    if (err)
        return err;
    fd_install(fd[0], ends[0]);
    fd_install(fd[1], ends[1]);
    return 0;
}

long sys_socketpair(int family, int type, int protocol, int __user *user) {
    unsigned int flags = type & SOCK_CLOEXEC ? O_CLOEXEC : 0;
    struct file *ends[2] = {NULL, NULL};
    int fd[2] = {-1, -1};
    long err = 0;
    if (type & ~(SOCK_TYPE_MASK | SOCK_CLOEXEC | SOCK_NONBLOCK))
        return -EINVAL;
    for (int i = 0; i < 2 && !err; i++) {
        fd[i] = fd_reserve(0, flags);
        err = MIN(fd[i], 0);
    }
    for (int i = 0; i < 2 && !err; i++) {
        ends[i] = open_socket(family, type, protocol);
        if (IS_ERR(ends[i])) {
            err = PTR_ERR(ends[i]);
            ends[i] = NULL;
        }
    }
    if (!err)
        err = install_pair(ends, fd, user);
    for (int i = 0; err && i < 2; i++) {
        if (ends[i])
            file_put(ends[i]);
        if (fd[i] >= 0)
            fd_unreserve(fd[i]);
    }
    return err;
}

// ---- names and connections

long sys_bind(int fd, const void __user *address, int len) {
    struct socket_address a;
    struct socket *s;
    struct file *f = get_socket(fd, &s);
    if (IS_ERR(f))
        return PTR_ERR(f);
    int err = read_address(&a, address, len);
    if (!err)
        err = socket_bind(s, &a);
    file_put(f);
    return err;
}

long sys_connect(int fd, const void __user *address, int len) {
    struct socket_address a;
    struct socket *s;
    struct file *f = get_socket(fd, &s);
    if (IS_ERR(f))
        return PTR_ERR(f);
    int err = read_address(&a, address, len);
    if (!err)
        err = socket_connect(s, &a, READ_ONCE(f->flags) & O_NONBLOCK);
    file_put(f);
    return err;
}

long sys_listen(int fd, int backlog) {
    struct socket *s;
    struct file *f = get_socket(fd, &s);
    if (IS_ERR(f))
        return PTR_ERR(f);
    int err = socket_listen(s, backlog);
    file_put(f);
    return err;
}

// Accepts into `connection`, which is there already, so that a connection is not lost for want of a file.
static int accept_into(struct file *listener, struct socket *s, struct file *connection, void __user *address,
                       int __user *len) {
    struct socket_address a = {0};
    struct socket *new = socket_accept(s, READ_ONCE(listener->flags) & O_NONBLOCK);
    if (IS_ERR(new))
        return PTR_ERR(new);
    socket_file_attach(connection, new);
    if (!address)
        return 0;
    return socket_name(new, &a, true) ? -ECONNABORTED : write_address(&a, address, len);
}

long sys_accept4(int fd, void __user *address, int __user *len, int flags) {
    struct socket *s;
    if (flags & ~(SOCK_CLOEXEC | SOCK_NONBLOCK))
        return -EINVAL;
    struct file *f = fd_get_io(fd);
    if (!f)
        return -EBADF;
    int new_fd = fd_reserve(0, flags & SOCK_CLOEXEC ? O_CLOEXEC : 0), err = MIN(new_fd, 0);
    struct file *connection = NULL;
    if (!err && !(s = file_socket(f)))
        err = -ENOTSOCK;
    if (!err) {
        connection = socket_file_create(file_flags(flags));
        err = IS_ERR(connection) ? PTR_ERR(connection) : accept_into(f, s, connection, address, len);
    }
    file_put(f);
    if (!err) {
        fd_install(new_fd, connection);
        return new_fd;
    }
    if (connection && !IS_ERR(connection))
        file_put(connection);
    if (new_fd >= 0)
        fd_unreserve(new_fd);
    return err;
}

long sys_accept(int fd, void __user *address, int __user *len) {
    return sys_accept4(fd, address, len, 0);
}

static long get_name(int fd, void __user *address, int __user *len, bool peer) {
    struct socket_address a = {0};
    struct socket *s;
    struct file *f = get_socket(fd, &s);
    if (IS_ERR(f))
        return PTR_ERR(f);
    int err = socket_name(s, &a, peer);
    if (!err)
        err = write_address(&a, address, len);
    file_put(f);
    return err;
}

long sys_getsockname(int fd, void __user *address, int __user *len) {
    return get_name(fd, address, len, false);
}

long sys_getpeername(int fd, void __user *address, int __user *len) {
    return get_name(fd, address, len, true);
}

long sys_shutdown(int fd, int how) {
    struct socket *s;
    struct file *f = get_socket(fd, &s);
    if (IS_ERR(f))
        return PTR_ERR(f);
    int err = socket_shutdown(s, how);
    file_put(f);
    return err;
}

// ---- options

long sys_setsockopt(int fd, int level, int option, const void __user *value, int len) {
    struct socket *s;
    struct file *f = get_socket(fd, &s);
    if (IS_ERR(f))
        return PTR_ERR(f);
    int err = socket_set_option(s, level, option, value, len);
    file_put(f);
    return err;
}

long sys_getsockopt(int fd, int level, int option, void __user *value, int __user *len) {
    struct socket *s;
    struct file *f = get_socket(fd, &s);
    if (IS_ERR(f))
        return PTR_ERR(f);
    int err = socket_get_option(s, level, option, value, len);
    file_put(f);
    return err;
}

// ---- one buffer

long sys_sendto(int fd, const void __user *buf, size_t n, unsigned int flags, const void __user *address,
                int len) {
    struct uio_segment segment;
    struct socket_address a;
    struct uio u;
    struct socket *s;
    struct message m = {.uio = &u, .flags = flags};
    if (!user_range_ok((unsigned long)buf, n))
        return -EFAULT;
    uio_init_user(&u, &segment, (void __user *)buf, MIN(n, IO_MAX));
    struct file *f = get_socket(fd, &s);
    if (IS_ERR(f))
        return PTR_ERR(f);
    long ret = address ? read_address(&a, address, len) : 0;
    if (address)
        m.address = &a;
    if (!ret)
        ret = socket_send(f, s, &m);
    file_put(f);
    return ret;
}

long sys_recvfrom(int fd, void __user *buf, size_t n, unsigned int flags, void __user *address,
                  int __user *len) {
    struct uio_segment segment;
    struct socket_address a;
    struct uio u;
    struct socket *s;
    struct message m = {.uio = &u, .flags = flags};
    if (!user_range_ok((unsigned long)buf, n))
        return -EFAULT;
    uio_init_user(&u, &segment, buf, MIN(n, IO_MAX));
    struct file *f = get_socket(fd, &s);
    if (IS_ERR(f))
        return PTR_ERR(f);
    if (address) {
        memset(&a, 0, sizeof(a));
        m.address = &a;
    }
    long ret = socket_recv(f, s, &m);
    if (ret >= 0 && address) {
        int err = write_address(&a, address, len);
        ret = err ? err : ret;
    }
    file_put(f);
    return ret;
}

// ---- messages

// A message as a program describes it, and what was made of that.
struct incoming {
    struct user_msghdr header;
    struct uio_segment *segments; // `fast` or kmalloc
    struct uio_segment fast[IOV_FAST];
    struct socket_address address;
    struct uio uio;
    struct message m;
    char *control; // a copy, kmalloc: to send
};

static void incoming_free(struct incoming *in) {
    if (in->segments != in->fast)
        kfree(in->segments);
    kfree(in->control);
}

// The header and the vector. What it leaves on errors need not be freed.
static int read_message(struct incoming *in, const struct user_msghdr __user *user, unsigned int flags) {
    struct user_msghdr *h = &in->header;
    size_t total = 0;
    int err = copy_from_user(h, user, sizeof(*h));
    if (err)
        return err;
    if (!h->msg_name)
        h->msg_namelen = 0;
    if (h->msg_namelen < 0)
        return -EINVAL;
    if (h->msg_iovlen > UIO_MAXIOV)
        return -EMSGSIZE;
    in->control = NULL;
    in->segments = h->msg_iovlen <= IOV_FAST ? in->fast : kmalloc(h->msg_iovlen * sizeof(in->fast[0]));
    if (!in->segments)
        return -ENOMEM;
    err = uio_import(in->segments, h->msg_iov, h->msg_iovlen);
    if (!err)
        err = uio_limit(in->segments, h->msg_iovlen, IO_MAX, &total);
    if (err) {
        incoming_free(in);
        return err;
    }
    in->uio = (struct uio){.seg = in->segments, .nseg = h->msg_iovlen, .resid = total};
    in->m = (struct message){.uio = &in->uio, .flags = flags};
    return 0;
}

static int read_control(struct incoming *in) {
    size_t n = in->header.msg_controllen;
    if (!n)
        return 0;
    if (n > CONTROL_MAX)
        return -ENOBUFS;
    in->control = kmalloc(n);
    if (!in->control)
        return -ENOBUFS;
    in->m.control = in->control;
    in->m.control_len = n;
    return copy_from_user(in->control, in->header.msg_control, n);
}

static long send_message(struct file *f, struct socket *s, const struct user_msghdr __user *user,
                         unsigned int flags) {
    struct incoming in;
    long ret = read_message(&in, user, flags);
    if (ret)
        return ret;
    if (in.header.msg_namelen) {
        ret = read_address(&in.address, in.header.msg_name, MIN(in.header.msg_namelen, 128));
        in.m.address = &in.address;
    }
    if (!ret)
        ret = read_control(&in);
    if (!ret)
        ret = socket_send(f, s, &in.m);
    incoming_free(&in);
    return ret;
}

// What the message tells besides its data: the sender's address, flags, how much control data.
static int write_message(const struct incoming *in, struct user_msghdr __user *user) {
    const struct message *m = &in->m;
    int err = m->address ? write_address(m->address, in->header.msg_name, &user->msg_namelen) : 0;
    if (!err)
        err = put_user(m->out | (m->flags & MSG_CMSG_CLOEXEC), &user->msg_flags);
    if (!err)
        err = put_user((size_t)((char *)m->control - (char *)in->header.msg_control), &user->msg_controllen);
    return err;
}

static long recv_message(struct file *f, struct socket *s, struct user_msghdr __user *user,
                         unsigned int flags) {
    struct incoming in;
    long ret = read_message(&in, user, flags);
    if (ret)
        return ret;
    if (in.header.msg_name) {
        memset(&in.address, 0, sizeof(in.address));
        in.m.address = &in.address;
    }
    in.m.control = in.header.msg_control;
    in.m.control_len = in.header.msg_controllen;
    ret = socket_recv(f, s, &in.m);
    if (ret >= 0) {
        int err = write_message(&in, user);
        ret = err ? err : ret;
    }
    incoming_free(&in);
    return ret;
}

long sys_sendmsg(int fd, const void __user *message, unsigned int flags) {
    struct socket *s;
    struct file *f = get_socket(fd, &s);
    if (IS_ERR(f))
        return PTR_ERR(f);
    long ret = send_message(f, s, message, flags);
    file_put(f);
    return ret;
}

long sys_recvmsg(int fd, void __user *message, unsigned int flags) {
    struct socket *s;
    struct file *f = get_socket(fd, &s);
    if (IS_ERR(f))
        return PTR_ERR(f);
    long ret = recv_message(f, s, message, flags);
    file_put(f);
    return ret;
}

// ---- several messages: how many went, or the error of the first

long sys_sendmmsg(int fd, void __user *messages, unsigned int n, unsigned int flags) {
    struct user_mmsghdr __user *at = messages;
    unsigned int done = 0;
    struct socket *s;
    struct file *f = get_socket(fd, &s);
    if (IS_ERR(f))
        return PTR_ERR(f);
    long ret = 0;
    for (n = MIN(n, UIO_MAXIOV); done < n; done++, at++) {
        ret = send_message(f, s, &at->msg_hdr, flags);
        if (ret >= 0)
            ret = put_user((unsigned int)ret, &at->msg_len);
        if (ret)
            break;
        if (cond_resched_killable()) {
            done++;
            break;
        }
    }
    file_put(f);
    return done ? done : ret;
}

static long recv_messages(struct file *f, struct socket *s, struct user_mmsghdr __user *at, unsigned int n,
                          unsigned int flags, ktime_t deadline) {
    unsigned int done = 0;
    long ret = flags & MSG_ERRQUEUE ? 0 : socket_take_error(s);
    while (!ret && done < n) {
        ret = recv_message(f, s, &at->msg_hdr, flags & ~MSG_WAITFORONE);
        if (ret >= 0)
            ret = put_user((unsigned int)ret, &at->msg_len);
        if (ret)
            break;
        at++;
        done++;
        if (flags & MSG_WAITFORONE)
            flags |= MSG_DONTWAIT;
        if (deadline != KTIME_NEVER && clock_monotonic() >= deadline)
            break;
        if (flags & MSG_OOB || cond_resched_killable())
            break;
    }
    if (!done)
        return ret;
    if (ret && ret != -EAGAIN && ret != -ERESTARTSYS && ret != -EINTR)
        WRITE_ONCE(s->error, -ret); // the next call tells
    return done;
}

long sys_recvmmsg(int fd, void __user *messages, unsigned int n, unsigned int flags, void __user *timeout) {
    ktime_t deadline = KTIME_NEVER;
    struct socket *s;
    long ret = timeout ? timespec_read(timeout, &deadline) : 0;
    if (ret)
        return ret;
    if (timeout)
        deadline = ktime_add(clock_monotonic(), deadline);
    struct file *f = get_socket(fd, &s);
    if (IS_ERR(f))
        return PTR_ERR(f);
    ret = recv_messages(f, s, messages, MIN(n, UIO_MAXIOV), flags, deadline);
    file_put(f);
    if (ret > 0 && timeout && timespec_write(timeout, MAX(deadline - clock_monotonic(), 0)))
        return -EFAULT;
    return ret;
}
