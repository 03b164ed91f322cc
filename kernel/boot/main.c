// SPDX-License-Identifier: MIT
// The whole start in order, on the hart that the firmware chose; docs/boot.md tells more.
#include "arch/riscv/cpu.h"
#include "arch/riscv/mmu.h"
#include "arch/riscv/shootdown.h"
#include "boot/image.h"
#include "boot/lockcheck_proof.h"
#include "boot/ram.h"
#include "boot/settings.h"
#include "core/cmdline.h"
#include "core/earlycon.h"
#include "core/fdt.h"
#include "core/panic.h"
#include "core/printk.h"
#include "core/random.h"
#include "core/version.h"
#include "drivers/aplic.h"
#include "drivers/plic.h"
#include "drivers/rtc.h"
#include "drivers/uart8250.h"
#include "drivers/virtio/virtio.h"
#include "fs/file.h"
#include "fs/init.h"
#include "initrd/initrd.h"
#include "ipc/mqueue.h"
#include "ipc/shm.h"
#include "keys/key.h"
#include "mm/slab.h"
#include "net/socket.h"
#include "proc/futex.h"
#include "proc/init.h"
#include "proc/posix_timer.h"
#include "procfs/pid.h"
#include "procfs/procfs.h"
#include "sched/clock.h"
#include "sched/user.h"
#include "sys/hwprobe.h"
#include "sys/trace.h"
#include "tty/tty.h"
#include "upcalls.h"
#include "vm/vmspace.h"

#define FILES_PART 10 // of memory in KiB: how many files may be open, as in Linux

struct thread
    boot_thread; // of the code that runs from the image's first instruction on; becomes hart 0's idle thread

// The rest of the start: a thread, since from here on things may sleep.
static void init_thread(void *arg) {
    (void)arg;
    fs_start();
    virtio_init();
    socket_layer_init();
    mqueue_init();
    keys_init();
    process_init();
    tty_init();
    procfs_init();
    sysfs_init();
    procfs_pid_init();
    settings_host_name();
    futex_init();
    posix_timer_init();
    lockcheck_prove();
    const char *init = initrd_load(ram_root(), image_archive(), ram_initrd());
    limits_init();
    shm_init();
    file_set_max(memory_usable_pages() * (PAGE_SIZE / 1024) / FILES_PART);
    trace_init();
    hwprobe_init();
    smp_wait_for_harts();
    process_start_init(init);
}

void kernel_main(unsigned long hartid, paddr_t dtb, uint64_t entered) {
    boot_thread.arch.hart = &harts[0];
    fdt_init(phys_to_virt(dtb));
    panic_init();
    fdt_read_harts(hartid);
    cmdline_init(image_command_line(), fdt_bootargs());
    settings_log_level();
    earlycon_init();
    pr_info("Drupe %s, entered at rdtime %lu", KERNEL_RELEASE, (unsigned long)entered);
    pr_info("%s, %u hart%s, %s", fdt_model(), hart_count, hart_count == 1 ? "" : "s", fdt_isa());
    if (!(arch_hwcap & HWCAP_D))
        pr_warn("the harts have no floating point (F and D): programs that use it get SIGILL");
    pr_info("command line: %s", cmdline_text());
    settings_apply();

    settings_failing_allocations();
    ram_init(dtb);
    slab_init();
    size_t n;
    const void *seed = fdt_rng_seed(&n);
    random_init(seed, n);
    uart_init();
    if (!plic_init() && !aplic_init())
        pr_warn("no interrupt controller is known here; devices cannot interrupt");
    sched_init();
    shootdown_init();
    clock_init();
    clock_set_realtime(rtc_read_ns());
    vm_init();
    arch_enable_interrupts();
    uart_enable_interrupts();
    smp_start_harts();
    if (kthread_run("init", init_thread, NULL))
        panic("no memory for the first thread");
    sched_idle_loop();
}
