// SPDX-License-Identifier: MIT
// /proc/tty: which kinds of terminals there are and what numbers they have, by which programs tell a descriptor's terminal.
#include "fs/dev/chrdev.h"
#include "lib/string.h"
#include "procfs/private.h"
#include <linux/major.h>

static const struct kind {
    const char *device; // chrdev.driver
    const char *driver, *type;
} kinds[] = {{"ttyS", "serial", "serial"}, {"hvc", "hvc", "system"}, {"pts", "pty_slave", "pty:slave"}};

static void put_numbers(struct seq_buf *s, dev_t first, unsigned int count) {
    if (count > 1)
        seq_printf(s, "%3u %u-%u ", DEV_MAJOR(first), DEV_MINOR(first), DEV_MINOR(first) + count - 1);
    else
        seq_printf(s, "%3u %7u ", DEV_MAJOR(first), DEV_MINOR(first));
}

static void put_line(struct seq_buf *s, const char *driver, const char *name, dev_t first, unsigned int count,
                     const char *type) {
    seq_printf(s, "%-20s /dev/%-8s ", driver, name);
    put_numbers(s, first, count);
    seq_printf(s, "%s\n", type);
}

// The numbers of the devices of one kind.
struct numbers {
    const char *device;
    dev_t first, end;
};

static bool add_numbers(struct chrdev *c, void *arg) {
    struct numbers *n = arg;
    if (!c->driver || strcmp(c->driver, n->device))
        return true;
    n->first = n->end ? MIN(n->first, c->dev) : c->dev;
    n->end = MAX(n->end, c->dev + MAX(c->minors, 1u));
    return true;
}

// Those that are no driver's come first.
static int show_drivers(struct seq_buf *s, void *arg) {
    (void)arg;
    put_line(s, "/dev/tty", "tty", MKDEV(TTYAUX_MAJOR, 0), 1, "system:/dev/tty");
    put_line(s, "/dev/console", "console", MKDEV(TTYAUX_MAJOR, 1), 1, "system:console");
    put_line(s, "/dev/ptmx", "ptmx", MKDEV(TTYAUX_MAJOR, 2), 1, "system");
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        struct numbers n = {.device = kinds[i].device};
        chrdev_for_each(add_numbers, &n);
        unsigned int count = (unsigned int)(n.end - n.first);
        if (!count)
            continue;
        put_line(s, kinds[i].driver, kinds[i].device, n.first, count, kinds[i].type);
        if (DEV_MAJOR(n.first) ==
            UNIX98_PTY_SLAVE_MAJOR) // the other ends, which nobody opens by such a number
            put_line(s, "pty_master", "ptm", MKDEV(UNIX98_PTY_MASTER_MAJOR, 0), count, "pty:master");
    }
    return 0;
}

static int show_disciplines(struct seq_buf *s, void *arg) {
    (void)arg;
    seq_printf(s, "%-10s %2d\n", "n_tty", 0);
    return 0;
}

static const struct proc_entry entries[] = {{.path = "tty/drivers", .show = show_drivers},
                                            {.path = "tty/ldiscs", .show = show_disciplines}};

void proc_tty_init(void) {
    proc_register_all(entries, ARRAY_SIZE(entries));
}
