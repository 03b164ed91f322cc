// SPDX-License-Identifier: MIT
// /sys/devices/system: harts and what holds them together, and memory, which is one node. Each hart is a core by itself,
// and all are in one package.
#include "lib/format.h"
#include "mm/page.h"
#include "mm/slab.h"
#include "procfs/private.h"
#include "sched/thread.h"

#define CPU  "devices/system/cpu/"
#define NODE "devices/system/node/"

static int put_list(struct seq_buf *s, uint64_t harts_) {
    seq_harts(s, harts_);
    seq_puts(s, "\n");
    return 0;
}

static int put_mask(struct seq_buf *s, uint64_t harts_) {
    seq_hart_mask(s, harts_);
    seq_puts(s, "\n");
    return 0;
}

static uint64_t all_harts(void) {
    return ~0ull >> (64 - hart_count);
}

static int show_online(struct seq_buf *s, void *arg) {
    (void)arg;
    return put_list(s, sched_online_mask());
}

static int show_online_mask(struct seq_buf *s, void *arg) {
    (void)arg;
    return put_mask(s, sched_online_mask());
}

static int show_offline(struct seq_buf *s, void *arg) {
    (void)arg;
    return put_list(s, all_harts() & ~sched_online_mask());
}

static int show_present(struct seq_buf *s, void *arg) {
    (void)arg;
    return put_list(s, all_harts());
}

static int show_kernel_max(struct seq_buf *s, void *arg) {
    (void)arg;
    seq_printf(s, "%d\n", MAX_HARTS - 1);
    return 0;
}

// ---- each hart; arg is its number

static int show_number(struct seq_buf *s, void *hart) {
    seq_printf(s, "%lu\n", (unsigned long)hart);
    return 0;
}

static int show_self_list(struct seq_buf *s, void *hart) {
    return put_list(s, 1ull << (unsigned long)hart);
}

static int show_self_mask(struct seq_buf *s, void *hart) {
    return put_mask(s, 1ull << (unsigned long)hart);
}

static const struct proc_entry topology[] = {
    {.path = "core_id", .show = show_number},
    {.path = "core_cpus", .show = show_self_mask},
    {.path = "core_cpus_list", .show = show_self_list},
    {.path = "thread_siblings", .show = show_self_mask},
    {.path = "thread_siblings_list", .show = show_self_list},
    {.path = "physical_package_id", .show = proc_show_text},
    {.path = "package_cpus", .show = show_online_mask},
    {.path = "package_cpus_list", .show = show_online},
    {.path = "core_siblings", .show = show_online_mask},
    {.path = "core_siblings_list", .show = show_online},
};

// What the tree keeps for a hart.
struct hart_entries {
    struct proc_entry entry[ARRAY_SIZE(topology)];
};

static struct hart_entries *hart_entries[MAX_HARTS]; // kept over a first attempt without memory

static int fill_hart(struct proc_tree *tree, unsigned long hart) {
    char path[64];
    struct hart_entries *own = hart_entries[hart] ? hart_entries[hart] : kmalloc(sizeof(*own));
    int err = own ? 0 : -ENOMEM;
    hart_entries[hart] = own;
    for (size_t i = 0; !err && i < ARRAY_SIZE(topology); i++) {
        own->entry[i] = topology[i];
        own->entry[i].arg = topology[i].show == proc_show_text ? "0" : (void *)hart;
        lib_snprintf(path, sizeof(path), CPU "cpu%lu/topology/%s", hart, topology[i].path);
        own->entry[i].path = topology[i].path;
        err = proc_tree_add(tree, path, &own->entry[i]);
    }
    return err;
}

// ---- memory

static int show_node_memory(struct seq_buf *s, void *arg) {
    struct memory_stats m;
    (void)arg;
    memory_get_stats(&m);
    const struct {
        const char *name;
        uint64_t pages;
    } lines[] = {{"MemTotal", m.total},
                 {"MemFree", m.free},
                 {"MemUsed", m.total - m.free},
                 {"FilePages", m.cache},
                 {"AnonPages", m.anon},
                 {"Shmem", m.cache},
                 {"KernelStack", m.kernel_stacks},
                 {"PageTables", m.page_tables},
                 {"Slab", m.slab}};
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        seq_puts(s, "Node 0 ");
        seq_memory(s, lines[i].name, lines[i].pages);
    }
    return 0;
}

static const struct proc_entry entries[] = {
    {.path = CPU "kernel_max", .show = show_kernel_max},
    {.path = CPU "online", .show = show_online},
    {.path = CPU "offline", .show = show_offline},
    {.path = CPU "possible", .show = show_present},
    {.path = CPU "present", .show = show_present},
    {.path = NODE "online", .show = proc_show_text, .arg = "0"},
    {.path = NODE "possible", .show = proc_show_text, .arg = "0"},
    {.path = NODE "has_cpu", .show = proc_show_text, .arg = "0"},
    {.path = NODE "has_memory", .show = proc_show_text, .arg = "0"},
    {.path = NODE "has_normal_memory", .show = proc_show_text, .arg = "0"},
    {.path = NODE "node0/cpulist", .show = show_online},
    {.path = NODE "node0/cpumap", .show = show_online_mask},
    {.path = NODE "node0/distance", .show = proc_show_text, .arg = "10"},
    {.path = NODE "node0/meminfo", .show = show_node_memory},
};

int sysfs_cpu_fill(struct proc_tree *tree) {
    int err = 0;
    for (size_t i = 0; !err && i < ARRAY_SIZE(entries); i++)
        err = proc_tree_add(tree, entries[i].path, &entries[i]);
    for (unsigned long i = 0; !err && i < hart_count; i++)
        err = fill_hart(tree, i);
    return err;
}
