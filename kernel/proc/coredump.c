// SPDX-License-Identifier: MIT
// Core files: stopping the process, what goes in, and the file. proc/coredump.h has the overview.
//
// Memory is read page by page, each with vm->lock for as long as that takes; nothing is brought in that nobody has touched, which
// stays a hole of the file. Who shares the memory and is not of the process goes on, and may change it meanwhile.
#include "proc/coredump.h"
#include "core/errno.h"
#include "fs/dentry.h"
#include "fs/file.h"
#include "fs/path.h"
#include "fs/vfs.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "proc/coredump_private.h"
#include "proc/uts.h"
#include "vm/vmspace.h"
#include <linux/elf.h>
#include <linux/fcntl.h>
#include <linux/limits.h>
#include <linux/mman.h>
#include <linux/stat.h>

enum {
    FILTER_ANON_PRIVATE = 1,
    FILTER_ANON_SHARED = 2,
    FILTER_FILE_PRIVATE = 4,
    FILTER_FILE_SHARED = 8,
    FILTER_HEADERS = 16
};
#define FILES_MAX (4u << 20) // bytes of names, as in Linux

static struct wait_queue core_wait =
    WAIT_QUEUE_INIT(core_wait); // who writes, for the others to rest; and they
static struct spinlock pattern_lock = SPINLOCK_INIT;
static char pattern[CORE_PATTERN_SIZE] = "core"; // [pattern_lock]
unsigned long core_uses_pid;

// ---- the name

void core_get_pattern(char out[CORE_PATTERN_SIZE]) {
    spin_lock(&pattern_lock);
    memcpy(out, pattern, sizeof(pattern));
    spin_unlock(&pattern_lock);
}

int core_set_pattern(const char *text, size_t n) {
    char copy[CORE_PATTERN_SIZE] = {0};
    size_t len = 0;
    while (len < n && text[len] && text[len] != '\n')
        len++;
    if (len >= sizeof(copy) || *text == '|') // no program is started by the kernel
        return -EINVAL;
    memcpy(copy, text, len);
    spin_lock(&pattern_lock);
    memcpy(pattern, copy, sizeof(pattern));
    spin_unlock(&pattern_lock);
    return 0;
}

struct name {
    char text[PATH_MAX];
    size_t len;
};

static void add_char(struct name *name, char c) {
    if (name->len < sizeof(name->text) - 1)
        name->text[name->len++] = c;
}

// What a program chose itself makes no directories.
static void add_text(struct name *name, const char *text) {
    for (; *text; text++)
        add_char(name, *text == '/' ? '!' : *text);
}

static void add_number(struct name *name, unsigned long n) {
    char text[24];
    lib_snprintf(text, sizeof(text), "%lu", n);
    add_text(name, text);
}

static void add_program(struct name *name) {
    char *buf = kmalloc(PATH_MAX);
    struct file *exe = current->vm->exe_file;
    const char *path = buf && exe ? path_name(&exe->path, buf, PATH_MAX) : NULL;
    add_text(name, !path || IS_ERR(path) ? current->name : path);
    kfree(buf);
}

static void add_host(struct name *name) {
    char host[UTS_NAME_SIZE];
    uts_get_name(false, host);
    add_text(name, host);
}

// What '%' and this character stand for.
static void expand(struct name *name, char what, int sig) {
    switch (what) {
    case '%':
        add_char(name, '%');
        break;
    case 'p':
        add_number(name, current->own_pid);
        break;
    case 'P':
        add_number(name, current->pid);
        break;
    case 'i':
        add_number(name, current->own_tid);
        break;
    case 'I':
        add_number(name, current->tid);
        break;
    case 'u':
        add_number(name, current->cred->uid);
        break;
    case 'g':
        add_number(name, current->cred->gid);
        break;
    case 'd':
        add_number(name, current->vm->dumpable);
        break;
    case 's':
        add_number(name, sig);
        break;
    case 't':
        add_number(name, clock_realtime() / NSEC_PER_SEC);
        break;
    case 'c':
        add_number(name, current_rlimit(RLIMIT_CORE));
        break;
    case 'h':
        add_host(name);
        break;
    case 'e':
    case 'f':
        add_text(name, current->name);
        break;
    case 'E':
        add_program(name);
        break;
    }
}

static void make_name(struct name *name, int sig) {
    char from[CORE_PATTERN_SIZE];
    bool with_pid = false;
    core_get_pattern(from);
    name->len = 0;
    for (const char *c = from; *c; c++) {
        if (*c != '%') {
            add_char(name, *c);
        } else if (c[1]) {
            with_pid = with_pid || c[1] == 'p';
            expand(name, *++c, sig);
        }
    }
    if (!with_pid && READ_ONCE(core_uses_pid)) {
        add_char(name, '.');
        add_number(name, current->own_pid);
    }
    name->text[name->len] = '\0';
}

