// SPDX-License-Identifier: MIT
// The one list of calls that go upward through the layers: each is called in a low layer and defined in the
// layer its comment names. `make check` takes this file as the list of exceptions.
#pragma once
#include "core/types.h"

struct trap_frame;
struct thread;

// arch -> boot: the first C code, on boot_thread, with the kernel's page table on: the hart, the device
// tree's physical address, rdtime at the image's first instruction.
extern struct thread boot_thread;
void kernel_main(unsigned long hartid, paddr_t dtb, uint64_t entered) __attribute__((noreturn));
// arch -> sys: an ecall from user mode goes to the entry of its number (SYSCALL_LIMIT for all beyond), with
// the program's a0-a5 and interrupts enabled; the result goes into the program's a0. clone, clone3 and traces
// come by way of entries in arch's trap.S.
typedef long (*syscall_fn)(unsigned long, unsigned long, unsigned long, unsigned long, unsigned long,
                           unsigned long);
extern const syscall_fn *const syscall_entries_traced;
extern const syscall_fn *syscall_entries; // for a new thread (arch_thread.syscalls)
long syscall_clone(unsigned long, unsigned long, unsigned long, unsigned long, unsigned long, unsigned long);
long syscall_clone3(unsigned long, unsigned long, unsigned long, unsigned long, unsigned long, unsigned long);
long syscall_traced(unsigned long, unsigned long, unsigned long, unsigned long, unsigned long, unsigned long);
// arch -> core: an exception in the kernel that nothing can mend; a kernel stack that is full. Another hart
// asks for attention: if it is because it panics, stops here for good.
void panic_trap(const struct trap_frame *frame) __attribute__((noreturn));
void panic_stack_overflow(const struct trap_frame *frame) __attribute__((noreturn));
void panic_check_stop(void);
// arch -> mm: is this address in a kernel stack that is mapped now?
bool kstack_is_mapped(unsigned long addr);
// arch -> vm: a page fault at `addr`, from user mode or from a user access of the kernel's. `access` is one of PROT_READ,
// PROT_WRITE, PROT_EXEC. 0: the access may be retried. -EFAULT: nothing is mapped there; -EACCES: not for this access; -ENXIO:
// behind the end of what is mapped; -ENOMEM, -EINTR: the thread is to end. May sleep.
int vm_fault(unsigned long addr, int access);
// arch -> proc: the running user program did something that a signal answers (fault, illegal instruction,
// ...).
void signal_fault(struct trap_frame *frame, int sig, int code, unsigned long addr);
// arch -> proc: before returning to user mode with any THREAD_WORK flag set: delivers signals, reschedules.
void user_return_work(struct trap_frame *frame);
// arch -> sched: this hart's timer fired; another hart asks for attention. Interrupts are disabled.
void timer_interrupt(void);
void ipi_interrupt(void);
// arch -> core: an external interrupt is pending at this hart. Interrupts are disabled.
void external_interrupt(void);
// arch -> sched: first C code of a secondary hart, on its idle thread's stack, kernel page table on.
void hart_main(void) __attribute__((noreturn));

// sched -> proc: SIGKILL is pending for the current thread, which also tells that its process is being ended otherwise until the
// thread's own end has begun.
bool signal_pending_fatal(void);
// fs -> proc: sends `sig` as the kernel (SI_KERNEL) to a thread: SIGPIPE, SIGXFSZ.
void signal_send_thread(struct thread *thread, int sig);
