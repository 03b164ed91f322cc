// SPDX-License-Identifier: MIT
// The stack of a new program. From the stack pointer up: argc, the pointers of argv and of envp, each with a
// NULL at the end, the auxiliary vector (getauxval(3)); then 16 random bytes, the strings of argv, of envp,
// the program's name, and 8 bytes of zeros.
#include "arch/riscv/cpu.h"
#include "core/errno.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "proc/exec_private.h"
#include "proc/rseq.h"
#include <linux/auxvec.h>
#include <asm/auxvec.h>
#include <linux/mman.h>
#include <asm/signal.h>

#define STACK_ROOM  (128ul * 1024) // mapped below at once; the stack grows beyond that
#define STACK_ALIGN 16
#define USER_HZ     100
#define RANDOM_SIZE 16
#define END_ZEROS   8

#ifndef AT_RSEQ_FEATURE_SIZE
#define AT_RSEQ_FEATURE_SIZE 27
#define AT_RSEQ_ALIGN        28
#endif

struct auxv {
    unsigned long *next, *end;
};

static void put(struct auxv *a, unsigned long type, unsigned long value) {
    if (a->end - a->next >= 2) {
        *a->next++ = type;
        *a->next++ = value;
    }
}

// Words of the vector, its end included. `random` and `name`: user addresses.
static size_t build_auxv(struct exec *e, unsigned long random, unsigned long name) {
    unsigned long *out = e->vm->auxv;
    struct auxv a = {out, out + ARRAY_SIZE(e->vm->auxv)};
    const struct elf_image *elf = &e->program.elf;
    put(&a, AT_SYSINFO_EHDR, e->vm->vdso);
    put(&a, AT_MINSIGSTKSZ, MINSIGSTKSZ);
    put(&a, AT_HWCAP, arch_hwcap);
    put(&a, AT_PAGESZ, PAGE_SIZE);
    put(&a, AT_CLKTCK, USER_HZ);
    put(&a, AT_PHDR, elf->phdr_vaddr ? elf->phdr_vaddr + e->program.bias : 0);
    put(&a, AT_PHENT, ELF_PHDR_SIZE);
    put(&a, AT_PHNUM, elf->phnum);
    put(&a, AT_BASE, e->interpreter.file ? e->interpreter.bias : 0);
    put(&a, AT_FLAGS, 0);
    put(&a, AT_ENTRY, elf->entry + e->program.bias);
    put(&a, AT_UID, uid_shown(e->cred->user_ns, e->cred->uid));
    put(&a, AT_EUID, uid_shown(e->cred->user_ns, e->cred->euid));
    put(&a, AT_GID, gid_shown(e->cred->user_ns, e->cred->gid));
    put(&a, AT_EGID, gid_shown(e->cred->user_ns, e->cred->egid));
    put(&a, AT_SECURE, e->secure);
    put(&a, AT_RANDOM, random);
    put(&a, AT_HWCAP2, 0);
    put(&a, AT_EXECFN, name);
    put(&a, AT_RSEQ_FEATURE_SIZE, RSEQ_AREA_LENGTH);
    put(&a, AT_RSEQ_ALIGN, RSEQ_AREA_ALIGNMENT);
    put(&a, AT_NULL, 0);
    return a.next - out;
}

static int map_stack(struct exec *e, unsigned long bottom) {
    unsigned long start = ALIGN_DOWN(bottom - STACK_ROOM, PAGE_SIZE);
    bool executable = e->program.elf.has_stack && e->program.elf.execute_stack;
    struct vm_map_args args = {
        .addr = start,
        .length = e->stack_top - start,
        .prot = PROT_READ | PROT_WRITE | (executable ? PROT_EXEC : 0),
        .flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN,
        .max_prot = PROT_READ | PROT_WRITE | PROT_EXEC,
        .name = "[stack]",
    };
    long addr = vm_map(e->vm, &args);
    return addr < 0 ? (int)addr : 0;
}

// One pointer for each of `count` strings from *s on, and a NULL; *s moves behind them. Strings are at `addr`
// for the program.
static unsigned long *put_pointers(unsigned long *out, const char **s, unsigned long *addr,
                                   unsigned int count) {
    for (unsigned int i = 0; i < count; i++) {
        size_t size = strlen(*s) + 1;
        *out++ = *addr;
        *s += size;
        *addr += size;
    }
    *out++ = 0;
    return out;
}

static int write_all(struct vmspace *vm, unsigned long addr, const void *data, size_t n) {
    ssize_t done = vm_access(vm, addr, (void *)data, n, true);
    return done == (ssize_t)n ? 0 : done < 0 ? (int)done : -EFAULT;
}

int exec_build_stack(struct exec *e) {
    size_t name_size = strlen(e->name) + 1;
    unsigned long name = e->stack_top - END_ZEROS - name_size;
    unsigned long strings = name - e->strings_size;
    unsigned long random = ALIGN_DOWN(strings - RANDOM_SIZE, STACK_ALIGN);
    size_t aux_words = build_auxv(e, random, name);
    size_t words = 1 + e->argc + 1 + e->envc + 1 + aux_words;
    e->stack_pointer = ALIGN_DOWN(random - words * sizeof(long), STACK_ALIGN);
    size_t block_size = random + RANDOM_SIZE - e->stack_pointer;
    int err = map_stack(e, e->stack_pointer);
    unsigned long *block = err ? NULL : kzalloc(block_size);
    if (!block)
        return err ? err : -ENOMEM;
    const char *s = e->strings;
    unsigned long addr = strings, *out = block;
    *out++ = e->argc;
    out = put_pointers(out, &s, &addr, e->argc);
    out = put_pointers(out, &s, &addr, e->envc);
    memcpy(out, e->vm->auxv, aux_words * sizeof(long));
    memcpy((char *)block + block_size - RANDOM_SIZE, e->entropy.random, RANDOM_SIZE);
    err = write_all(e->vm, e->stack_pointer, block, block_size);
    kfree(block);
    if (!err && e->strings_size)
        err = write_all(e->vm, strings, e->strings, e->strings_size);
    if (!err)
        err = write_all(e->vm, name, e->name, name_size);
    e->vm->stack_start = e->stack_pointer;
    e->vm->arg_start = strings;
    e->vm->arg_end = e->vm->env_start = strings + e->env_offset;
    e->vm->env_end = name;
    return err;
}
