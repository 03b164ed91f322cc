// SPDX-License-Identifier: MIT
#include "lib/elf.h"
#include <linux/elf.h>
#include "lib/errno.h"

#ifndef EM_RISCV // newer than some uapi headers
#define EM_RISCV 243
#endif
#define ALIGN_MAX  (2ull << 20)
#define INTERP_MAX 4096

_Static_assert(sizeof(Elf64_Ehdr) == ELF_HEADER_SIZE, "as the format has it");
_Static_assert(sizeof(Elf64_Phdr) == ELF_PHDR_SIZE, "as the format has it");

static int refuse(struct elf_image *image, enum elf_problem problem) {
    image->problem = problem;
    return -ENOEXEC;
}

int elf_parse_header(const void *bytes, size_t size, struct elf_image *image) {
    Elf64_Ehdr h;
    *image = (struct elf_image){0};
    if (size < SELFMAG || __builtin_memcmp(bytes, ELFMAG, SELFMAG) != 0)
        return refuse(image, ELF_NOT_ELF);
    if (size < sizeof(h))
        return refuse(image, ELF_CUT);
    __builtin_memcpy(&h, bytes, sizeof(h));
    image->machine = h.e_machine;
    if (h.e_ident[EI_CLASS] != ELFCLASS64)
        return refuse(image, ELF_CLASS);
    if (h.e_ident[EI_DATA] != ELFDATA2LSB)
        return refuse(image, ELF_BYTE_ORDER);
    if (h.e_ident[EI_VERSION] != EV_CURRENT || h.e_version != EV_CURRENT)
        return refuse(image, ELF_VERSION);
    if (h.e_machine != EM_RISCV)
        return refuse(image, ELF_MACHINE);
    if (h.e_type != ET_EXEC && h.e_type != ET_DYN)
        return refuse(image, ELF_TYPE);
    if (h.e_ehsize != sizeof(h) || (h.e_phnum && h.e_phentsize != sizeof(Elf64_Phdr)))
        return refuse(image, ELF_HEADER);
    if (h.e_phnum == 0 || h.e_phnum > ELF_PHDRS_MAX)
        return refuse(image, ELF_PHDR_COUNT);
    if (h.e_phoff > INT64_MAX - ELF_PHDRS_MAX * ELF_PHDR_SIZE)
        return refuse(image, ELF_RANGE);
    image->phnum = h.e_phnum;
    image->phoff = h.e_phoff;
    image->flags = h.e_flags;
    image->entry = h.e_entry;
    image->dynamic = h.e_type == ET_DYN;
    return 0;
}

static Elf64_Phdr phdr_at(const void *phdrs, unsigned int i) {
    Elf64_Phdr ph;
    __builtin_memcpy(&ph, (const char *)phdrs + (size_t)i * ELF_PHDR_SIZE, sizeof(ph));
    return ph;
}

// Whether the file has the segment's bytes.
static enum elf_problem check_file_range(const Elf64_Phdr *ph, uint64_t file_size) {
    if (ph->p_offset > INT64_MAX || ph->p_filesz > INT64_MAX - ph->p_offset)
        return ELF_RANGE;
    return ph->p_offset + ph->p_filesz > file_size ? ELF_CUT : ELF_OK;
}

static enum elf_problem check_load(const Elf64_Phdr *ph, uint64_t file_size) {
    enum elf_problem problem = check_file_range(ph, file_size);
    if (problem)
        return problem;
    if (ph->p_filesz > ph->p_memsz)
        return ELF_FILESZ;
    if (ph->p_align & (ph->p_align - 1))
        return ELF_ALIGN;
    if (ph->p_vaddr % ELF_PAGE_SIZE != ph->p_offset % ELF_PAGE_SIZE)
        return ELF_CONGRUENCE;
    if (ph->p_vaddr >= ELF_USER_TOP || ph->p_memsz > ELF_USER_TOP - ph->p_vaddr)
        return ELF_RANGE;
    return ELF_OK;
}

// Takes one PT_LOAD into the image's summary. `end` is where the one before ended.
static enum elf_problem add_load(struct elf_image *image, const Elf64_Phdr *ph, uint64_t *end) {
    if (ph->p_memsz == 0)
        return ELF_OK;
    if (image->loads && ph->p_vaddr < *end)
        return ELF_ORDER;
    *end = ph->p_vaddr + ph->p_memsz;
    if (!image->loads++)
        image->low = ph->p_vaddr - ph->p_vaddr % ELF_PAGE_SIZE;
    image->high = (*end + ELF_PAGE_SIZE - 1) / ELF_PAGE_SIZE * ELF_PAGE_SIZE;
    if (ph->p_align > image->align)
        image->align = ph->p_align < ALIGN_MAX ? ph->p_align : ALIGN_MAX;
    if (!image->phdr_vaddr && image->phoff >= ph->p_offset && image->phoff - ph->p_offset < ph->p_filesz &&
        ph->p_filesz - (image->phoff - ph->p_offset) >= elf_phdrs_size(image))
        image->phdr_vaddr = ph->p_vaddr + (image->phoff - ph->p_offset);
    return ELF_OK;
}

