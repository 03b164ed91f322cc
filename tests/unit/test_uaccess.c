// SPDX-License-Identifier: MIT
// The loops that touch user memory (kernel/arch/riscv/uaccess.S), run instruction by instruction: every length and
// alignment at both ends of the address space, with each single access looked at. That the same holds on a real
// machine, and through system calls, is tests/user/uaccess.c's to show.
#include "riscv.h"
#include "unit.h"
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>

#define USER_END 0x4000000000ull
#define KERNEL   0xffffffc012345000ull // some address of the kernel's
#define LONGEST  512

// ---- the routines

static struct riscv cpu;
static uint64_t user_copy, user_clear, user_string;
static uint64_t closed_at, closed; // uaccess_close, the only thing of the kernel's that they read
static uint64_t fixups[32][3];     // start, end, where to go on
static uint8_t *elf;

static const Elf64_Shdr *section(const char *name) {
    const Elf64_Ehdr *h = (const Elf64_Ehdr *)elf;
    const Elf64_Shdr *s = (const Elf64_Shdr *)(elf + h->e_shoff);
    for (int i = 0; i < h->e_shnum; i++) {
        if (!strcmp((const char *)elf + s[h->e_shstrndx].sh_offset + s[i].sh_name, name))
            return &s[i];
    }
    return NULL;
}

static uint64_t symbol(const char *name) {
    const Elf64_Shdr *table = section(".symtab"), *names = section(".strtab");
    const Elf64_Sym *sym = (const Elf64_Sym *)(elf + table->sh_offset);
    for (size_t i = 0; i < table->sh_size / sizeof(*sym); i++) {
        if (!strcmp((const char *)elf + names->sh_offset + sym[i].st_name, name))
            return sym[i].st_value;
    }
    fail_msg("no %s", name);
    return 0;
}

static int load_routines(void **state) {
    (void)state;
    FILE *f = fopen(UACCESS_ELF, "rb");
    elf = calloc(1, 1 << 20);
    assert_true(f && elf && fread(elf, 1, 1 << 20, f) > sizeof(Elf64_Ehdr));
    fclose(f);
    const Elf64_Shdr *text = section(".text"), *data = section(".rodata");
    cpu.text = elf + text->sh_offset;
    cpu.text_at = text->sh_addr;
    cpu.text_size = text->sh_size;
    user_copy = symbol("user_copy_raw");
    user_clear = symbol("user_clear_raw");
    user_string = symbol("user_string_raw");
    closed_at = symbol("uaccess_close");
    size_t at = symbol("uaccess_table") - data->sh_addr;
    memcpy(fixups, elf + data->sh_offset + at,
           data->sh_size - at < sizeof(fixups) ? data->sh_size - at : sizeof(fixups));
    return 0;
}

static int unload_routines(void **state) {
    (void)state;
    free(elf);
    return 0;
}

// ---- memory: two buffers. Reads may take whole words of which one byte at least is in a buffer; writes stay in it.

struct buffer {
    uint64_t at;
    size_t size;
    size_t present; // behind that many bytes accesses fault
    bool user, writable;
    uint8_t bytes[LONGEST + 8];
};

static struct buffer here, there;
static const char *trespass; // what an access did wrong, or NULL

static bool touches(const struct buffer *b, uint64_t addr, unsigned int n) {
    return b->size && addr - b->at + n - 1 < b->size + n - 1;
}

static bool use(struct buffer *b, uint64_t addr, uint8_t *data, unsigned int n, bool write) {
    for (unsigned int i = 0; i < n; i++) {
        uint64_t offset = addr + i - b->at;
        bool inside = offset < b->size;
        if (inside && offset >= b->present)
            return false;
        if (write && (!inside || !b->writable))
            trespass = "a write outside";
        else if (write)
            b->bytes[offset] = data[i];
        else
            data[i] = inside ? b->bytes[offset] : 0xee;
    }
    return true;
}

static bool on_access(struct riscv *r, uint64_t addr, void *data, unsigned int n, bool write) {
    if (addr == closed_at && n == sizeof(closed) && !write) {
        memcpy(data, &closed, n);
        return true;
    }
    struct buffer *b = touches(&here, addr, n) ? &here : touches(&there, addr, n) ? &there : NULL;
    if (!b)
        trespass = write ? "a write outside" : "a read of what holds none of the bytes";
    else if (addr % n)
        trespass = "an access that is not aligned";
    else if (b->user && !(r->sstatus & RISCV_SUM))
        trespass = "an access to user memory that is not enabled";
    if (trespass) {
        r->error = trespass;
        return true;
    }
    return use(b, addr, data, n, write);
}

static uint64_t on_fault(struct riscv *r) {
    for (size_t i = 0; i < 32 && fixups[i][0]; i++) {
        if (r->pc >= fixups[i][0] && r->pc < fixups[i][1])
            return fixups[i][2];
    }
    r->error = "a fault that has no fix-up";
    return r->pc;
}

// Every third call is of a kernel that leaves user memory open.
static uint64_t call(uint64_t routine, uint64_t a0, uint64_t a1, uint64_t a2) {
    static unsigned int calls;
    closed = calls++ % 3 ? RISCV_SUM : 0;
    trespass = NULL;
    cpu.access = on_access;
    cpu.on_fault = on_fault;
    cpu.sstatus = 0;
    cpu.x[REG_A0] = a0;
    cpu.x[REG_A1] = a1;
    cpu.x[REG_A2] = a2;
    if (!riscv_call(&cpu, routine, 40 * LONGEST) || trespass || cpu.sstatus != (RISCV_SUM & ~closed))
        fail_msg("(%#lx, %#lx, %lu): %s", (unsigned long)a0, (unsigned long)a1, (unsigned long)a2,
                 cpu.error  ? cpu.error
                 : trespass ? trespass
                            : "user memory is open behind it and should not be, or the other way round");
    return cpu.x[REG_A0];
}

