// SPDX-License-Identifier: MIT
#include "lib/elf.h"
#include <errno.h>
#include <linux/elf.h>
#include "unit.h"

#define EM_RISCV_ 243
#define PHDRS     6

// A program as the linker makes it: headers and text in one segment, data and bss in another, an interpreter
// and a stack note.
struct file {
    Elf64_Ehdr h;
    Elf64_Phdr ph[PHDRS];
    char interp[32];
    struct elf_image image;
};
enum { PHDR, INTERP, TEXT, DATA, STACK, TLS };

static int setup(void **state) {
    struct file *f = calloc(1, sizeof(*f));
    memcpy(f->h.e_ident, ELFMAG, SELFMAG);
    f->h.e_ident[EI_CLASS] = ELFCLASS64;
    f->h.e_ident[EI_DATA] = ELFDATA2LSB;
    f->h.e_ident[EI_VERSION] = EV_CURRENT;
    f->h.e_type = ET_DYN;
    f->h.e_machine = EM_RISCV_;
    f->h.e_version = EV_CURRENT;
    f->h.e_entry = 0x1234;
    f->h.e_phoff = offsetof(struct file, ph);
    f->h.e_flags = 5;
    f->h.e_ehsize = sizeof(f->h);
    f->h.e_phentsize = sizeof(f->ph[0]);
    f->h.e_phnum = PHDRS;
    strcpy(f->interp, "/lib/ld-musl-riscv64.so.1");
    f->ph[PHDR] = (Elf64_Phdr){.p_type = PT_PHDR, .p_offset = 64, .p_vaddr = 0x40, .p_filesz = PHDRS * 56};
    f->ph[INTERP] = (Elf64_Phdr){
        .p_type = PT_INTERP, .p_offset = offsetof(struct file, interp), .p_filesz = strlen(f->interp) + 1};
    f->ph[TEXT] = (Elf64_Phdr){
        .p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_filesz = 0x5678, .p_memsz = 0x5678, .p_align = 0x1000};
    f->ph[DATA] = (Elf64_Phdr){.p_type = PT_LOAD,
                               .p_flags = PF_R | PF_W,
                               .p_offset = 0x5e00,
                               .p_vaddr = 0x6e00,
                               .p_filesz = 0x200,
                               .p_memsz = 0x1400,
                               .p_align = 0x10000};
    f->ph[STACK] = (Elf64_Phdr){.p_type = PT_GNU_STACK, .p_flags = PF_R | PF_W};
    f->ph[TLS] = (Elf64_Phdr){.p_type = PT_TLS, .p_offset = ~0ull, .p_filesz = 1, .p_align = 3};
    *state = f;
    return 0;
}

static int teardown(void **state) {
    free(*state);
    return 0;
}

static int parse(struct file *f) {
    int err = elf_parse_header(f, sizeof(f->h), &f->image);
    return err ? err : elf_parse_segments(f->ph, sizeof(f->ph), 0x10000, &f->image);
}

#define assert_problem(f, p)                                                                                 \
    do {                                                                                                     \
        assert_int_equal(parse(f), -ENOEXEC);                                                                \
        assert_int_equal((f)->image.problem, p);                                                             \
        assert_true(strlen(elf_problem_text(p)) > 10);                                                       \
    } while (0)

static void elf_reads_a_dynamic_program(void **state) {
    struct file *f = *state;
    struct elf_segment s;
    unsigned int index = 0;
    assert_int_equal(parse(f), 0);
    assert_true(f->image.dynamic);
    assert_int_equal(f->image.entry, 0x1234);
    assert_int_equal(f->image.flags, 5);
    assert_int_equal(f->image.loads, 2);
    assert_int_equal(f->image.low, 0);
    assert_int_equal(f->image.high, 0x9000);
    assert_int_equal(f->image.align, 0x10000);
    assert_int_equal(f->image.phdr_vaddr, 0x40);
    assert_true(f->image.has_interp);
    assert_int_equal(f->image.interp_offset, offsetof(struct file, interp));
    assert_int_equal(f->image.interp_size, 26);
    assert_int_equal(elf_check_interp(f->interp, &f->image), 0);
    assert_true(f->image.has_stack);
    assert_false(f->image.execute_stack);
    assert_true(elf_next_load(f->ph, &f->image, &index, &s));
    assert_true(s.read && !s.write && s.execute);
    assert_true(elf_next_load(f->ph, &f->image, &index, &s));
    assert_true(s.read && s.write && !s.execute);
    assert_int_equal(s.offset, 0x5e00);
    assert_int_equal(s.vaddr, 0x6e00);
    assert_int_equal(s.filesz, 0x200);
    assert_int_equal(s.memsz, 0x1400);
    assert_false(elf_next_load(f->ph, &f->image, &index, &s));
}

