// SPDX-License-Identifier: MIT
// Program headers are checked by lib/elf.c, as the kernel will do; libelf then reads the dynamic section
// through them, so that files without section headers are understood as well.
#include "elf/object.h"
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "elf/dynamic.h"

#define SCRIPT_LINE_MAX 256 // as in Linux: BINPRM_BUF_SIZE
#define BUCKETS         1024

static void bad(struct object *o, char *problem) {
    o->kind = OBJECT_BAD;
    o->problem = problem;
}

static void read_script(struct object *o, const char *line) {
    char *copy = xstrdup(line + 2);
    copy[strcspn(copy, "\n")] = '\0';
    char *interp = copy + strspn(copy, " \t");
    size_t length = strcspn(interp, " \t"); // a CR is a part of the name, as it is to the kernel
    char *argument = interp + length;
    argument += strspn(argument, " \t");
    for (size_t n = strlen(argument); n && strchr(" \t", argument[n - 1]); n--)
        argument[n - 1] = '\0';
    if (length) {
        o->kind = OBJECT_SCRIPT;
        o->interp_argument = *argument ? xstrdup(argument) : NULL;
        o->interp = xstrndup(interp, length);
    }
    free(copy);
}

static bool is_name(int64_t tag) {
    return tag == DT_NEEDED || tag == DT_SONAME || tag == DT_RPATH || tag == DT_RUNPATH || tag == DT_FILTER ||
           tag == DT_AUXILIARY || tag == DT_AUDIT || tag == DT_DEPAUDIT;
}

static void take_name(struct object *o, int64_t tag, const char *string) {
    if (tag == DT_NEEDED)
        strings_add(&o->needed, string);
    else if (tag == DT_SONAME)
        o->soname = xstrdup(string);
    else if (tag == DT_RPATH)
        o->rpath = xstrdup(string);
    else if (tag == DT_RUNPATH)
        o->runpath = xstrdup(string);
    else
        strings_add(tag == DT_FILTER      ? &o->filters
                    : tag == DT_AUXILIARY ? &o->auxiliaries
                                          : &o->audits,
                    string);
}

static void read_dynamic(struct object *o, Elf *elf, const GElf_Phdr *ph) {
    struct dynamic dynamic;
    GElf_Dyn d;
    if (!dynamic_open(&dynamic, elf, ph)) {
        bad(o, xstrdup("has a damaged dynamic section: it is outside the file"));
        return;
    }
    for (int i = 0; gelf_getdyn(dynamic.entries, i, &d) && d.d_tag != DT_NULL; i++) {
        if (d.d_tag == DT_FLAGS_1)
            o->no_default = d.d_un.d_val & DF_1_NODEFLIB;
        if (!is_name(d.d_tag))
            continue;
        const char *string = string_at(dynamic.strings, d.d_un.d_val);
        if (!string) {
            bad(o, xstrdup("has a damaged dynamic section: a name is outside its string table"));
            return;
        }
        take_name(o, d.d_tag, string);
    }
    const char *problem = versions_read(&dynamic, &o->versions);
    if (!problem)
        problem = symbols_read(&dynamic, &o->versions, &o->symbols);
    if (problem)
        bad(o, xstrdup(problem));
}

static void read_notes(struct object *o, Elf *elf, const GElf_Phdr *ph) {
    GElf_Nhdr header;
    size_t name, id;
    dlopen_read(elf, ph, o->host, &o->dlopens);
    Elf_Data *data = elf_notes(elf, ph);
    for (size_t at = 0; data && (at = gelf_getnote(data, at, &header, &name, &id)) > 0;) {
        const char *bytes = data->d_buf;
        if (header.n_type != NT_GNU_BUILD_ID || header.n_namesz != sizeof(ELF_NOTE_GNU) ||
            memcmp(bytes + name, ELF_NOTE_GNU, sizeof(ELF_NOTE_GNU)) != 0 || o->build_id)
            continue;
        o->build_id = hex(bytes + id, header.n_descsz);
    }
}

static void read_segments(struct object *o, Elf *elf) {
    size_t count;
    GElf_Phdr ph;
    if (elf_getphdrnum(elf, &count) != 0) {
        bad(o, xasprintf("cannot be read: %s", elf_errmsg(-1)));
        return;
    }
    for (size_t i = 0; i < count && o->kind == OBJECT_ELF; i++) {
        if (!gelf_getphdr(elf, (int)i, &ph))
            bad(o, xasprintf("cannot be read: %s", elf_errmsg(-1)));
        else if (ph.p_type == PT_INTERP)
            o->interp = xstrdup((const char *)elf_chunk(elf, ph.p_offset, ph.p_filesz, ELF_T_BYTE)->d_buf);
        else if (ph.p_type == PT_DYNAMIC)
            read_dynamic(o, elf, &ph);
        else if (ph.p_type == PT_NOTE)
            read_notes(o, elf, &ph);
    }
}