static enum elf_problem add_interp(struct elf_image *image, const Elf64_Phdr *ph, uint64_t file_size) {
    if (image->has_interp || ph->p_filesz < 2 || ph->p_filesz > INTERP_MAX)
        return ELF_INTERP;
    image->has_interp = true;
    image->interp_offset = ph->p_offset;
    image->interp_size = ph->p_filesz;
    return check_file_range(ph, file_size);
}

int elf_parse_segments(const void *phdrs, size_t size, uint64_t file_size, struct elf_image *image) {
    uint64_t end = 0;
    if (size < elf_phdrs_size(image))
        return refuse(image, ELF_CUT);
    image->loads = 0;
    image->low = image->high = image->phdr_vaddr = 0;
    image->align = ELF_PAGE_SIZE;
    image->has_interp = image->has_stack = image->execute_stack = false;
    for (unsigned int i = 0; i < image->phnum; i++) {
        Elf64_Phdr ph = phdr_at(phdrs, i);
        enum elf_problem problem = ELF_OK;
        if (ph.p_type == PT_LOAD) {
            problem = check_load(&ph, file_size);
            if (!problem)
                problem = add_load(image, &ph, &end);
        } else if (ph.p_type == PT_INTERP) {
            problem = add_interp(image, &ph, file_size);
        } else if (ph.p_type == PT_GNU_STACK) {
            image->has_stack = true;
            image->execute_stack = (ph.p_flags & PF_X) != 0;
        }
        if (problem)
            return refuse(image, problem);
    }
    return image->loads ? 0 : refuse(image, ELF_NO_LOAD);
}

bool elf_next_load(const void *phdrs, const struct elf_image *image, unsigned int *index,
                   struct elf_segment *out) {
    while (*index < image->phnum) {
        Elf64_Phdr ph = phdr_at(phdrs, (*index)++);
        if (ph.p_type != PT_LOAD || ph.p_memsz == 0)
            continue;
        *out = (struct elf_segment){.offset = ph.p_offset,
                                    .filesz = ph.p_filesz,
                                    .vaddr = ph.p_vaddr,
                                    .memsz = ph.p_memsz,
                                    .read = (ph.p_flags & PF_R) != 0,
                                    .write = (ph.p_flags & PF_W) != 0,
                                    .execute = (ph.p_flags & PF_X) != 0};
        return true;
    }
    return false;
}

int elf_check_interp(const char *bytes, struct elf_image *image) {
    uint64_t length = 0;
    while (length < image->interp_size && bytes[length])
        length++;
    return length && length + 1 == image->interp_size ? 0 : refuse(image, ELF_INTERP_NAME);
}

const char *elf_problem_text(enum elf_problem problem) {
    static const char *const texts[] = {
        [ELF_OK] = "no error",
        [ELF_NOT_ELF] = "not an ELF file",
        [ELF_CUT] = "ends too early; file truncated?",
        [ELF_CLASS] = "not a 64-bit program",
        [ELF_BYTE_ORDER] = "not little endian",
        [ELF_VERSION] = "not ELF version 1",
        [ELF_MACHINE] = "not a RISC-V program",
        [ELF_TYPE] = "neither an executable nor a shared object",
        [ELF_HEADER] = "the sizes in its header are wrong",
        [ELF_PHDR_COUNT] = "has no program headers, or more than 64",
        [ELF_NO_LOAD] = "has nothing to load",
        [ELF_FILESZ] = "a segment is larger in the file than in memory",
        [ELF_CONGRUENCE] = "a segment's address and file offset differ within the page",
        [ELF_ALIGN] = "a segment's alignment is no power of two",
        [ELF_RANGE] = "a segment's address or file offset is out of range",
        [ELF_ORDER] = "segments overlap or are out of order",
        [ELF_INTERP] = "the interpreter's name is missing, too long or there twice",
        [ELF_INTERP_NAME] = "the interpreter's name is not one string",
    };
    return texts[problem];
}

const char *elf_machine_name(uint16_t machine) {
    static const struct {
        uint16_t machine;
        const char *name;
    } names[] = {
        {EM_386, "Intel 80386"}, {EM_MIPS, "MIPS"},    {EM_PPC, "PowerPC"},      {EM_PPC64, "PowerPC64"},
        {EM_S390, "S/390"},      {EM_ARM, "ARM"},      {EM_SPARCV9, "SPARC V9"}, {EM_X86_64, "x86-64"},
        {EM_AARCH64, "AArch64"}, {EM_RISCV, "RISC-V"}, {258, "LoongArch"},
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (names[i].machine == machine)
            return names[i].name;
    return "an unknown machine";
}
