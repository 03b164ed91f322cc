// SPDX-License-Identifier: MIT
// Which words of the command line are the kernel's. Linux passes on to init what no part of it has asked for, so init
// programs expect not to see the others, whether or not they mean something here.
#include "core/cmdline.h"
#include "lib/string.h"

// In both tables: "name=" is a parameter that needs a value, "name" one that may have one.

// What this kernel does something about.
static const char *const own[] = {"console=",        "debug",      "earlycon",   "fail_alloc=", "hostname",
                                  "ignore_loglevel", "init=",      "initrd",     "lockcheck=",  "loglevel",
                                  "maxcpus",         "mem",        "norandmaps", "nosmp",       "nr_cpus",
                                  "panic",           "randomize=", "rdinit=",    "rootflags=",  "rootmem=",
                                  "quiet",           "trace",      "uaccess="};

// What Linux 6.12 takes on RISC-V, and without effect here: what Debian's kernel has asked for (its table of __setup(),
// early_param() and core_param(), read out of the binary), and what other configurations have beside that
// (Documentation/admin-guide/kernel-parameters.txt).
// clang-format off
static const char *const linux_words[] = {
    "TOMOYO_loader=", "TOMOYO_trigger=", "acpi", "acpi_apic_instance", "acpi_backlight=",
    "acpi_enforce_resources=", "acpi_force_32bit_fadt_addr", "acpi_force_table_verification",
    "acpi_irq_balance", "acpi_irq_isa=", "acpi_irq_nobalance", "acpi_irq_pci=", "acpi_mask_gpe=",
    "acpi_no_auto_serialize", "acpi_no_static_ssdt", "acpi_no_watchdog", "acpi_os_name=", "acpi_osi=",
    "acpi_rsdp", "acpica_no_return_repair", "alloc_snapshot", "apparmor=", "audit=", "audit_backlog_limit=",
    "bdev_allow_write_mounted=", "boot_delay", "bootconfig", "ca_keys=", "cgroup_debug", "cgroup_disable=",
    "cgroup_favordynmods=", "cgroup_no_v1=", "checkreqprot=", "clk_ignore_unused", "clock=", "clocksource=",
    "cma", "coherent_pool", "console_msg_format=", "consoleblank", "coredump_filter=",
    "crash_kexec_post_notifiers", "crashkernel", "debug_boot_weak_hash", "debug_guardpage_minorder",
    "debug_objects", "debugfs", "default_hugepagesz=", "deferred_probe_timeout=", "delayacct",
    "dhash_entries=", "driver_async_probe=", "dyndbg=", "early_ioremap_debug", "early_page_ext", "efi",
    "elevator=", "elfcorehdr", "enforcing=", "ether=", "evm=", "fb_tunnels=", "fbcon=", "fips=", "ftrace=",
    "ftrace_boot_snapshot", "ftrace_dump_on_oops", "ftrace_filter=", "ftrace_graph_filter=",
    "ftrace_graph_max_depth=", "ftrace_graph_notrace=", "ftrace_notrace=", "fw_devlink", "gpt",
    "hardened_usercopy=", "hashdist=", "hibernate=", "highres=", "hlt", "hugepages=", "hugepagesz=",
    "hugetlb_cma", "hugetlb_free_vmemmap", "ignore_rlimit_data", "ihash_entries=", "ima_appraise",
    "ima_appraise_tcb", "ima_canonical_fmt", "ima_hash=", "ima_policy=", "ima_tcb", "ima_template=",
    "ima_template_fmt=", "init_on_alloc", "init_on_free", "initcall_blacklist=", "initcall_debug",
    "initramfs_async=", "initramfs_options=", "initrdmem", "integrity_audit=", "iomem=", "ip=",
    "ipcmni_extend", "irqaffinity=", "irqfixup", "irqpoll", "irqtime", "isolcpus=", "kasan", "keep_bootcon",
    "kernelcore", "kgdbcon", "kgdboc=", "kgdbwait", "kmemleak", "kprobe_event=", "load_ramdisk=",
    "lockdown", "log_buf_len", "lpj=", "lsm=", "md=", "mem_sleep_default=", "memblock",
    "memhp_default_state=", "memtest", "mhash_entries=", "mitigations", "mminit_loglevel",
    "module_blacklist", "movable_node", "movablecore", "mphash_entries=", "netdev=", "nfsaddrs=",
    "nfsroot=", "nfsrootdebug", "nmi_watchdog=", "no4lvl", "no5lvl", "no_console_suspend",
    "no_debug_objects", "no_file_caps", "no_hash_pointers", "noautogroup", "noefi", "nohibernate", "nohlt",
    "nohugeiomap", "nohugevmalloc", "nohz=", "nohz_full=", "noinitrd", "noirqdebug", "nomodeset",
    "nokaslr", "nomodule", "noresume", "nosoftlockup", "nowatchdog", "ntp_tick_adj=", "numa", "numa_balancing=",
    "oops", "page_owner", "page_poison", "panic_on_taint", "panic_on_warn", "panic_print", "pause_on_oops",
    "pci", "pcie_aspm=", "pcie_pme=", "pcie_port_pm=", "pcie_ports=", "pd_ignore_unused", "percpu_alloc",
    "pm_debug_messages", "pnp_reserve_dma=", "pnp_reserve_io=", "pnp_reserve_irq=", "pnp_reserve_mem=",
    "pnpacpi=", "print-fatal-signals=", "profile=", "prompt_ramdisk=", "psi=", "raid=", "ramdisk_size=",
    "ramdisk_start=", "randomize_kstack_offset", "ras", "rcu_nocb_poll", "rcu_nocbs", "reboot=",
    "regulator_ignore_unused", "relax_domain_level=", "resched_latency_warn_ms=", "reserve=",
    "reserve_mem=", "reset_devices", "resume=", "resume_offset=", "resumedelay=", "resumewait",
    "retain_initrd", "ro", "rodata", "root=", "rootdelay=", "rootfstype=", "rootwait", "rw",
    "sched_thermal_decay_shift=", "sched_verbose", "schedstats=", "security=", "selinux=", "skew_tick",
    "slab_debug", "slab_max_order=", "slab_merge", "slab_min_objects=", "slab_min_order=", "slab_nomerge",
    "slub_debug", "slub_max_order=", "slub_merge", "slub_min_objects=", "slub_min_order=", "slub_nomerge",
    "softlockup_panic=", "stack_depot_disable", "stack_guard_gap=", "stacktrace", "swapaccount=", "swiotlb",
    "sysrq_always_enabled", "tcpmhash_entries=", "thash_entries=", "thp_anon=", "thread_backlog_napi",
    "threadirqs", "tp_printk", "tp_printk_stop_on_boot", "trace_buf_size=", "trace_clock=", "trace_event=",
    "trace_instance=", "trace_options=", "trace_trigger=", "traceoff_on_warning", "tracing_thresh=",
    "transparent_hugepage=", "uhash_entries=", "version", "video=", "watchdog_thresh="
};
// clang-format on

static bool is_in(const char *word, const char *const table[], size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (table[i][0] != word[0]) // no name begins with a dash
            continue;
        size_t length = strlen(table[i]);
        bool needs_value = table[i][length - 1] == '=';
        const char *value = cmdline_value(word, table[i], length - needs_value);
        if (value && (!needs_value || value[-1] == '='))
            return true;
    }
    return false;
}

// Of a module, or of a part of the kernel that could be one: "module.parameter".
static bool is_of_a_module(const char *word) {
    const char *equals = strchr(word, '='), *dot = strchr(word, '.');
    return dot && (!equals || dot < equals);
}

bool cmdline_is_kernels(const char *word) {
    return is_in(word, own, ARRAY_SIZE(own)) || cmdline_is_idle(word);
}

bool cmdline_is_idle(const char *word) {
    return is_in(word, linux_words, ARRAY_SIZE(linux_words)) || is_of_a_module(word);
}
