// SPDX-License-Identifier: MIT
// /proc/sys: what can be known and set about the kernel, in the places that programs look at.
#include "core/cred.h"
#include "core/printk.h"
#include "core/random.h"
#include "core/version.h"
#include "fs/event/dnotify.h"
#include "fs/event/inotify.h"
#include "fs/lease.h"
#include "fs/pipe/pipe.h"
#include "fs/protect.h"
#include "keys/key.h"
#include "lib/format.h"
#include "lib/number.h"
#include "lib/string.h"
#include "mm/page.h"
#include "proc/accounting.h"
#include "proc/coredump.h"
#include "proc/uts.h"
#include "procfs/private.h"
#include "sched/thread.h"
#include "sched/user.h"
#include "vm/vmspace.h"
#include <linux/capability.h>
#include <linux/limits.h>

// ---- fixed text and numbers

int proc_show_text(struct seq_buf *s, void *arg) {
    seq_printf(s, "%s\n", (const char *)arg);
    return 0;
}

long proc_parse_number(const char *text, unsigned long *out) {
    const char *end = number_read(text, 10, UINT64_MAX, out);
    return end == text || (*end && *end != '\n' && *end != ' ' && *end != '\t') ? -EINVAL : 0;
}

int proc_parse_numbers(const char *text, unsigned long *out, int most) {
    int count = 0;
    for (const char *end; count < most; text = end, count++) {
        while (*text == ' ' || *text == '\t')
            text++;
        end = number_read(text, 10, INT32_MAX, &out[count]);
        if (end == text)
            break;
    }
    return count ? count : -EINVAL;
}

// ---- names

static int show_name(struct seq_buf *s, void *domain) {
    char name[UTS_NAME_SIZE];
    uts_get_name(domain != NULL, name);
    seq_printf(s, "%s\n", name);
    return 0;
}

static ssize_t store_name(const char *text, size_t n, void *domain) {
    size_t len = 0;
    while (len < n && text[len] && text[len] != '\n')
        len++;
    int err = uts_set_name(domain != NULL, text, len);
    return err ? err : (ssize_t)n;
}

static int show_core_pattern(struct seq_buf *s, void *arg) {
    char text[CORE_PATTERN_SIZE];
    (void)arg;
    core_get_pattern(text);
    seq_printf(s, "%s\n", text);
    return 0;
}

static ssize_t store_core_pattern(const char *text, size_t n, void *arg) {
    (void)arg;
    int err = core_set_pattern(text, n);
    return err ? err : (ssize_t)n;
}

// kernel.acct: three numbers, of which a write may store the first few.
static int show_acct(struct seq_buf *s, void *arg) {
    (void)arg;
    seq_printf(s, "%lu\t%lu\t%lu\n", READ_ONCE(accounting_limits[0]), READ_ONCE(accounting_limits[1]),
               READ_ONCE(accounting_limits[2]));
    return 0;
}

static ssize_t store_acct(const char *text, size_t n, void *arg) {
    unsigned long values[ARRAY_SIZE(accounting_limits)];
    int count = proc_parse_numbers(text, values, ARRAY_SIZE(values));
    (void)arg;
    for (int i = 0; i < count; i++)
        WRITE_ONCE(accounting_limits[i], values[i]);
    return count < 0 ? count : (ssize_t)n;
}

// ---- random numbers