static void elf_reads_a_static_program_at_a_fixed_address(void **state) {
    struct file *f = *state;
    f->h.e_type = ET_EXEC;
    f->ph[INTERP].p_type = PT_NULL;
    f->ph[STACK].p_flags |= PF_X;
    f->ph[TEXT].p_vaddr += 0x10000;
    f->ph[DATA].p_vaddr += 0x10000;
    assert_int_equal(parse(f), 0);
    assert_false(f->image.dynamic);
    assert_false(f->image.has_interp);
    assert_true(f->image.execute_stack);
    assert_int_equal(f->image.low, 0x10000);
    assert_int_equal(f->image.phdr_vaddr, 0x10040);
}

static void elf_finds_no_headers_in_memory_when_no_segment_holds_them(void **state) {
    struct file *f = *state;
    f->ph[TEXT].p_filesz = 64 + PHDRS * 56 - 1;
    assert_int_equal(parse(f), 0);
    assert_int_equal(f->image.phdr_vaddr, 0);
}

static void elf_passes_over_segments_without_memory(void **state) {
    struct file *f = *state;
    f->ph[TLS] = (Elf64_Phdr){.p_type = PT_LOAD, .p_vaddr = 0x1000, .p_offset = 0x1000, .p_align = 0x1000};
    assert_int_equal(parse(f), 0);
    assert_int_equal(f->image.loads, 2);
}

static void elf_caps_a_huge_alignment(void **state) {
    struct file *f = *state;
    f->ph[TEXT].p_align = 1ull << 40;
    assert_int_equal(parse(f), 0);
    assert_int_equal(f->image.align, 2 << 20);
}

static void elf_refuses_what_is_no_elf(void **state) {
    struct file *f = *state;
    assert_int_equal(elf_parse_header("#!/bin/sh", 9, &f->image), -ENOEXEC);
    assert_int_equal(f->image.problem, ELF_NOT_ELF);
    assert_int_equal(elf_parse_header("\177E", 2, &f->image), -ENOEXEC);
    assert_int_equal(f->image.problem, ELF_NOT_ELF);
    assert_int_equal(elf_parse_header(f, 63, &f->image), -ENOEXEC);
    assert_int_equal(f->image.problem, ELF_CUT);
}

#define REFUSES(claim, change, p)                                                                            \
    static void claim(void **state) {                                                                        \
        struct file *f = *state;                                                                             \
        change;                                                                                              \
        assert_problem(f, p);                                                                                \
    }
REFUSES(elf_refuses_32_bit, f->h.e_ident[EI_CLASS] = ELFCLASS32, ELF_CLASS)
REFUSES(elf_refuses_big_endian, f->h.e_ident[EI_DATA] = ELFDATA2MSB, ELF_BYTE_ORDER)
REFUSES(elf_refuses_another_version, f->h.e_version = 2, ELF_VERSION)
REFUSES(elf_refuses_another_machine, f->h.e_machine = EM_X86_64, ELF_MACHINE)
REFUSES(elf_refuses_object_files, f->h.e_type = ET_REL, ELF_TYPE)
REFUSES(elf_refuses_other_header_sizes, f->h.e_phentsize = 32, ELF_HEADER)
REFUSES(elf_refuses_no_program_headers, f->h.e_phnum = 0, ELF_PHDR_COUNT)
REFUSES(elf_refuses_65_program_headers, f->h.e_phnum = 65, ELF_PHDR_COUNT)
REFUSES(elf_refuses_headers_out_of_range, f->h.e_phoff = ~0ull - 8, ELF_RANGE)
REFUSES(elf_refuses_cut_program_headers, f->h.e_phnum = PHDRS + 1, ELF_CUT)
REFUSES(elf_refuses_more_file_than_memory, f->ph[DATA].p_memsz = 0x1ff, ELF_FILESZ)
REFUSES(elf_refuses_incongruent_offsets, f->ph[DATA].p_offset++, ELF_CONGRUENCE)
REFUSES(elf_refuses_odd_alignment, f->ph[DATA].p_align = 0x1001, ELF_ALIGN)
REFUSES(elf_refuses_wrapping_addresses, f->ph[DATA].p_vaddr = ~0ull - 0x1ff, ELF_RANGE)
REFUSES(elf_refuses_wrapping_sizes, f->ph[DATA].p_memsz = ~0ull, ELF_RANGE)
REFUSES(elf_refuses_wrapping_offsets, f->ph[DATA].p_offset = ~0ull - 0x1ff, ELF_RANGE)
REFUSES(elf_refuses_kernel_addresses, f->ph[DATA].p_vaddr = 0xffffffc000000e00, ELF_RANGE)
REFUSES(elf_refuses_overlapping_segments, f->ph[DATA].p_vaddr = 0x4e00, ELF_ORDER)
REFUSES(elf_refuses_a_truncated_file, f->ph[DATA].p_offset = 0xfe00; f->ph[DATA].p_filesz = 0x201, ELF_CUT)
REFUSES(elf_refuses_a_truncated_interpreter, f->ph[INTERP].p_offset = 0xfff0, ELF_CUT)
REFUSES(elf_refuses_two_interpreters, f->ph[PHDR] = f->ph[INTERP], ELF_INTERP)
REFUSES(elf_refuses_an_empty_interpreter, f->ph[INTERP].p_filesz = 1, ELF_INTERP)
REFUSES(elf_refuses_a_long_interpreter, f->ph[INTERP].p_filesz = 4097, ELF_INTERP)
REFUSES(elf_refuses_nothing_to_load, f->ph[TEXT].p_type = f->ph[DATA].p_type = PT_NULL, ELF_NO_LOAD)