// ---- the file

// What is there is used if it is a file of the program's user with no other name.
static struct file *open_file(int sig) {
    struct name *name = kmalloc(sizeof(*name));
    if (!name)
        return ERR_PTR(-ENOMEM);
    make_name(name, sig);
    struct file *f = name->len ? file_open(name->text, O_CREAT | O_RDWR | O_NOFOLLOW | O_NONBLOCK, 0600)
                               : ERR_PTR(-ENOENT);
    kfree(name);
    if (IS_ERR(f))
        return f;
    struct inode *inode = f->inode;
    int err = !S_ISREG(inode->mode) || inode->nlink != 1 || inode->uid != current->cred->fsuid
                  ? -EPERM
                  : vfs_truncate(inode, 0);
    if (!err)
        return f;
    file_put(f);
    return ERR_PTR(err);
}

struct output {
    struct file *file;
    off_t pos;
    uint64_t limit; // RLIMIT_CORE
};

static int put(struct output *o, const void *data, size_t n) {
    size_t done = 0;
    if ((uint64_t)o->pos + n > o->limit)
        return -EFBIG;
    while (done < n) {
        struct uio u;
        struct uio_segment segment;
        uio_init_kernel(&u, &segment, (char *)data + done, n - done);
        ssize_t part = o->file->ops->write(o->file, &u, &o->pos);
        if (part <= 0)
            return part ? (int)part : -EIO;
        done += (size_t)part;
        int err = cond_resched_killable();
        if (err)
            return err;
    }
    return 0;
}

// ---- what goes in

static unsigned long shared_size(const struct core *c, const struct vm_area *a, unsigned int filter) {
    bool named = a->file && a->file->path.dentry && a->file->inode->nlink;
    (void)c;
    return filter & (named ? FILTER_FILE_SHARED : FILTER_ANON_SHARED) ? a->end - a->start : 0;
}

static unsigned long size_of(const struct core *c, const struct vm_area *a, unsigned int filter) {
    if (a->flags & VM_SPECIAL)
        return a->prot & PROT_EXEC ? a->end - a->start : 0;
    if (a->flags & MAP_SHARED)
        return shared_size(c, a, filter);
    if (a->anon && filter & FILTER_ANON_PRIVATE)
        return a->end - a->start;
    if (!a->file)
        return 0;
    if (filter & FILTER_FILE_PRIVATE)
        return a->end - a->start;
    return filter & FILTER_HEADERS && !a->pgoff && a->prot & PROT_READ ? PAGE_SIZE : 0;
}

static bool add_area(const struct vm_area *a, void *arg) {
    struct core *c = arg;
    if (c->count == c->room)
        return false;
    struct core_area *out = &c->areas[c->count++];
    *out = (struct core_area){
        a->start, a->end,     a->pgoff, a->prot, size_of(c, a, current->process->core_filter),
        false,    !a->backing};
    if (!a->file || !a->file->path.dentry || c->files.size > FILES_MAX)
        return true;
    char *buf = kmalloc(PATH_MAX);
    const char *name = buf ? path_name(&a->file->path, buf, PATH_MAX) : NULL;
    if (name && !IS_ERR(name)) {
        out->of_file = true;
        c->file_count++;
        core_append(&c->files, name, strlen(name) + 1);
    }
    kfree(buf);
    return true;
}

static int gather(struct core *c) {
    c->room = current->vm->area_count + 64;
    if (c->room >= PN_XNUM)
        return -EFBIG;
    c->areas = kmalloc(c->room * sizeof(*c->areas));
    if (!c->areas)
        return -ENOMEM;
    vm_area_for_each(current->vm, add_area, c);
    return core_make_notes(c);
}

// ---- writing

static int put_headers(struct output *o, const struct core *c, off_t data) {
    struct elf64_hdr head = {
        .e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
        .e_type = ET_CORE,
        .e_machine = EM_RISCV,
        .e_version = EV_CURRENT,
        .e_phoff = sizeof(head),
        .e_ehsize = sizeof(head),
        .e_phentsize = sizeof(struct elf64_phdr),
        .e_phnum = c->count + 1,
    };
    struct elf64_phdr note = {.p_type = PT_NOTE,
                              .p_offset = sizeof(head) + (c->count + 1) * sizeof(struct elf64_phdr),
                              .p_filesz = c->notes.size};
    int err = put(o, &head, sizeof(head));
    if (!err)
        err = put(o, &note, sizeof(note));
    for (unsigned int i = 0; !err && i < c->count; i++) {
        const struct core_area *a = &c->areas[i];
        struct elf64_phdr load = {
            .p_type = PT_LOAD,
            .p_flags = (a->prot & PROT_READ ? PF_R : 0) | (a->prot & PROT_WRITE ? PF_W : 0) |
                       (a->prot & PROT_EXEC ? PF_X : 0),
            .p_offset = data,
            .p_vaddr = a->start,
            .p_filesz = a->size,
            .p_memsz = a->end - a->start,
            .p_align = PAGE_SIZE,
        };
        data += a->size;
        err = put(o, &load, sizeof(load));
    }
    return err ? err : put(o, c->notes.data, c->notes.size);
}

