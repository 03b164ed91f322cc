// SPDX-License-Identifier: MIT
// The notes of a core file: registers, signal, process, auxiliary vector, mapped files, in the structures of Linux's
// linux/elfcore.h for riscv64, which C libraries have as sys/procfs.h.
#include "arch/riscv/regset.h"
#include "core/errno.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "proc/coredump_private.h"
#include "vm/vmspace.h"
#include <linux/elf.h>

#ifndef NT_SIGINFO
#define NT_SIGINFO 0x53494749
#endif
#ifndef NT_FILE
#define NT_FILE 0x46494c45
#endif

#define NAME     "CORE"
#define REGISTER 32

struct seconds {
    int64_t sec, usec;
};

struct prstatus {
    int32_t signo, code, error;
    int16_t sig, pad;
    uint64_t pending, held;
    int32_t pid, ppid, pgrp, session;
    struct seconds user, system, child_user, child_system;
    uint64_t registers[REGISTER];
    int32_t has_fp, pad2;
};

struct prpsinfo {
    char state, state_name, zombie, nice;
    uint32_t pad;
    uint64_t flags;
    uint32_t uid, gid;
    int32_t pid, ppid, pgrp, session;
    char name[16], arguments[80];
};
_Static_assert(sizeof(struct prstatus) == 376 && sizeof(struct prpsinfo) == 136, "as Linux has them");

static void reserve(struct core_notes *notes, size_t n) {
    if (notes->failed || notes->size + n <= notes->room)
        return;
    size_t room = MAX(notes->room * 2, notes->size + n + PAGE_SIZE);
    char *more = kmalloc(room);
    if (!more) {
        notes->failed = true;
        return;
    }
    memcpy(more, notes->data, notes->size);
    kfree(notes->data);
    notes->data = more;
    notes->room = room;
}

void core_append(struct core_notes *notes, const void *data, size_t n) {
    reserve(notes, n);
    if (notes->failed)
        return;
    memcpy(notes->data + notes->size, data, n);
    notes->size += n;
}

static void pad(struct core_notes *notes) {
    static const char zeros[4];
    core_append(notes, zeros, -notes->size & 3);
}

static void begin_note(struct core_notes *notes, unsigned int type, size_t size) {
    struct elf64_note head = {.n_namesz = sizeof(NAME), .n_descsz = size, .n_type = type};
    core_append(notes, &head, sizeof(head));
    core_append(notes, NAME, sizeof(NAME));
    pad(notes);
}

static void note(struct core_notes *notes, unsigned int type, const void *data, size_t size) {
    begin_note(notes, type, size);
    core_append(notes, data, size);
    pad(notes);
}

static struct seconds seconds_of(ktime_t t) {
    return (struct seconds){t / NSEC_PER_SEC, t % NSEC_PER_SEC / 1000};
}

static void note_status(struct core *c, struct thread *t) {
    struct process *p = current->process;
    ktime_t user = 0, system = 0;
    thread_cpu_time(t, &user, &system);
    struct prstatus s = {
        .signo = c->sig,
        .sig = c->sig,
        .pending = t->sig_pending & ~SIGNAL_BIT(SIGKILL),
        .held = t->sig_blocked,
        .pid = t->own_tid,
        .ppid = p->own_ppid,
        .pgrp = pid_shown(p->pgrp),
        .session = pid_shown(p->session),
        .user = seconds_of(user),
        .system = seconds_of(system),
        .child_user = seconds_of(p->child_user),
        .child_system = seconds_of(p->child_system),
        .has_fp = 1,
    };
    regset_get(t, NT_PRSTATUS, s.registers);
    note(&c->notes, NT_PRSTATUS, &s, sizeof(s));
}

static void note_fp(struct core *c, struct thread *t) {
    uint64_t fp[REGSET_MAX / sizeof(uint64_t)];
    regset_get(t, NT_PRFPREG, fp);
    note(&c->notes, NT_PRFPREG, fp, regset_size(NT_PRFPREG));
}

