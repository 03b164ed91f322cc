// SPDX-License-Identifier: MIT
// UDP_CORK and MSG_MORE (udp(7)): one datagram that is written in pieces.
//
// The first piece decides where it goes; addresses and control data of the others are not looked at. What goes wrong with a piece costs
// all of them, as on Linux. Its sender pays for the memory.
#include "arch/riscv/uaccess.h"
#include "lib/string.h"
#include "net/inet_cork.h"

#define ROOM_LEAST 2048u

struct inet_cork {
    struct inet_sending to;
    size_t len, room;
    char *data;
};

static void drop(struct inet_socket *i) {
    struct inet_cork *c = i->cork;
    WRITE_ONCE(i->cork, NULL);
    if (c) {
        inet_free(c->data);
        inet_free(c);
    }
}

void inet_cork_drop(struct inet_socket *i) {
    mutex_lock(&i->write_mutex);
    drop(i);
    mutex_unlock(&i->write_mutex);
}

static int begin(struct inet_socket *i, const struct message *m) {
    struct inet_sending to;
    int err = inet_prepare(i, m, &to);
    if (!err && !to.port)
        err = -EINVAL;
    if (err)
        return err;
    struct inet_cork *c = inet_calloc(1, sizeof(*c));
    if (!c)
        return -ENOBUFS;
    c->to = to;
    WRITE_ONCE(i->cork, c);
    return 0;
}

static int make_room(struct inet_cork *c, size_t n) {
    size_t room = MAX(c->room, (size_t)ROOM_LEAST);
    if (n <= c->room)
        return 0;
    while (room < n)
        room *= 2;
    char *data = inet_malloc(room);
    if (!data)
        return -ENOBUFS;
    memcpy(data, c->data, c->len);
    inet_free(c->data);
    c->data = data;
    c->room = room;
    return 0;
}

static int append(struct inet_cork *c, struct message *m) {
    size_t n = m->uio->resid;
    if (n > inet_datagram_most(&c->to) - c->len)
        return -EMSGSIZE;
    int err = make_room(c, c->len + n);
    if (err)
        return err;
    if (uio_read_from(m->uio, c->data + c->len, n) != n)
        return -EFAULT;
    c->len += n;
    return 0;
}

static int flush(struct inet_socket *i, inet_send_fn send_locked) {
    struct inet_cork *c = i->cork;
    struct pbuf *p = pbuf_alloc(PBUF_TRANSPORT, c->len, PBUF_RAM);
    int err = p ? 0 : -ENOBUFS;
    if (p) {
        memcpy(p->payload, c->data, c->len);
        inet_lock(i->s.net);
        err = send_locked(i, p, &c->to);
        inet_unlock();
        pbuf_free(p);
    }
    drop(i);
    return err;
}

ssize_t inet_cork_send(struct inet_socket *i, struct message *m, inet_send_fn send_locked) {
    ssize_t n = m->uio->resid;
    mutex_lock(&i->write_mutex);
    int err = socket_take_error(&i->s);
    if (!err && READ_ONCE(i->s.shutdown) & SEND_SHUTDOWN)
        err = -EPIPE;
    if (!err && !i->cork)
        err = begin(i, m);
    if (!err && (err = append(i->cork, m)))
        drop(i);
    if (!err && !(m->flags & MSG_MORE) && !inet_switch_is_on(i, IN_CORK))
        err = flush(i, send_locked);
    mutex_unlock(&i->write_mutex);
    return err ? err : n;
}

int inet_cork_set_option(struct inet_socket *i, int option, const void __user *value, int len,
                         inet_send_fn send_locked) {
    int n;
    if (len < (int)sizeof(n))
        return -EINVAL;
    int err = get_user(n, (const int __user *)value);
    if (err || option != UDP_CORK)
        return err ? err : -ENOPROTOOPT;
    mutex_lock(&i->write_mutex);
    inet_put_switch(i, IN_CORK, n);
    if (!n && i->cork)
        (void)flush(i, send_locked); // whose failure nobody hears, as on Linux
    mutex_unlock(&i->write_mutex);
    return 0;
}