static void show_uuid_of(struct seq_buf *s, const uint8_t b[16]) {
    for (int i = 0; i < 16; i++)
        seq_printf(s, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", b[i]);
    seq_puts(s, "\n");
}

// A version 4 UUID: RFC 4122, 4.4.
static void make_uuid(uint8_t b[16]) {
    random_bytes(b, 16);
    b[6] = (b[6] & 0x0f) | 0x40;
    b[8] = (b[8] & 0x3f) | 0x80;
}

static int show_uuid(struct seq_buf *s, void *arg) {
    uint8_t b[16];
    (void)arg;
    make_uuid(b);
    show_uuid_of(s, b);
    return 0;
}

static uint8_t boot_id[16]; // [I] after start

static int show_boot_id(struct seq_buf *s, void *arg) {
    (void)arg;
    show_uuid_of(s, boot_id);
    return 0;
}

// ---- settings

static int show_printk(struct seq_buf *s, void *arg) {
    (void)arg;
    seq_printf(s, "%d\t4\t1\t7\n", console_loglevel);
    return 0;
}

static ssize_t store_printk(const char *text, size_t n, void *arg) {
    unsigned long level;
    (void)arg;
    long err = proc_parse_number(text, &level);
    if (err)
        return err;
    console_loglevel = MIN(level, 15ul);
    return n;
}

static int show_pipe_max_size(struct seq_buf *s, void *arg) {
    (void)arg;
    seq_printf(s, "%u\n", pipe_max_size);
    return 0;
}

static ssize_t store_pipe_max_size(const char *text, size_t n, void *arg) {
    unsigned long size;
    (void)arg;
    long err = proc_parse_number(text, &size);
    if (err || size < PAGE_SIZE || size > 1ul << 31)
        return -EINVAL;
    pipe_max_size = ALIGN_UP(size, (unsigned long)PAGE_SIZE);
    return n;
}

static int show_mmap_min_addr(struct seq_buf *s, void *arg) {
    (void)arg;
    seq_printf(s, "%lu\n", READ_ONCE(vm_min_addr));
    return 0;
}

static ssize_t store_mmap_min_addr(const char *text, size_t n, void *arg) {
    unsigned long addr;
    (void)arg;
    if (!capable(CAP_SYS_RAWIO))
        return -EPERM;
    long err = proc_parse_number(text, &addr);
    if (err)
        return err;
    WRITE_ONCE(vm_min_addr, addr);
    return n;
}

// ---- limits: the numbers of struct limits and their like

int proc_show_number(struct seq_buf *s, void *arg) {
    const struct proc_number *n = arg;
    seq_printf(s, "%lu\n", READ_ONCE(*n->at));
    return 0;
}

ssize_t proc_store_number(const char *text, size_t n, void *arg) {
    const struct proc_number *number = arg;
    unsigned long value;
    long err = proc_parse_number(text, &value);
    if (err || value < number->low || value > number->high)
        return -EINVAL;
    WRITE_ONCE(*number->at, value);
    return n;
}

// Of the two ways to say how much may be promised, the one set last holds, and the other reads 0.
static const struct proc_number ratio = {&vm_overcommit_ratio, 0, INT32_MAX},
                                kilobytes = {&vm_overcommit_kbytes, 0, INT64_MAX};

static ssize_t store_overcommit_ratio(const char *text, size_t n, void *arg) {
    ssize_t ret = proc_store_number(text, n, arg);
    if (ret >= 0)
        WRITE_ONCE(vm_overcommit_kbytes, 0);
    return ret;
}

static ssize_t store_overcommit_kbytes(const char *text, size_t n, void *arg) {
    ssize_t ret = proc_store_number(text, n, arg);
    if (ret >= 0)
        WRITE_ONCE(vm_overcommit_ratio, 0);
    return ret;
}

// Bit 0: what files keep that can be had again. Bit 1: that and what is kept at hand though nobody uses it, of this hart and of all.
// Bit 2: Linux says nothing of it in its log; nothing is said here.
static ssize_t store_drop_caches(const char *text, size_t n, void *arg) {
    unsigned long what;
    (void)arg;
    long err = proc_parse_number(text, &what);
    if (err || what < 1 || what > 4)
        return -EINVAL;
    if (what & 2)
        memory_trim();
    else if (what & 1 && memory_trim_files)
        memory_trim_files();
    return n;
}

static int show_file_max(struct seq_buf *s, void *arg) {
    (void)arg;
    seq_printf(s, "%lu\n", file_get_max());
    return 0;
}

static ssize_t store_file_max(const char *text, size_t n, void *arg) {
    unsigned long max;
    (void)arg;
    long err = proc_parse_number(text, &max);
    if (err)
        return err;
    file_set_max(max);
    return n;
}

static int show_file_nr(struct seq_buf *s, void *arg) {
    (void)arg;
    seq_printf(s, "%lu\t0\t%lu\n", file_get_count(), file_get_max());
    return 0;
}

static const struct proc_entry entries[] = {
    PROC_TEXT("kernel/ostype", KERNEL_SYSNAME),
    PROC_TEXT("kernel/osrelease", KERNEL_RELEASE),
    PROC_TEXT("kernel/version", KERNEL_VERSION),
    PROC_TEXT("kernel/pid_max", "32768"),
    PROC_NUMBER("kernel/keys/maxkeys", &key_limits.keys, 0, INT32_MAX),
    PROC_NUMBER("kernel/keys/maxbytes", &key_limits.bytes, 0, INT32_MAX),
    PROC_NUMBER("kernel/keys/root_maxkeys", &key_limits.root_keys, 0, INT32_MAX),
    PROC_NUMBER("kernel/keys/root_maxbytes", &key_limits.root_bytes, 0, INT32_MAX),
    PROC_NUMBER("kernel/keys/gc_delay", &key_limits.gc_delay, 0, INT32_MAX),
    PROC_NUMBER("kernel/threads-max", &limits.threads_max, 20, THREADS_MOST),
    PROC_TEXT("kernel/ngroups_max", "65536"),
    PROC_TEXT("kernel/cap_last_cap", "40"),
    PROC_NUMBER("kernel/randomize_va_space", &vm_randomize, 0, INT32_MAX),
    {.path = "sys/kernel/hostname", .mode = 0644, .show = show_name, .store = store_name},
    {.path = "sys/kernel/domainname", .mode = 0644, .show = show_name, .store = store_name, .arg = boot_id},
    {.path = "sys/kernel/core_pattern", .mode = 0644, .show = show_core_pattern, .store = store_core_pattern},
    {.path = "sys/kernel/acct", .mode = 0644, .show = show_acct, .store = store_acct},
    PROC_NUMBER("kernel/core_uses_pid", &core_uses_pid, 0, 1),
    PROC_TEXT("kernel/core_pipe_limit", "0"),
    PROC_NUMBER("kernel/dmesg_restrict", &dmesg_restrict, 0, 1),
    {.path = "sys/kernel/printk", .mode = 0644, .show = show_printk, .store = store_printk},
    {.path = "sys/kernel/random/boot_id", .show = show_boot_id},
    {.path = "sys/kernel/random/uuid", .show = show_uuid},
    PROC_TEXT("kernel/random/entropy_avail", "256"),
    PROC_TEXT("kernel/random/poolsize", "256"),
    PROC_TEXT("kernel/seccomp/actions_avail", "kill_process kill_thread trap errno trace log allow"),
    PROC_NUMBER("vm/overcommit_memory", &vm_overcommit, VM_COMMIT_HEURISTIC, VM_COMMIT_STRICT),
    {.path = "sys/vm/overcommit_ratio",
     .mode = 0644,
     .show = proc_show_number,
     .store = store_overcommit_ratio,
     .arg = (void *)&ratio},
    {.path = "sys/vm/overcommit_kbytes",
     .mode = 0644,
     .show = proc_show_number,
     .store = store_overcommit_kbytes,
     .arg = (void *)&kilobytes},
    PROC_NUMBER("vm/admin_reserve_kbytes", &vm_admin_reserve_kbytes, 0, INT64_MAX),
    PROC_NUMBER("vm/user_reserve_kbytes", &vm_user_reserve_kbytes, 0, INT64_MAX),
    {.path = "sys/vm/mmap_min_addr", .mode = 0644, .show = show_mmap_min_addr, .store = store_mmap_min_addr},
    PROC_NUMBER("vm/max_map_count", &vm_max_areas, 0, INT32_MAX),
    {.path = "sys/vm/drop_caches", .mode = 0200, .store = store_drop_caches},
    {.path = "sys/fs/file-max", .mode = 0644, .show = show_file_max, .store = store_file_max},
    {.path = "sys/fs/file-nr", .show = show_file_nr},
    PROC_NUMBER("fs/pipe-user-pages-soft", &limits.pipe_user_soft, 0, INT64_MAX),
    PROC_NUMBER("fs/pipe-user-pages-hard", &limits.pipe_user_hard, 0, INT64_MAX),
    PROC_NUMBER("fs/protected_symlinks", &protected_symlinks, 0, 1),
    PROC_NUMBER("fs/protected_hardlinks", &protected_hardlinks, 0, 1),
    PROC_NUMBER("fs/protected_fifos", &protected_fifos, 0, 2),
    PROC_NUMBER("fs/protected_regular", &protected_regular, 0, 2),
    PROC_NUMBER("fs/mount-max", &limits.mounts_max, 1, INT32_MAX),
    PROC_NUMBER("fs/epoll/max_user_watches", &limits.watches_max, 0, INT64_MAX),
    PROC_NUMBER("fs/dir-notify-enable", &dnotify_enabled, 0, INT32_MAX),
    PROC_NUMBER("fs/lease-break-time", &lease_break_time, 0, INT32_MAX),
    PROC_NUMBER("fs/leases-enable", &leases_enabled, 0, INT32_MAX),
    PROC_NUMBER("fs/inotify/max_user_instances", &limits.inotify_max, 0, INT32_MAX),
    PROC_NUMBER("fs/inotify/max_user_watches", &limits.inotify_watches_max, 0, INT32_MAX),
    PROC_NUMBER("fs/inotify/max_queued_events", &inotify_events_max, 0, INT32_MAX),
    PROC_TEXT("fs/suid_dumpable", "0"),
    PROC_TEXT("fs/overflowuid", "65534"), // ID_OVERFLOW
    PROC_TEXT("fs/overflowgid", "65534"),
    PROC_TEXT("kernel/overflowuid", "65534"),
    PROC_TEXT("kernel/overflowgid", "65534"),
    // One limit for all kinds of namespaces together.
    PROC_NUMBER("user/max_user_namespaces", &limits.namespaces_max, 0, INT32_MAX),
    PROC_NUMBER("user/max_mnt_namespaces", &limits.namespaces_max, 0, INT32_MAX),
    PROC_NUMBER("user/max_uts_namespaces", &limits.namespaces_max, 0, INT32_MAX),
    PROC_NUMBER("user/max_net_namespaces", &limits.namespaces_max, 0, INT32_MAX),
    PROC_NUMBER("user/max_ipc_namespaces", &limits.namespaces_max, 0, INT32_MAX),
    PROC_NUMBER("user/max_pid_namespaces", &limits.namespaces_max, 0, INT32_MAX),
    PROC_TEXT("fs/nr_open", "1048576"),
    {.path = "sys/fs/pipe-max-size", .mode = 0644, .show = show_pipe_max_size, .store = store_pipe_max_size},
};

_Static_assert(CAP_LAST_CAP == 40 && NGROUPS_MAX == 65536, "as the table says");

void proc_sys_init(void) {
    make_uuid(boot_id);
    proc_register_all(entries, ARRAY_SIZE(entries));
}
