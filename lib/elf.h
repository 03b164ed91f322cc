// SPDX-License-Identifier: MIT
// Strict reader of ELF64 headers and program headers of RISC-V programs, for execve and for tools: everything
// the loader relies on is checked here, before anything is mapped.
//
// The caller reads the first bytes of the file (a page is plenty), calls elf_parse_header(), has the program
// headers at hand (image.phoff, elf_phdrs_size(), often within the first page; else read from the file) and
// calls elf_parse_segments() on them. Then it takes the PT_LOAD segments one by one with elf_next_load().
// Nothing is allocated; input may be hostile.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ELF_HEADER_SIZE 64
#define ELF_PHDR_SIZE   56
#define ELF_PHDRS_MAX   64
#define ELF_PAGE_SIZE   4096
#define ELF_USER_TOP    (1ull << 47) // no segment reaches above this; the caller has its own, lower limit
#define ELF_PROGRAM                                                                                          \
    0x2aaaaaa000ull // where the kernel has what may go anywhere if addresses are not random: gdb is told

enum elf_problem {
    ELF_OK,
    ELF_NOT_ELF,     // no magic
    ELF_CUT,         // ends inside a header or a segment's data
    ELF_CLASS,       // not 64-bit
    ELF_BYTE_ORDER,  // not little endian
    ELF_VERSION,     // not version 1
    ELF_MACHINE,     // not RISC-V: `machine` says what
    ELF_TYPE,        // neither executable nor shared object
    ELF_HEADER,      // sizes in the header are not the format's
    ELF_PHDR_COUNT,  // none, or more than ELF_PHDRS_MAX
    ELF_NO_LOAD,     // no PT_LOAD
    ELF_FILESZ,      // a segment has more bytes in the file than in memory
    ELF_CONGRUENCE,  // address and offset differ modulo the page size
    ELF_ALIGN,       // alignment not a power of two
    ELF_RANGE,       // address or offset wraps around or is too high
    ELF_ORDER,       // PT_LOAD segments overlap or do not ascend
    ELF_INTERP,      // PT_INTERP twice, empty, or PATH_MAX or longer
    ELF_INTERP_NAME, // the interpreter's name does not end with its only NUL
};

struct elf_segment {
    uint64_t offset; // in the file; congruent to vaddr modulo ELF_PAGE_SIZE
    uint64_t filesz; // bytes in the file
    uint64_t vaddr;  // as linked
    uint64_t memsz;  // bytes in memory, at least filesz and not 0: the rest is zero
    bool read, write, execute;
};

struct elf_image {
    enum elf_problem problem; // of the last call that failed
    uint16_t machine;         // e_machine
    uint16_t phnum;
    uint32_t flags; // e_flags
    bool dynamic;   // ET_DYN: position-independent, goes anywhere
    uint64_t entry; // as linked
    uint64_t phoff; // program headers in the file
    // Filled in by elf_parse_segments():
    uint64_t low, high;  // [low, high): page-rounded span of all PT_LOAD, as linked
    uint64_t align;      // largest p_align of a PT_LOAD, at least ELF_PAGE_SIZE, at most 2 MiB
    uint64_t phdr_vaddr; // where the program headers are in memory, as linked; 0 where no segment holds them
    bool has_interp;
    uint64_t interp_offset, interp_size; // of its name in the file, NUL included: 2 to 4096
    bool has_stack, execute_stack;       // PT_GNU_STACK, and PF_X in it
    unsigned int loads;                  // PT_LOAD segments with memory
};

// Checks the ELF header in the first `size` bytes of a file and fills in *image. 0, or -ENOEXEC with
// image->problem saying why.
int elf_parse_header(const void *bytes, size_t size, struct elf_image *image);

// Bytes of the program headers at image->phoff.
static inline size_t elf_phdrs_size(const struct elf_image *image) {
    return (size_t)image->phnum * ELF_PHDR_SIZE;
}

// Checks the program headers: `phdrs` holds `size` bytes from file offset image->phoff on, at least
// elf_phdrs_size(image). `file_size`: bytes of the whole file; no segment's data may reach past it
// (UINT64_MAX: not checked). 0, or -ENOEXEC.
int elf_parse_segments(const void *phdrs, size_t size, uint64_t file_size, struct elf_image *image);

// The next PT_LOAD that occupies memory, in ascending order of address. *index: 0 at first, kept by the
// callee. `phdrs` must be the bytes that elf_parse_segments() accepted. False when there is none left.
bool elf_next_load(const void *phdrs, const struct elf_image *image, unsigned int *index,
                   struct elf_segment *out);

// Checks the bytes of PT_INTERP (image->interp_size of them): a name that is not empty and whose only NUL is
// its last byte. 0 or -ENOEXEC.
int elf_check_interp(const char *bytes, struct elf_image *image);

// "not a RISC-V program" and the like, for messages.
const char *elf_problem_text(enum elf_problem problem);

// "x86-64", "AArch64", ...; "an unknown machine".
const char *elf_machine_name(uint16_t machine);
