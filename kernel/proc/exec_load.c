// SPDX-License-Identifier: MIT
// Building the address space of a new program: where everything goes, and the ELF segments.
//
// From the top: the stack, a gap, the vDSO, the interpreter, then whatever the program maps; from two thirds
// of the address space up: a position-independent program, with its heap behind it. All of them are shifted
// by random amounts.
#include "arch/riscv/trap.h"
#include "core/errno.h"
#include "core/random.h"
#include "fs/path.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "proc/exec_private.h"
#include <linux/fcntl.h>
#include <linux/mman.h>
#include <linux/personality.h>

#define RANDOM_PAGES      (1ul << 18) // of the mmap area and of programs
#define RANDOM_STACK      (1ul << 18) // pages
#define RANDOM_HEAP_PAGES 4096
#define PROGRAM_BASE      (USER_END / 3 * 2 & ~(PAGE_SIZE - 1ul))
#define GAP_MIN           (128ul << 20) // below the stack's top, for it to grow
#define GAP_MAX           ((unsigned long)USER_END / 6 * 5)

_Static_assert(PROGRAM_BASE == ELF_PROGRAM, "gdb is told where programs are");

static unsigned long pages(uint32_t random, unsigned long range) {
    return random % range << PAGE_SHIFT;
}

static void choose_layout(struct exec *e) {
    uint64_t stack = MIN(current_rlimit(RLIMIT_STACK), (uint64_t)GAP_MAX);
    e->stack_top = USER_END - PAGE_SIZE - pages(e->entropy.stack, RANDOM_STACK);
    unsigned long gap = MIN(MAX(ALIGN_UP(stack, PAGE_SIZE) + PAGE_SIZE, GAP_MIN), GAP_MAX);
    e->map_top = ALIGN_DOWN(USER_END - gap - (RANDOM_STACK << PAGE_SHIFT), PAGE_SIZE) -
                 pages(e->entropy.map, RANDOM_PAGES);
    e->vm->mmap_base = e->map_top;
    e->vm->stack_limit = current_rlimit(RLIMIT_STACK);
}

// ---- headers

// Checks the ELF header and finds the program headers.
static int read_headers(struct exec_image *image) {
    int err = elf_parse_header(image->head, image->head_size, &image->elf);
    if (err)
        return -ENOEXEC;
    size_t size = elf_phdrs_size(&image->elf);
    if (image->elf.phoff <= image->head_size && size <= image->head_size - image->elf.phoff) {
        image->phdrs = image->head + image->elf.phoff;
    } else {
        image->phdrs = image->phdrs_memory = kmalloc(size);
        if (!image->phdrs)
            return -ENOMEM;
        ssize_t n = file_read_kernel(image->file, image->phdrs, size, image->elf.phoff);
        if (n != (ssize_t)size)
            return n < 0 ? n : -ENOEXEC;
    }
    if (!image->file->backing)
        return -ENOEXEC;
    return elf_parse_segments(image->phdrs, size, image->file->inode->size, &image->elf);
}

static int open_interpreter(struct exec *e) {
    struct elf_image *elf = &e->program.elf;
    char *name = kmalloc(elf->interp_size);
    if (!name)
        return -ENOMEM;
    ssize_t n = file_read_kernel(e->program.file, name, elf->interp_size, elf->interp_offset);
    int err = n < 0 ? n : n != (ssize_t)elf->interp_size ? -ENOEXEC : elf_check_interp(name, elf);
    if (!err)
        err = exec_open(AT_FDCWD, name, LOOKUP_FOLLOW, &e->interpreter);
    kfree(name);
    if (err)
        return err;
    err = read_headers(&e->interpreter);
    return err == -ENOEXEC ? -ELIBBAD : err;
}

// ---- segments

static unsigned int prot_of(const struct elf_segment *s) {
    return (s->read ? PROT_READ : 0) | (s->write ? PROT_WRITE : 0) | (s->execute ? PROT_EXEC : 0);
}

static int map_fixed(struct vmspace *vm, unsigned long start, unsigned long end, unsigned int prot,
                     struct file *file, unsigned long pgoff) {
    struct vm_map_args args = {
        .addr = start,
        .length = end - start,
        .prot = prot,
        .flags = MAP_PRIVATE | MAP_FIXED | (file ? 0 : MAP_ANONYMOUS),
        .file = file,
        .backing = file ? file->backing : NULL,
        .pgoff = pgoff,
        .max_prot = PROT_READ | PROT_WRITE | PROT_EXEC,
    };
    long addr = vm_map(vm, &args);
    return addr < 0 ? (int)addr : 0;
}

// The rest of the last page of the file's data is zeros, also behind the end of the segment: glibc's loader has its
// first heap there.
static int clear_tail(struct vmspace *vm, unsigned long start, unsigned long end) {
    static const char zeros[PAGE_SIZE];
    ssize_t n = vm_access(vm, start, (void *)zeros, end - start, true);
    return n == (ssize_t)(end - start) ? 0 : n < 0 ? (int)n : -EFAULT;
}