static void note_process(struct core *c) {
    struct process *p = current->process;
    struct vmspace *vm = current->vm;
    struct prpsinfo s = {
        .state_name = 'R',
        .nice = current->nice,
        .uid = current->cred->uid,
        .gid = current->cred->gid,
        .pid = p->own_pid,
        .ppid = p->own_ppid,
        .pgrp = pid_shown(p->pgrp),
        .session = pid_shown(p->session),
    };
    memcpy(s.name, current->name, sizeof(s.name));
    size_t n = MIN(vm->arg_end - vm->arg_start, sizeof(s.arguments) - 1);
    if (vm_access(vm, vm->arg_start, s.arguments, n, false) < 0)
        n = 0;
    for (size_t i = 0; i < n; i++) {
        if (!s.arguments[i])
            s.arguments[i] = ' ';
    }
    note(&c->notes, NT_PRPSINFO, &s, sizeof(s));
}

static void note_auxv(struct core *c) {
    const unsigned long *auxv = current->vm->auxv;
    size_t n = 0;
    while (n + 2 < ARRAY_SIZE(current->vm->auxv) && auxv[n])
        n += 2;
    note(&c->notes, NT_AUXV, auxv, (n + 2) * sizeof(*auxv));
}

static void note_files(struct core *c) {
    unsigned long head[2] = {c->file_count, PAGE_SIZE};
    begin_note(&c->notes, NT_FILE, sizeof(head) + c->file_count * 3 * sizeof(unsigned long) + c->files.size);
    core_append(&c->notes, head, sizeof(head));
    for (unsigned int i = 0; i < c->count; i++) {
        const struct core_area *a = &c->areas[i];
        unsigned long where[3] = {a->start, a->end, a->pgoff};
        if (a->of_file)
            core_append(&c->notes, where, sizeof(where));
    }
    core_append(&c->notes, c->files.data, c->files.size);
    pad(&c->notes);
}

static size_t note_size(size_t size) {
    return sizeof(struct elf64_note) + ALIGN_UP(sizeof(NAME), 4) + ALIGN_UP(size, 4);
}

// Of another thread, which rests.
static void note_thread(struct core *c, struct thread *t) {
    note_status(c, t);
    note_fp(c, t);
}

// They have said that they rest; until they have left their harts their registers belong to these.
static void wait_until_off_harts(struct process *p) {
    struct thread *t;
    bool runs;
    do {
        runs = false;
        unsigned long flags = spin_lock_irqsave(&process_lock);
        list_for_each_entry (t, &p->threads, process_link)
            runs = runs || (t != current && !t->exiting && __atomic_load_n(&t->on_cpu, __ATOMIC_ACQUIRE));
        spin_unlock_irqrestore(&process_lock, flags);
        cpu_relax();
        cond_resched();
    } while (runs);
}

int core_make_notes(struct core *c) {
    struct process *p = current->process;
    struct thread *t;
    siginfo_t info;
    memset(&info, 0, sizeof(info));
    signal_info_copy(&info, c->info);
    wait_until_off_harts(p);
    note_status(c, current);
    note_process(c);
    note(&c->notes, NT_SIGINFO, &info, sizeof(info));
    note_auxv(c);
    note_files(c);
    note_fp(c, current);
    // It has got no threads since its end began.
    reserve(&c->notes, READ_ONCE(p->thread_count) *
                           (note_size(sizeof(struct prstatus)) + note_size(regset_size(NT_PRFPREG))));
    unsigned long flags = spin_lock_irqsave(&process_lock);
    list_for_each_entry (t, &p->threads, process_link) {
        if (t != current && !t->exiting)
            note_thread(c, t);
    }
    spin_unlock_irqrestore(&process_lock, flags);
    return c->notes.failed || c->files.failed ? -ENOMEM : 0;
}
