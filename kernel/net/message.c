// SPDX-License-Identifier: MIT
// Control data beside a message: cmsg(3), and the layout of its headers.
#include "arch/riscv/uaccess.h"
#include "lib/string.h"
#include "net/socket.h"
#include "sched/clock.h"
#include <asm/socket.h>
#include <linux/net_tstamp.h>
#include <linux/time.h>
#include <linux/time_types.h>

// A header that does not fit wholly is not begun; data is cut where the room ends.
void message_put_control(struct message *m, int level, int type, const void *data, size_t len) {
    struct cmsghdr header = {CMSG_LEN(len), level, type};
    if (!m->control || m->control_len < sizeof(header)) {
        m->out |= MSG_CTRUNC;
        return;
    }
    if (m->control_len < header.cmsg_len) {
        m->out |= MSG_CTRUNC;
        header.cmsg_len = m->control_len;
    }
    char __user *user = m->control;
    if (put_object(user, header) ||
        copy_to_user(user + sizeof(header), data, header.cmsg_len - sizeof(header)))
        return;
    size_t used = MIN(CMSG_SPACE(len), m->control_len);
    m->control = user + used;
    m->control_len -= used;
}

void message_put_timestamp(struct socket *s, struct message *m, ktime_t realtime) {
    bool new = socket_has(s, SOCKET_TIMESTAMP_NEW);
    if (!realtime && socket_has(s, SOCKET_TIMESTAMP))
        realtime = clock_realtime();
    if (socket_has(s, SOCKET_TIMESTAMP_NS)) {
        struct __kernel_timespec ts = {realtime / NSEC_PER_SEC, realtime % NSEC_PER_SEC};
        message_put_control(m, SOL_SOCKET, new ? SO_TIMESTAMPNS_NEW : SO_TIMESTAMPNS_OLD, &ts, sizeof(ts));
    } else if (socket_has(s, SOCKET_TIMESTAMP)) {
        struct __kernel_old_timeval tv = {realtime / NSEC_PER_SEC, realtime % NSEC_PER_SEC / NSEC_PER_USEC};
        message_put_control(m, SOL_SOCKET, new ? SO_TIMESTAMP_NEW : SO_TIMESTAMP_OLD, &tv, sizeof(tv));
    }
    if (READ_ONCE(s->timestamping) & SOF_TIMESTAMPING_SOFTWARE &&
        realtime) { // then there are two places for a device's
        struct __kernel_timespec ts[3] = {{realtime / NSEC_PER_SEC, realtime % NSEC_PER_SEC}};
        message_put_control(m, SOL_SOCKET, new ? SO_TIMESTAMPING_NEW : SO_TIMESTAMPING_OLD, ts, sizeof(ts));
    }
}

int message_next_control(const struct message *m, struct cmsghdr **at) {
    char *start = m->control;
    size_t offset = *at ? (char *)*at - start + CMSG_ALIGN((*at)->cmsg_len) : 0;
    if (offset > m->control_len || m->control_len - offset < sizeof(struct cmsghdr))
        return 0;
    *at = (struct cmsghdr *)(start + offset);
    size_t len = (*at)->cmsg_len;
    return len < sizeof(struct cmsghdr) || len > m->control_len - offset ? -EINVAL : 1;
}