static int map_segment(struct exec *e, struct exec_image *image, const struct elf_segment *s) {
    unsigned long start = s->vaddr + image->bias, file_end = start + s->filesz, end = start + s->memsz;
    unsigned long page_start = ALIGN_DOWN(start, PAGE_SIZE);
    unsigned long zero_start = s->filesz ? ALIGN_UP(file_end, PAGE_SIZE) : page_start;
    int err = 0;
    if (s->filesz)
        err = map_fixed(e->vm, page_start, zero_start, prot_of(s), image->file, s->offset >> PAGE_SHIFT);
    if (!err && s->filesz && s->memsz > s->filesz && s->write && zero_start > file_end)
        err = clear_tail(e->vm, file_end, zero_start);
    if (!err && ALIGN_UP(end, PAGE_SIZE) > zero_start)
        err = map_fixed(e->vm, zero_start, ALIGN_UP(end, PAGE_SIZE), prot_of(s), NULL, 0);
    image->end = end;
    return err;
}

// `base`: where the image's lowest page goes.
static int map_image(struct exec *e, struct exec_image *image, unsigned long base) {
    struct elf_segment s;
    unsigned int index = 0;
    unsigned long span = image->elf.high - image->elf.low;
    if (base > USER_END || span > USER_END - base)
        return -ENOMEM;
    image->bias = base - image->elf.low;
    while (elf_next_load(image->phdrs, &image->elf, &index, &s)) {
        int err = map_segment(e, image, &s);
        if (err)
            return err;
    }
    return 0;
}

static int map_program(struct exec *e) {
    struct elf_image *elf = &e->program.elf;
    unsigned long base = elf->low;
    if (elf->dynamic)
        base = ALIGN_DOWN(PROGRAM_BASE + pages(e->entropy.program, RANDOM_PAGES), elf->align);
    int err = map_image(e, &e->program, base);
    if (err)
        return err;
    e->vm->brk_start = ALIGN_UP(e->program.end, PAGE_SIZE) + pages(e->entropy.heap, RANDOM_HEAP_PAGES);
    e->vm->brk = e->vm->brk_start;
    e->entry = elf->entry + e->program.bias;
    return 0;
}

static int map_interpreter(struct exec *e) {
    struct elf_image *elf = &e->interpreter.elf;
    unsigned long base = elf->low;
    if (elf->dynamic) {
        base = ALIGN_DOWN(e->map_top - (elf->high - elf->low), elf->align);
        e->map_top = base;
    }
    int err = map_image(e, &e->interpreter, base);
    e->entry = elf->entry + e->interpreter.bias;
    return err;
}

// The page that the kernel keeps the time in, then the vDSO's image.
static int map_vdso(struct exec *e) {
    static paddr_t data, image[4]; // their pages, found once
    size_t count = ALIGN_UP((size_t)(vdso_end - vdso_start), PAGE_SIZE) / PAGE_SIZE;
    if (!image[0]) {
        data = clock_vdso_data();
        for (size_t i = 0; i < count; i++)
            image[i] = virt_to_phys(vdso_start + i * PAGE_SIZE);
    }
    unsigned long addr = e->map_top - (count + 1) * PAGE_SIZE;
    int err = vm_map_special(e->vm, addr, &data, 1, PROT_READ, "[vvar]");
    if (!err)
        err = vm_map_special(e->vm, addr + PAGE_SIZE, image, count, PROT_READ | PROT_EXEC, "[vdso]");
    e->vm->vdso = addr + PAGE_SIZE;
    e->map_top = addr;
    return err;
}

// What was drawn for a place first, at this boot. Never 0; the top bit moves nothing.
static uint32_t drawn_once(uint32_t *place, uint32_t now) {
    uint32_t before = 0;
    now |= 1u << 31;
    return __atomic_compare_exchange_n(place, &before, now, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)
               ? now
               : before;
}

static void choose_entropy(struct exec *e) {
    static uint32_t stack, map, program, heap; // [a]
    unsigned long randomize = READ_ONCE(vm_randomize);
    random_bytes(&e->entropy, sizeof(e->entropy));
    if (randomize == VM_RANDOMIZE_BOOT && !e->set_ids) {
        e->entropy.stack = drawn_once(&stack, e->entropy.stack);
        e->entropy.map = drawn_once(&map, e->entropy.map);
        e->entropy.program = drawn_once(&program, e->entropy.program);
        e->entropy.heap = drawn_once(&heap, e->entropy.heap);
    }
    if (!randomize || ((READ_ONCE(current->process->personality) & ADDR_NO_RANDOMIZE) && !e->set_ids))
        e->entropy.stack = e->entropy.map = e->entropy.program = e->entropy.heap = 0;
    if (randomize < 2)
        e->entropy.heap = 0;
}

int exec_load(struct exec *e) {
    int err = read_headers(&e->program);
    if (!err && e->program.elf.has_interp)
        err = open_interpreter(e);
    if (err)
        return err;
    e->vm = vmspace_create();
    if (IS_ERR(e->vm)) {
        err = PTR_ERR(e->vm);
        e->vm = NULL;
        return err;
    }
    choose_entropy(e);
    choose_layout(e);
    err = map_program(e);
    if (!err)
        err = map_vdso(e);
    if (!err && e->interpreter.file)
        err = map_interpreter(e);
    if (!err)
        err = exec_build_stack(e);
    if (err)
        return err;
    vm_file_ops->get_program(e->program.file);
    e->vm->exe_file = e->program.file;
    return 0;
}
