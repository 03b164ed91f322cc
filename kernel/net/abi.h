// SPDX-License-Identifier: MIT
// Linux's numbers and structures of sockets that its uapi headers leave to the C library (socket(2), send(2), recv(2)).
#pragma once
#include "core/types.h"
#include <linux/socket.h>

#define AF_UNSPEC  0
#define AF_UNIX    1
#define AF_INET    2
#define AF_BRIDGE  7
#define AF_INET6   10
#define AF_NETLINK 16
#define AF_PACKET  17
#define AF_MAX     46

#define SOCK_STREAM    1
#define SOCK_DGRAM     2
#define SOCK_RAW       3
#define SOCK_RDM       4
#define SOCK_SEQPACKET 5
#define SOCK_MAX       11
#define SOCK_TYPE_MASK 0xf
#define SOCK_CLOEXEC   02000000
#define SOCK_NONBLOCK  04000

#define SOL_IP      0
#define SOL_TCP     6
#define SOL_UDP     17
#define SOL_IPV6    41
#define SOL_NETLINK 270

#define SHUT_RD   0
#define SHUT_WR   1
#define SHUT_RDWR 2

#define SOMAXCONN 4096

#define MSG_OOB          0x1
#define MSG_PEEK         0x2
#define MSG_DONTROUTE    0x4
#define MSG_CTRUNC       0x8
#define MSG_PROBE        0x10
#define MSG_TRUNC        0x20
#define MSG_DONTWAIT     0x40
#define MSG_EOR          0x80
#define MSG_WAITALL      0x100
#define MSG_CONFIRM      0x800
#define MSG_ERRQUEUE     0x2000
#define MSG_NOSIGNAL     0x4000
#define MSG_MORE         0x8000
#define MSG_WAITFORONE   0x10000
#define MSG_FASTOPEN     0x20000000
#define MSG_CMSG_CLOEXEC 0x40000000
#define MSG_CMSG_COMPAT  0x80000000u

#define SCM_RIGHTS      1
#define SCM_CREDENTIALS 2
#define SCM_SECURITY    3
#define SCM_PIDFD       4
#define SCM_MAX_FD      253

// Not in the headers of all distributions that this builds on.
#define SO_PASSPIDFD 76
#define SO_PEERPIDFD 77
#define IP_PROTOCOL  52
#define TCP_IS_MPTCP 43

struct ucred {
    pid_t pid;
    uid_t uid;
    gid_t gid;
};

struct user_msghdr {
    void __user *msg_name;
    int msg_namelen;
    void __user *msg_iov;
    size_t msg_iovlen;
    void __user *msg_control;
    size_t msg_controllen;
    unsigned int msg_flags;
};

struct user_mmsghdr {
    struct user_msghdr msg_hdr;
    unsigned int msg_len;
};

struct cmsghdr {
    size_t cmsg_len;
    int cmsg_level;
    int cmsg_type;
};
#define CMSG_ALIGN(n) ALIGN_UP((size_t)(n), sizeof(long))
#define CMSG_LEN(n)   (sizeof(struct cmsghdr) + (n))
#define CMSG_SPACE(n) (sizeof(struct cmsghdr) + CMSG_ALIGN(n))
#define CONTROL_MAX   131072 // bytes of control data in one message: net.core.optmem_max