static void set(struct buffer *b, uint64_t at, size_t size, bool user, bool writable) {
    b->at = at;
    b->size = b->present = size;
    b->user = user;
    b->writable = writable;
    for (size_t i = 0; i < size; i++)
        b->bytes[i] = writable ? 0xa5 : 1 + i % 251;
}

// ---- each length at each place

static void copy(uint64_t user, bool to_user, unsigned int shift, size_t n) {
    set(&here, user, n, true, to_user);
    set(&there, KERNEL + shift, n, false, !to_user);
    uint64_t left =
        to_user ? call(user_copy, user, KERNEL + shift, n) : call(user_copy, KERNEL + shift, user, n);
    assert_int_equal(left, 0);
    assert_memory_equal(here.bytes, there.bytes, n);
}

static void copies_at_the_first_addresses_stay_where_they_belong(void **state) {
    (void)state;
    for (size_t n = 0; n <= LONGEST; n++) {
        for (uint64_t at = 0; at < 8; at++) {
            for (unsigned int shift = 0; shift < 8; shift++) {
                copy(at, true, shift, n);
                copy(at, false, shift, n);
            }
        }
        for (uint64_t at = 8; at + n <= LONGEST; at++)
            copy(at, (at + n) % 2, (at * 3 + n) % 8, n);
    }
}

static void copies_at_the_last_addresses_stay_where_they_belong(void **state) {
    (void)state;
    for (size_t n = 0; n <= LONGEST; n++) {
        for (uint64_t at = 0; at < 8; at++) {
            for (unsigned int shift = 0; shift < 8; shift++) {
                copy(USER_END - n - at, true, shift, n);
                copy(USER_END - n - at, false, shift, n);
            }
        }
    }
}

static void clearing_stays_where_it_belongs(void **state) {
    (void)state;
    for (size_t n = 0; n <= LONGEST; n++) {
        for (uint64_t at = 0; at < 2 * 16; at++) {
            uint64_t user = at < 16 ? at : USER_END - n - (at - 16);
            set(&here, user, n, true, true);
            set(&there, KERNEL, 0, false, false);
            assert_int_equal(call(user_clear, user, n, 0), 0);
            for (size_t i = 0; i < n; i++)
                assert_int_equal(here.bytes[i], 0);
        }
    }
}

// A string of n - 1 bytes and its NUL, in a room that is larger, just enough, and one byte too small.
static void string(uint64_t user, unsigned int shift, size_t n) {
    for (size_t room = n + 9; room >= n - 1; room = room > n ? n : room - 1) {
        set(&here, user, n, true, false);
        here.bytes[n - 1] = 0;
        set(&there, KERNEL + shift, room < sizeof(there.bytes) ? room : sizeof(there.bytes), false, true);
        assert_int_equal(call(user_string, KERNEL + shift, user, there.size), n - 1);
        assert_memory_equal(here.bytes, there.bytes, room < n ? room : n);
        if (!room)
            break;
    }
}

static void strings_are_read_to_their_end_and_no_further(void **state) {
    (void)state;
    for (size_t n = 1; n <= LONGEST; n++) {
        for (uint64_t at = 0; at < 8; at++) {
            string(at, (at + n) % 8, n);
            string(USER_END - n - at, n / 8 % 8, n);
        }
    }
}

// ---- faults: what is there is copied, and the rest is told

static void copy_with_fault(bool to_user, unsigned int shift, size_t n, size_t have) {
    uint64_t user = 0x12345000 + 4096 - have; // the next page is not there
    set(&here, user, n, true, to_user);
    here.present = have;
    set(&there, KERNEL + shift, n, false, !to_user);
    uint64_t left =
        to_user ? call(user_copy, user, KERNEL + shift, n) : call(user_copy, KERNEL + shift, user, n);
    assert_int_equal(left, n - have);
    assert_memory_equal(here.bytes, there.bytes, have);
}

static void faults_leave_what_is_there_copied_and_tell_the_rest(void **state) {
    (void)state;
    for (size_t n = 1; n <= LONGEST; n += n < 300 ? 1 : 7) {
        for (size_t have = 0; have < n; have += have < 40 ? 1 : 29) {
            copy_with_fault(true, (n + have) % 8, n, have);
            copy_with_fault(false, (n * 3 + have) % 8, n, have);
            set(&here, 0x12345000 + 4096 - have, n, true, true);
            here.present = have;
            assert_int_equal(call(user_clear, here.at, n, 0), n - have);
            set(&here, 0x12345000 + 4096 - have, n, true, false);
            here.present = have;
            set(&there, KERNEL, n, false, true);
            assert_int_equal((int64_t)call(user_string, KERNEL, here.at, n), -1);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copies_at_the_first_addresses_stay_where_they_belong),
        cmocka_unit_test(copies_at_the_last_addresses_stay_where_they_belong),
        cmocka_unit_test(clearing_stays_where_it_belongs),
        cmocka_unit_test(strings_are_read_to_their_end_and_no_further),
        cmocka_unit_test(faults_leave_what_is_there_copied_and_tell_the_rest),
    };
    return cmocka_run_group_tests(tests, load_routines, unload_routines);
}
