// SPDX-License-Identifier: MIT
#include "boot/settings.h"
#include "arch/riscv/cpu.h"
#include "arch/riscv/sbi.h"
#include "arch/riscv/uaccess.h"
#include "core/cmdline.h"
#include "core/printk.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/fail_alloc.h"
#include "proc/uts.h"
#include "vm/vmspace.h"

void settings_log_level(void) {
    if (cmdline_has("quiet"))
        console_loglevel = LOG_WARNING;
    console_loglevel = (int)cmdline_number("loglevel", console_loglevel);
    if (cmdline_has("ignore_loglevel") || cmdline_has("debug"))
        console_loglevel = LOG_DEBUG + 1;
}

// nosmp, maxcpus= and nr_cpus= (kernel-parameters.txt): harts that are not used are not even started.
static void limit_harts(void) {
    long nr = cmdline_number("nr_cpus", 0), max = cmdline_number("maxcpus", -1);
    unsigned int found = hart_count;
    if (nr > 0)
        hart_count = MIN((unsigned long)nr, hart_count);
    if (max >= 0)
        hart_count = MIN((unsigned long)MAX(max, 1l), hart_count);
    if (cmdline_has("nosmp"))
        hart_count = 1;
    if (hart_count < found)
        pr_info("%u of %u harts are used, as the command line wants", hart_count, found);
}

// Words of Linux's that are kept from init are named once: whoever gave one may wait for what it does there.
static void name_idle_words(void) {
    char words[200] = "";
    for (unsigned int i = 0; i < cmdline_dashes() && i < cmdline_count(); i++) {
        size_t n = strlen(words);
        if (cmdline_is_idle(cmdline_word(i)))
            lib_snprintf(words + n, sizeof(words) - n, " %s", cmdline_word(i));
    }
    if (*words)
        pr_info("command line: without effect here:%s", words);
}

static void choose_randomization(void) {
    const char *value = cmdline_get("randomize");
    if (value && !strcmp(value, "boot"))
        vm_randomize = VM_RANDOMIZE_BOOT;
    else if (value && strcmp(value, "exec"))
        pr_warn("randomize=%s: neither boot nor exec", value);
    if (cmdline_has("norandmaps"))
        vm_randomize = 0;
}

#define QEMU_SUM_IS_CHEAP 0x80100 // its version, 8.1.0, as its processors have it; those before 7.1 have 0

// Whether opening and closing costs so much that leaving user memory open is worth it; and nothing is to be found by closing it.
static bool may_stay_open(void) {
#ifdef CONFIG_DEBUG
    return false;
#else
    return !sbi_machine_id(SBI_MVENDORID) && (unsigned long)sbi_machine_id(SBI_MIMPID) < QEMU_SUM_IS_CHEAP;
#endif
}

static void choose_uaccess(void) {
    const char *value = cmdline_get("uaccess");
    if (value && !strcmp(value, "open")) {
        if (may_stay_open())
            uaccess_close = 0;
        pr_info("user memory: %s", uaccess_close ? "closed all the same" : "open");
    } else if (value && strcmp(value, "closed")) {
        pr_warn("uaccess=%s: neither open nor closed", value);
    }
}

void settings_apply(void) {
    name_idle_words();
    choose_uaccess();
    limit_harts();
    choose_randomization();
}

void settings_failing_allocations(void) {
    const char *value = cmdline_get("fail_alloc");
    if (!value)
        return;
#ifdef CONFIG_DEBUG
    if (fail_alloc_set(value))
        pr_warn("fail_alloc=%s: neither N (the Nth allocation fails) nor 1/N (one in N does)", value);
#else
    pr_warn("fail_alloc=%s: allocations fail on purpose in a kernel built with DEBUG=1 only", value);
#endif
}

void settings_host_name(void) {
    const char *name = cmdline_get("hostname");
    if (name && *name && uts_set_name(false, name, strlen(name)))
        pr_warn("hostname=%s: too long", name);
}
