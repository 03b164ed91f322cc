// SPDX-License-Identifier: MIT
// The one list of calls that go upward through the layers: each is called in a low layer and defined in the
// layer its comment names. `make check` takes this file as the list of exceptions.
#pragma once
#include "core/types.h"

struct trap_frame;
struct thread;
struct file;
struct tty;
enum memory_class;

// arch -> boot: the first C code, on boot_thread, with the kernel's page table on: the hart, the device
// tree's physical address, rdtime at the image's first instruction.
extern struct thread boot_thread;
void kernel_main(unsigned long hartid, paddr_t dtb, uint64_t entered) __attribute__((noreturn));
// arch -> sys: an ecall from user mode goes to the entry of its number (SYSCALL_LIMIT for all beyond), with
// the program's a0-a5 and interrupts enabled; the result goes into the program's a0. clone, clone3 and traces
// come by way of entries in arch's trap.S.
typedef long (*syscall_fn)(unsigned long, unsigned long, unsigned long, unsigned long, unsigned long,
                           unsigned long);
extern const syscall_fn *syscall_entries;
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
// mm -> proc: whose allocation it is (mm/page.h), by the current thread. Looks only; any lock may be held.
enum memory_class memory_class(void);
// vm -> proc: memory has run out. Sees to it that there is more, by killing a process, and waits for that. 0: try again.
// -EINTR: the current thread is to end; -ENOMEM: nobody can be killed. Sleeps, with no lock of an address space held.
int memory_make_room(void);
// arch -> vm: a page fault at `addr`, from user mode or from a user access of the kernel's. `access` is one
// of PROT_READ, PROT_WRITE, PROT_EXEC. Returns 0 if the access may be retried, else the signal (SIGSEGV,
// SIGBUS) with its si_code in *code. May sleep.
int vm_fault(unsigned long addr, int access, int *code);
// vm -> fs: an area takes and gives up its reference on a file.
void vm_file_get(struct file *f);
void vm_file_put(struct file *f);
// The same for the program that an address space runs, which nobody may write meanwhile. Whoever hands it on keeps
// that so.
void vm_program_get(struct file *f);
void vm_program_put(struct file *f);
// arch -> proc: the running user program did something that a signal answers (fault, illegal instruction,
// ...).
void signal_fault(struct trap_frame *frame, int sig, int code, unsigned long addr);
// arch -> proc: before returning to user mode with any THREAD_WORK flag set: delivers signals, reschedules.
void user_return_work(struct trap_frame *frame);
// arch -> sched: this hart's timer fired; another hart asks for attention. Interrupts are disabled.
void timer_interrupt(void);
void ipi_interrupt(void);
// arch -> drivers: an external interrupt is pending at this hart's controller. Interrupts are disabled.
void external_interrupt(void);
// arch -> sched: first C code of a secondary hart, on its idle thread's stack, kernel page table on.
void hart_main(void) __attribute__((noreturn));

// sched -> vm: at a switch, with the run queue locked: makes next's address space this hart's (vm/vmspace.h).
void vmspace_activate(struct thread *next);
// sched -> vm: between the two this hart waits without using user memory or giving itself up, and need not be told
// of translations that go. vmspace_return() takes what vmspace_leave() gave.
unsigned long vmspace_leave(void);
void vmspace_return(unsigned long flushes);
// sched -> proc: SIGKILL is pending for the current thread, or its process is exiting.
bool signal_pending_fatal(void);

// fs, drivers, sched -> proc: sends `sig` as the kernel (SI_KERNEL) to a thread, to a process group, to a
// session.
void signal_send_thread(struct thread *thread, int sig);
int signal_send_pgrp(pid_t pgrp, int sig);
// fs, drivers -> proc: job control. All look at the current thread's process.
pid_t process_pgrp(void);
pid_t process_session(void);
bool process_is_session_leader(void);
bool process_pgrp_orphaned(void);
// True if `pgrp` is a process group of session `session`.
bool pgrp_in_session(pid_t pgrp, pid_t session);
// True if the current thread blocks `sig` or its process ignores it (SIGTTIN, SIGTTOU).
bool signal_is_ignored(int sig);
// fs -> proc: the current process's id, 0 in a kernel thread.
pid_t process_id(void);
// vm, fs -> proc: the current process's soft limit of a resource (RLIMIT_*).
uint64_t process_rlimit(unsigned int resource);
// fs -> proc: the controlling terminal of the current process: referenced, or NULL; set for the current
// process, which leads its session (takes a reference of its own); taken from all processes of a session.
struct tty *process_tty(void);
void process_set_tty(struct tty *tty);
void session_clear_tty(pid_t session);
// fs -> sys: the machine's name, as /proc/sys/kernel/{hostname,domainname} show and set it. `buf`: of at
// least 65 bytes; -EPERM, -EINVAL.
void system_get_name(bool domain, char *buf);
int system_set_name(bool domain, const char *name, size_t n);
// core -> proc: one line that names the running process, for panics and logs: `name[pid]`.
void process_describe(char *buf, size_t n);
