// SPDX-License-Identifier: MIT
// The machine as a whole: names, memory and load, the log, random numbers, turning it off.
#include "sys/syscalls.h"
#include "arch/riscv/sbi.h"
#include "arch/riscv/uaccess.h"
#include "core/cred.h"
#include "core/printk.h"
#include "core/random.h"
#include "core/version.h"
#include "lib/string.h"
#include "mm/page.h"
#include "mm/slab.h"
#include "proc/exit.h"
#include "proc/process.h"
#include "proc/uts.h"
#include "sched/clock.h"
#include "sched/wait.h"
#include "upcalls.h"
#include <linux/capability.h>
#include <linux/personality.h>
#include <linux/random.h>
#include <linux/reboot.h>
#include <linux/sysinfo.h>
#include <linux/utsname.h>

// ---- names

long sys_uname(void __user *name) {
    struct new_utsname u = {
        .sysname = KERNEL_SYSNAME,
        .release = KERNEL_RELEASE,
        .version = KERNEL_VERSION,
        .machine = KERNEL_MACHINE,
    };
    if (READ_ONCE(current->process->personality) & UNAME26)
        memcpy(u.release, KERNEL_RELEASE_26, sizeof(KERNEL_RELEASE_26));
    uts_get_name(false, u.nodename);
    uts_get_name(true, u.domainname);
    return put_object(name, u);
}

static long set_name_user(bool domain, const char __user *name, size_t n) {
    char copy[__NEW_UTS_LEN];
    if (n > sizeof(copy))
        return -EINVAL;
    int err = copy_from_user(copy, name, n);
    return err ? err : uts_set_name(domain, copy, n);
}

long sys_sethostname(const char __user *name, size_t n) {
    return set_name_user(false, name, n);
}

long sys_setdomainname(const char __user *name, size_t n) {
    return set_name_user(true, name, n);
}

// ---- memory and load

static bool count_process(struct process *p, void *count) {
    (void)p;
    ++*(unsigned int *)count;
    return true;
}

long sys_sysinfo(void __user *info) {
    unsigned long load[3];
    unsigned int processes = 0;
    struct memory_stats m;
    sched_loadavg(load);
    process_for_each(count_process, &processes);
    memory_get_stats(&m);
    struct sysinfo s = {
        .uptime = clock_monotonic() / NSEC_PER_SEC,
        .totalram = m.total << PAGE_SHIFT,
        .freeram = m.free << PAGE_SHIFT,
        .procs = MIN(processes, 65535u),
        .mem_unit = 1,
    };
    for (int i = 0; i < 3; i++)
        s.loads[i] = load[i] << (SI_LOAD_SHIFT - 11); // ours are in 1/2^11
    return put_object(info, s);
}

// ---- the log: syslog(2)

enum syslog_action {
    SYSLOG_CLOSE,
    SYSLOG_OPEN,
    SYSLOG_READ,       // and forget; waits for text
    SYSLOG_READ_ALL,   // the newest that fits
    SYSLOG_READ_CLEAR, // the same, and clear
    SYSLOG_CLEAR,      // for READ_ALL only
    SYSLOG_CONSOLE_OFF,
    SYSLOG_CONSOLE_ON,
    SYSLOG_CONSOLE_LEVEL,
    SYSLOG_SIZE_UNREAD,
    SYSLOG_SIZE_BUFFER,
};

#define LOG_CHUNK 4096
#define LOG_POLL_NS                                                                                          \
    (100 * 1000 * NSEC_PER_USEC) // printk() may be called with any lock held, so it cannot wake readers
#define LEVEL_OFF 1
#define LEVEL_MAX 8

static struct mutex log_lock = MUTEX_INIT(log_lock);
static uint64_t log_next_read;       // [log_lock] where READ goes on
static uint64_t log_cleared;         // [log_lock] where READ_ALL begins
static int saved_console_level = -1; // [log_lock] what CONSOLE_ON restores

// Bytes of text from sequence number seq on. `chunk` is scratch.
static size_t log_bytes_from(uint64_t seq, char *chunk) {
    size_t total = 0, n;
    while ((n = log_read(&seq, chunk, LOG_CHUNK)))
        total += n;
    return total;
}

static long log_read_all(char __user *buf, size_t n, bool clear, char *chunk) {
    uint64_t seq = log_cleared, end = log_next_seq();
    size_t total = log_bytes_from(seq, chunk), done = 0, got;
    while (done < n && (got = log_read(&seq, chunk, LOG_CHUNK))) {
        size_t skip = total > n ? MIN(got, total - n) : 0; // the oldest do not fit
        size_t put = MIN(got - skip, n - done);
        total -= skip;
        int err = copy_to_user(buf + done, chunk + skip, put);
        if (err)
            return err;
        done += put;
    }
    if (clear)
        log_cleared = end;
    return done;
}

static long log_read_next(char __user *buf, size_t n, char *chunk) {
    for (;;) {
        size_t got = log_read(&log_next_read, chunk, MIN(n, (size_t)LOG_CHUNK));
        if (got)
            return copy_to_user(buf, chunk, got) ? -EFAULT : (long)got;
        mutex_unlock(&log_lock);
        int err = sleep_until(clock_monotonic() + LOG_POLL_NS);
        mutex_lock(&log_lock);
        if (err)
            return -ERESTARTSYS;
    }
}