static void elf_refuses_interpreters_that_are_not_one_string(void **state) {
    struct file *f = *state;
    assert_int_equal(parse(f), 0);
    f->interp[5] = '\0';
    assert_int_equal(elf_check_interp(f->interp, &f->image), -ENOEXEC);
    memset(f->interp, 'x', sizeof(f->interp));
    assert_int_equal(elf_check_interp(f->interp, &f->image), -ENOEXEC);
    memset(f->interp, 0, sizeof(f->interp));
    assert_int_equal(elf_check_interp(f->interp, &f->image), -ENOEXEC);
    assert_int_equal(f->image.problem, ELF_INTERP_NAME);
}

static void elf_names_machines(void **state) {
    (void)state;
    assert_string_equal(elf_machine_name(62), "x86-64");
    assert_string_equal(elf_machine_name(183), "AArch64");
    assert_string_equal(elf_machine_name(243), "RISC-V");
    assert_string_equal(elf_machine_name(9999), "an unknown machine");
}

#define CLAIM(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        CLAIM(elf_reads_a_dynamic_program),
        CLAIM(elf_reads_a_static_program_at_a_fixed_address),
        CLAIM(elf_finds_no_headers_in_memory_when_no_segment_holds_them),
        CLAIM(elf_passes_over_segments_without_memory),
        CLAIM(elf_caps_a_huge_alignment),
        CLAIM(elf_refuses_what_is_no_elf),
        CLAIM(elf_refuses_32_bit),
        CLAIM(elf_refuses_big_endian),
        CLAIM(elf_refuses_another_version),
        CLAIM(elf_refuses_another_machine),
        CLAIM(elf_refuses_object_files),
        CLAIM(elf_refuses_other_header_sizes),
        CLAIM(elf_refuses_no_program_headers),
        CLAIM(elf_refuses_65_program_headers),
        CLAIM(elf_refuses_headers_out_of_range),
        CLAIM(elf_refuses_cut_program_headers),
        CLAIM(elf_refuses_more_file_than_memory),
        CLAIM(elf_refuses_incongruent_offsets),
        CLAIM(elf_refuses_odd_alignment),
        CLAIM(elf_refuses_wrapping_addresses),
        CLAIM(elf_refuses_wrapping_sizes),
        CLAIM(elf_refuses_wrapping_offsets),
        CLAIM(elf_refuses_kernel_addresses),
        CLAIM(elf_refuses_overlapping_segments),
        CLAIM(elf_refuses_a_truncated_file),
        CLAIM(elf_refuses_a_truncated_interpreter),
        CLAIM(elf_refuses_two_interpreters),
        CLAIM(elf_refuses_an_empty_interpreter),
        CLAIM(elf_refuses_a_long_interpreter),
        CLAIM(elf_refuses_nothing_to_load),
        CLAIM(elf_refuses_interpreters_that_are_not_one_string),
        CLAIM(elf_names_machines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