// What lib/elf.c says of the whole file; false where libelf need not look.
static bool check_elf(struct object *o, const char *bytes, size_t size) {
    struct elf_image image;
    int err = elf_parse_header(bytes, size, &image);
    if (err && image.problem == ELF_TYPE) // a relocatable object or a core: data
        return false;
    if (err &&
        (image.problem == ELF_MACHINE || image.problem == ELF_CLASS || image.problem == ELF_BYTE_ORDER)) {
        bool big = image.problem == ELF_BYTE_ORDER;
        uint16_t machine = big ? (uint16_t)(image.machine << 8 | image.machine >> 8) : image.machine;
        bad(o, xasprintf("is for %s, %s bits%s; the machine is RISC-V, 64 bits", elf_machine_name(machine),
                         bytes[EI_CLASS] == ELFCLASS64 ? "64" : "32", big ? ", big endian" : ""));
        o->wrong_machine = true;
        return false;
    }
    if (!err && (image.phoff > size || elf_phdrs_size(&image) > size - image.phoff)) {
        image.problem = ELF_CUT;
        err = -ENOEXEC;
    }
    if (!err)
        err = elf_parse_segments(bytes + image.phoff, size - image.phoff, size, &image);
    o->flags = image.flags;
    if (!err && image.has_interp)
        err = elf_check_interp(bytes + image.interp_offset, &image);
    if (err)
        bad(o, xasprintf("is not usable as an ELF file: %s", elf_problem_text(image.problem)));
    return !err;
}

// A file whose section headers are missing has lost its end, even if all segments are there.
static bool sections_cut(Elf *elf, size_t size) {
    GElf_Ehdr h;
    return gelf_getehdr(elf, &h) && h.e_shnum &&
           (h.e_shoff > size || h.e_shnum * (uint64_t)h.e_shentsize > size - h.e_shoff);
}

static void read_elf(struct object *o, char *bytes, size_t size) {
    if (!check_elf(o, bytes, size))
        return;
    Elf *elf = elf_memory(bytes, size);
    o->kind = OBJECT_ELF;
    if (!elf)
        bad(o, xasprintf("cannot be read: %s", elf_errmsg(-1)));
    else if (sections_cut(elf, size))
        bad(o, xasprintf("is not usable as an ELF file: %s", elf_problem_text(ELF_CUT)));
    else
        read_segments(o, elf);
    elf_end(elf);
}

static void read_bytes(struct object *o, const char *bytes, size_t size, bool executable) {
    char head[SCRIPT_LINE_MAX + 1] = "";
    if (!size)
        return;
    memcpy(head, bytes, size < SCRIPT_LINE_MAX ? size : SCRIPT_LINE_MAX);
    if (size >= 2 && memcmp(head, "#!", 2) == 0 && executable) {
        read_script(o, head);
    } else if (size >= SELFMAG && memcmp(head, ELFMAG, SELFMAG) == 0) {
        char *copy = xrealloc(NULL, size); // aligned, and libelf's to change
        memcpy(copy, bytes, size);
        read_elf(o, copy, size);
        free(copy);
    }
}

static void read_object(struct object *o) {
    char head[SCRIPT_LINE_MAX];
    struct stat st = {0};
    int fd = open(o->host, O_RDONLY | O_CLOEXEC | O_NONBLOCK); // it may have become a FIFO
    ssize_t n = fd < 0 || fstat(fd, &st) < 0 ? -1 : read(fd, head, sizeof(head));
    if (n < 0)
        complain("%s: %s", o->host, trouble(o->host, errno));
    if (fd >= 0)
        close(fd);
    if (n >= SELFMAG && memcmp(head, ELFMAG, SELFMAG) == 0) {
        size_t size;
        char *bytes = read_file(o->host, &size);
        read_elf(o, bytes, size);
        free(bytes);
    } else if (n > 0) {
        read_bytes(o, head, (size_t)n, st.st_mode & 0111);
    }
}

static struct object *new_object(const char *name) {
    elf_version(EV_CURRENT);
    struct object *o = xcalloc(1, sizeof(*o));
    o->host = xstrdup(name);
    return o;
}

struct object *object_of_elf(const char *name, const void *bytes, size_t size) {
    struct object *o = new_object(name);
    read_bytes(o, bytes, size, false);
    return o;
}

// The object of that name; a new one, which is not read yet, where there was none.
static struct object *remembered(const char *name, bool *is_new) {
    static struct object *cache[BUCKETS];
    uint32_t hash = 5381;
    for (const char *p = name; *p; p++)
        hash = hash * 33 + (unsigned char)*p;
    struct object **bucket = &cache[hash % BUCKETS], *o;
    *is_new = false;
    for (o = *bucket; o; o = o->next)
        if (strcmp(o->host, name) == 0)
            return o;
    o = new_object(name);
    o->next = *bucket;
    *bucket = o;
    *is_new = true;
    return o;
}

struct object *object_of(const char *host) {
    bool is_new;
    struct object *o = remembered(host, &is_new);
    if (is_new)
        read_object(o);
    return o;
}

struct object *object_of_bytes(const char *name, const void *bytes, size_t size, bool executable) {
    bool is_new;
    struct object *o = remembered(name, &is_new);
    if (is_new)
        read_bytes(o, bytes, size, executable);
    return o;
}