static long log_console(int type, int level) {
    switch (type) {
    case SYSLOG_CONSOLE_OFF:
        if (saved_console_level < 0)
            saved_console_level = console_loglevel;
        console_loglevel = LEVEL_OFF;
        return 0;
    case SYSLOG_CONSOLE_ON:
        if (saved_console_level >= 0)
            console_loglevel = saved_console_level;
        saved_console_level = -1;
        return 0;
    default:
        if (level < 1 || level > LEVEL_MAX)
            return -EINVAL;
        console_loglevel = level;
        saved_console_level = -1;
        return 0;
    }
}

static long log_action(int type, char __user *buf, int n, char *chunk) {
    switch (type) {
    case SYSLOG_CLOSE:
    case SYSLOG_OPEN:
        return 0;
    case SYSLOG_READ:
        return log_read_next(buf, n, chunk);
    case SYSLOG_READ_ALL:
    case SYSLOG_READ_CLEAR:
        return log_read_all(buf, n, type == SYSLOG_READ_CLEAR, chunk);
    case SYSLOG_CLEAR:
        log_cleared = log_next_seq();
        return 0;
    case SYSLOG_SIZE_UNREAD:
        return log_bytes_from(log_next_read, chunk);
    case SYSLOG_SIZE_BUFFER:
        return log_size();
    default:
        return log_console(type, n);
    }
}

// Reading all and asking for its size is anybody's without dmesg_restrict.
long sys_syslog(int type, char __user *buf, int n) {
    bool reads = type == SYSLOG_READ || type == SYSLOG_READ_ALL || type == SYSLOG_READ_CLEAR;
    bool free = (type == SYSLOG_READ_ALL || type == SYSLOG_SIZE_BUFFER) && !READ_ONCE(dmesg_restrict);
    if (!free && !capable(CAP_SYSLOG) && !capable(CAP_SYS_ADMIN))
        return -EPERM;
    if (type < SYSLOG_CLOSE || type > SYSLOG_SIZE_BUFFER || (reads && (!buf || n < 0)))
        return -EINVAL;
    if (reads && !n)
        return 0;
    char *chunk = kmalloc(LOG_CHUNK);
    if (!chunk)
        return -ENOMEM;
    mutex_lock(&log_lock);
    long ret = log_action(type, buf, n, chunk);
    mutex_unlock(&log_lock);
    kfree(chunk);
    return ret;
}

// ---- random numbers

// The generator is seeded before the first program runs, so nothing ever waits.
long sys_getrandom(void __user *buf, size_t n, unsigned int flags) {
    char chunk[256];
    size_t done = 0;
    if (flags & ~(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE) ||
        (flags & (GRND_RANDOM | GRND_INSECURE)) == (GRND_RANDOM | GRND_INSECURE))
        return -EINVAL;
    n = MIN(n, (size_t)INT32_MAX);
    while (done < n) {
        size_t part = MIN(n - done, sizeof(chunk));
        random_bytes(chunk, part);
        if (copy_to_user((char __user *)buf + done, chunk, part))
            return done ? (long)done : -EFAULT;
        done += part;
        if (done < n && signal_pending())
            break;
        cond_resched();
    }
    memset(chunk, 0, sizeof(chunk));
    return done;
}

// ---- turning it off: reboot(2)

static bool is_reboot_magic(int magic1, int magic2) {
    return (unsigned int)magic1 == LINUX_REBOOT_MAGIC1 &&
           (magic2 == LINUX_REBOOT_MAGIC2 || magic2 == LINUX_REBOOT_MAGIC2A ||
            magic2 == LINUX_REBOOT_MAGIC2B || magic2 == LINUX_REBOOT_MAGIC2C);
}

// In a pid namespace its init is what ends, and its parent sees by what signal which of the two was meant.
static long reboot_namespace(struct pid_ns *ns, unsigned int cmd) {
    int sig;
    switch (cmd) {
    case LINUX_REBOOT_CMD_RESTART:
    case LINUX_REBOOT_CMD_RESTART2:
        sig = SIGHUP;
        break;
    case LINUX_REBOOT_CMD_HALT:
    case LINUX_REBOOT_CMD_POWER_OFF:
        sig = SIGINT;
        break;
    default:
        return -EINVAL;
    }
    unsigned long flags = spin_lock_irqsave(&process_lock);
    ns->reboot_signal = sig;
    if (ns->init)
        (void)signal_send_process(ns->init, SIGKILL);
    spin_unlock_irqrestore(&process_lock, flags);
    process_exit_group(0);
}

// There is no keyboard, so Ctrl-Alt-Del is never pressed; as in Linux on such a machine both settings are
// accepted.
long sys_reboot(int magic1, int magic2, unsigned int cmd, const void __user *arg) {
    (void)arg;
    if (!capable_in(current->pid_ns->ns.owner, CAP_SYS_BOOT))
        return -EPERM;
    if (!is_reboot_magic(magic1, magic2))
        return -EINVAL;
    if (current->pid_ns->level)
        return reboot_namespace(current->pid_ns, cmd);
    switch (cmd) {
    case LINUX_REBOOT_CMD_CAD_ON:
    case LINUX_REBOOT_CMD_CAD_OFF:
        return 0;
    case LINUX_REBOOT_CMD_RESTART:
    case LINUX_REBOOT_CMD_RESTART2:
        printk(LOG_EMERG, "reboot: restarting");
        panic_check_stop(); // a panic decides how the machine ends
        sbi_reboot();
        return -EIO;
    case LINUX_REBOOT_CMD_HALT:
    case LINUX_REBOOT_CMD_POWER_OFF:
        printk(LOG_EMERG, "reboot: power off");
        panic_check_stop();
        sbi_shutdown(false);
        return -EIO;
    default:
        return -EINVAL;
    }
}
