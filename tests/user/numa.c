// SPDX-License-Identifier: MIT
// Memory policies on a machine whose memory is one node: set_mempolicy(2), get_mempolicy(2), mbind(2), move_pages(2).
#include "test.h"
#include <linux/mempolicy.h>
#include <sys/mman.h>
#include <sys/syscall.h>

static long set(int mode, unsigned long nodes, unsigned long bits) {
    return syscall(SYS_set_mempolicy, mode, bits ? &nodes : NULL, bits);
}

static long get(int *mode, unsigned long *nodes, const void *addr, long flags) {
    return syscall(SYS_get_mempolicy, mode, nodes, 1024, addr, flags);
}

// libnuma's first question.
TEST(there_are_memory_policies) {
    unsigned long nodes[16];
    int mode = 9;
    CHECK(syscall(SYS_get_mempolicy, NULL, NULL, 0, 0, 0) == 0);
    memset(nodes, 0xff, sizeof(nodes));
    CHECK(get(&mode, nodes, NULL, 0) == 0 && mode == MPOL_DEFAULT && !nodes[0] && !nodes[15]);
    CHECK(get(&mode, nodes, NULL, MPOL_F_MEMS_ALLOWED) == 0 && nodes[0] == 1 && !nodes[1]);
    CHECK_ERRNO(get(&mode, nodes, NULL, 8), EINVAL);
    CHECK_ERRNO(get(&mode, nodes, &mode, 0), EINVAL);
    CHECK_ERRNO(get(&mode, nodes, NULL, MPOL_F_NODE), EINVAL);
    CHECK_ERRNO(get(&mode, nodes, NULL, MPOL_F_MEMS_ALLOWED | MPOL_F_NODE), EINVAL);
    CHECK_ERRNO(get(&mode, nodes, (void *)4096, MPOL_F_ADDR), EFAULT);
    CHECK_ERRNO(get((int *)8, nodes, NULL, 0), EFAULT);
}

static int inherits(void *unused) {
    unsigned long nodes[16];
    int mode;
    (void)unused;
    return get(&mode, nodes, NULL, 0) || mode != MPOL_BIND || nodes[0] != 1;
}

TEST(a_threads_policy_is_kept_and_inherited) {
    unsigned long nodes[16];
    int mode;
    CHECK(set(MPOL_INTERLEAVE | MPOL_F_STATIC_NODES, 1, 2) == 0);
    CHECK(get(&mode, nodes, NULL, 0) == 0 && mode == (MPOL_INTERLEAVE | MPOL_F_STATIC_NODES) &&
          nodes[0] == 1);
    CHECK(get(&mode, NULL, NULL, MPOL_F_NODE) == 0 && mode == 0);
    CHECK(set(MPOL_BIND, 1, 64) == 0 && test_wait_exit(test_fork(inherits, NULL)) == 0);
    CHECK(set(MPOL_PREFERRED, 0, 0) == 0 && get(&mode, nodes, NULL, 0) == 0 && !nodes[0]);
    CHECK_ERRNO(set(MPOL_BIND, 0, 64), EINVAL);
    CHECK_ERRNO(set(MPOL_BIND, 2, 64), EINVAL); // no such node
    CHECK_ERRNO(set(MPOL_BIND, 1, 1), EINVAL);  // a bit less is looked at
    CHECK_ERRNO(set(MPOL_DEFAULT, 1, 64), EINVAL);
    CHECK_ERRNO(set(MPOL_LOCAL, 1, 64), EINVAL);
    CHECK_ERRNO(set(77, 1, 64), EINVAL);
    CHECK_ERRNO(set(MPOL_BIND | MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES, 1, 64), EINVAL);
    CHECK_ERRNO(syscall(SYS_set_mempolicy, MPOL_BIND, 8, 64), EFAULT);
    CHECK_ERRNO(syscall(SYS_set_mempolicy, MPOL_DEFAULT, nodes, 0), EINVAL);
    CHECK(set(MPOL_DEFAULT, 0, 0) == 0 && get(&mode, nodes, NULL, 0) == 0 && mode == MPOL_DEFAULT);
}

TEST(an_areas_policy_is_its_own) {
    unsigned long one = 1, nodes[16];
    int mode;
    char *p = mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(p != MAP_FAILED);
    CHECK(syscall(SYS_mbind, p + 4096, 4096, MPOL_BIND, &one, 64, MPOL_MF_STRICT | MPOL_MF_MOVE) == 0);
    CHECK(get(&mode, nodes, p + 4096, MPOL_F_ADDR) == 0 && mode == MPOL_BIND && nodes[0] == 1);
    CHECK(get(&mode, nodes, p, MPOL_F_ADDR) == 0 && mode == MPOL_DEFAULT && !nodes[0]);
    CHECK(get(&mode, NULL, p, MPOL_F_ADDR | MPOL_F_NODE) == 0 && mode == 0);
    CHECK(syscall(SYS_mbind, p, 3 * 4096, MPOL_DEFAULT, NULL, 0, 0) == 0);
    CHECK(get(&mode, nodes, p + 4096, MPOL_F_ADDR) == 0 && mode == MPOL_DEFAULT);
    CHECK_ERRNO(syscall(SYS_mbind, p + 1, 4096, MPOL_BIND, &one, 64, 0), EINVAL);
    CHECK_ERRNO(syscall(SYS_mbind, p, 4096, MPOL_BIND, &one, 64, 64), EINVAL);
    CHECK(!munmap(p + 4096, 4096));
    CHECK_ERRNO(syscall(SYS_mbind, p, 3 * 4096, MPOL_BIND, &one, 64, 0), EFAULT);
    CHECK(syscall(SYS_mbind, p, 0, MPOL_BIND, &one, 64, 0) == 0);
}

TEST(pages_are_where_they_should_be) {
    int nodes[3] = {0, 0, 0}, status[3] = {9, 9, 9};
    char *p = mmap(NULL, 2 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    void *pages[3] = {p, p + 4096, (void *)4096};
    CHECK(p != MAP_FAILED);
    *p = 1;
    CHECK(syscall(SYS_move_pages, 0, 3l, pages, NULL, status, 0) == 0);
    CHECK(status[0] == 0 && status[1] == -ENOENT && status[2] == -EFAULT);
    CHECK(syscall(SYS_move_pages, getpid(), 1l, pages, nodes, status, MPOL_MF_MOVE) == 0 && status[0] == 0);
    nodes[0] = 1;
    CHECK_ERRNO(syscall(SYS_move_pages, 0, 1l, pages, nodes, status, MPOL_MF_MOVE), ENODEV);
    CHECK_ERRNO(syscall(SYS_move_pages, 0, 1l, pages, NULL, status, 1), EINVAL);
    CHECK_ERRNO(syscall(SYS_move_pages, 99999, 1l, pages, NULL, status, 0), ESRCH);
    unsigned long one = 1;
    CHECK(syscall(SYS_migrate_pages, 0, 64l, &one, &one) == 0);
}