// Memory that nobody has touched is a hole.
static int put_area(struct output *o, const struct core_area *a, char *page) {
    const off_t from = o->pos;
    const unsigned long end = a->start + a->size;
    int err = 0;
    for (unsigned long at = a->start; !err && at < end; at += PAGE_SIZE) {
        if (a->own)
            at = vm_next_mapped(current->vm, at, end);
        o->pos = from + (off_t)(at - a->start);
        if (at == end)
            break;
        if ((uint64_t)o->pos > o->limit)
            return -EFBIG;
        bool there = a->of_file || vm_is_present(current->vm, at) == 1;
        if (there && vm_access_forced(current->vm, at, page, PAGE_SIZE, false) == PAGE_SIZE)
            err = put(o, page, PAGE_SIZE);
        else
            o->pos += PAGE_SIZE;
        if (!err)
            err = cond_resched_killable();
    }
    return err;
}

static int put_all(struct output *o, const struct core *c) {
    char *page = kmalloc(PAGE_SIZE);
    off_t headers = sizeof(struct elf64_hdr) + (c->count + 1) * sizeof(struct elf64_phdr) + c->notes.size;
    off_t end = ALIGN_UP(headers, PAGE_SIZE);
    int err = page ? put_headers(o, c, end) : -ENOMEM;
    o->pos = end;
    for (unsigned int i = 0; !err && i < c->count; i++)
        err = put_area(o, &c->areas[i], page);
    if (!err && (uint64_t)o->pos <= o->limit && o->pos > o->file->inode->size) // the end is a hole
        err = vfs_truncate(o->file->inode, o->pos);
    kfree(page);
    return err;
}

// True: there is a core file, if perhaps not all of it.
static bool write_core(int sig, const siginfo_t *info) {
    struct core c = {.sig = sig, .info = info};
    struct output o = {.limit = current_rlimit(RLIMIT_CORE)};
    bool begun = false;
    int err = gather(&c);
    if (!err) {
        o.file = open_file(sig);
        begun = !IS_ERR(o.file);
    }
    if (begun) {
        err = put_all(&o, &c);
        file_put(o.file);
    }
    kfree(c.areas);
    kfree(c.notes.data);
    kfree(c.files.data);
    return begun && err != -EINTR;
}

// ---- the process

static bool others_rest(struct process *p) {
    unsigned long flags = spin_lock_irqsave(&p->sig_lock);
    bool all = p->core_resting + 1 >= p->live_threads;
    spin_unlock_irqrestore(&p->sig_lock, flags);
    return all;
}

// From here on the process ends, and only another SIGKILL ends the current thread before it is through.
static bool begin(struct process *p, int sig) {
    unsigned long flags = spin_lock_irqsave(&p->sig_lock);
    bool first = !p->group_exit && !p->exec_thread;
    if (first) {
        p->core_writer = current;
        p->core_resting = 0;
        signal_group_exit_locked(p, sig);
        current->sig_pending &= ~SIGNAL_BIT(SIGKILL);
    }
    spin_unlock_irqrestore(&p->sig_lock, flags);
    return first;
}

static void finish(struct process *p, bool written) {
    unsigned long flags = spin_lock_irqsave(&p->sig_lock);
    p->core_writer = NULL;
    if (written)
        p->exit_status |= 0x80;
    current->sig_pending |= SIGNAL_BIT(SIGKILL);
    spin_unlock_irqrestore(&p->sig_lock, flags);
    wake_all(&core_wait);
}

void coredump(int sig, const siginfo_t *info) {
    struct process *p = current->process;
    if (current_rlimit(RLIMIT_CORE) < PAGE_SIZE || !READ_ONCE(current->vm->dumpable) || !begin(p, sig))
        return;
    bool rest = !wait_event_killable(&core_wait, others_rest(p));
    finish(p, rest && write_core(sig, info));
}

void coredump_rest(void) {
    struct process *p = current->process;
    if (likely(!READ_ONCE(p->core_writer)))
        return;
    unsigned long flags = spin_lock_irqsave(&p->sig_lock);
    bool rests = p->core_writer && p->core_writer != current;
    p->core_resting += rests;
    spin_unlock_irqrestore(&p->sig_lock, flags);
    if (!rests)
        return;
    wake_all(&core_wait);
    wait_event(&core_wait, !READ_ONCE(p->core_writer));
}

void coredump_thread_leaves_locked(struct process *p) {
    ASSERT_HELD(&p->sig_lock);
    if (unlikely(p->core_writer))
        wake_all(&core_wait);
}
