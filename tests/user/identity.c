// SPDX-License-Identifier: MIT
// Who a process is and what that lets it do: credentials, set-id programs, looking into other processes, low
// addresses.
#include "test.h"
#include <elf.h>
#include <fcntl.h>
#include <grp.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define PAGE    4096ul
#define LOWEST  0x10000ul
#define SOMEONE 1000

// The test's process is nobody special from here on; as a program that was executed so, it is dumpable.
static void become(uid_t id) {
    CHECK(!setgroups(0, NULL) && !setresgid(id, id, id) && !setresuid(id, id, id));
    CHECK(!prctl(PR_SET_DUMPABLE, 1));
}

// Not by the library, which makes another errno of EPERM.
static void *map_at(unsigned long addr, int flags) {
    return (void *)syscall(SYS_mmap, addr, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0l);
}

// ---- the lowest addresses

TEST(low_addresses_are_for_those_with_cap_sys_rawio) {
    for (unsigned long addr = 0; addr < LOWEST; addr += PAGE)
        CHECK(map_at(addr, MAP_FIXED) == (void *)addr && !munmap((void *)addr, PAGE));
    become(SOMEONE);
    for (unsigned long addr = 0; addr < LOWEST; addr += PAGE) {
        CHECK_ERRNO((long)map_at(addr, MAP_FIXED), EPERM);
        CHECK_ERRNO((long)map_at(addr, MAP_FIXED_NOREPLACE), EPERM);
    }
    CHECK(map_at(LOWEST, MAP_FIXED) == (void *)LOWEST);
}

TEST(mremap_and_growth_do_not_reach_low_addresses) {
    char *low = map_at(0, MAP_FIXED), *p;
    CHECK(low == NULL);
    become(SOMEONE);
    p = map_at(0, 0);
    CHECK(p != MAP_FAILED && p >= (char *)LOWEST);
    CHECK_ERRNO((long)mremap(p, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)(2 * PAGE)), EPERM);
    CHECK_ERRNO((long)mremap(low, PAGE, 2 * PAGE, 0), ENOMEM);
    *p = 1;
}

TEST(hints_below_the_lowest_address_are_rounded_up) {
    CHECK(map_at(PAGE, 0) == (void *)LOWEST);
    CHECK(map_at(2 * LOWEST + 5, 0) == (void *)(2 * LOWEST));
    become(SOMEONE);
    CHECK((unsigned long)map_at(PAGE, 0) > LOWEST);
}

// An executable file whose only segment is at `addr`: it ends with status 42.
static void make_program_at(const char *path, unsigned long addr, mode_t mode) {
    static const uint32_t code[] = {0x02a00513, 0x05d00893, 0x00000073}; // exit(42)
    struct {
        Elf64_Ehdr head;
        Elf64_Phdr segment;
        uint32_t code[3];
    } f = {
        .head = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
                 .e_type = ET_EXEC,
                 .e_machine = EM_RISCV,
                 .e_version = EV_CURRENT,
                 .e_entry = addr + sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr),
                 .e_phoff = sizeof(Elf64_Ehdr),
                 .e_ehsize = sizeof(Elf64_Ehdr),
                 .e_phentsize = sizeof(Elf64_Phdr),
                 .e_phnum = 1},
        .segment = {.p_type = PT_LOAD,
                    .p_flags = PF_R | PF_X,
                    .p_vaddr = addr,
                    .p_paddr = addr,
                    .p_filesz = sizeof(f),
                    .p_memsz = sizeof(f),
                    .p_align = PAGE},
    };
    memcpy(f.code, code, sizeof(code));
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0755);
    CHECK(fd >= 0 && write(fd, &f, sizeof(f)) == sizeof(f) && !fchmod(fd, mode) && !close(fd));
}

static int run(void *path) {
    execl(path, path, (char *)NULL);
    return errno;
}

TEST(programs_at_low_addresses_run_for_root_only) {
    make_program_at("/tmp/low", PAGE, 0755);
    make_program_at("/tmp/first", 0, 0755);
    make_program_at("/tmp/high", LOWEST, 0755);
    CHECK(test_wait_exit(test_fork(run, "/tmp/low")) == 42);
    CHECK(test_wait_exit(test_fork(run, "/tmp/first")) == 42);
    become(SOMEONE);
    CHECK(test_wait_exit(test_fork(run, "/tmp/low")) == EPERM);
    CHECK(test_wait_exit(test_fork(run, "/tmp/first")) == EPERM);
    CHECK(test_wait_exit(test_fork(run, "/tmp/high")) == 42);
}

static const char *sysctl(void) {
    static char text[32];
    int fd = open("/proc/sys/vm/mmap_min_addr", O_RDONLY);
    ssize_t n = read(fd, text, sizeof(text) - 1);
    CHECK(fd >= 0 && n > 0 && !close(fd));
    text[n] = 0;
    return text;
}

TEST(mmap_min_addr_can_be_read_and_set) {
    CHECK(!strcmp(sysctl(), "65536\n"));
    int fd = open("/proc/sys/vm/mmap_min_addr", O_WRONLY);
    CHECK(fd >= 0 && write(fd, "4096", 4) == 4 && !strcmp(sysctl(), "4096\n"));
    pid_t pid = fork();
    if (!pid) {
        become(SOMEONE);
        _exit(map_at(PAGE, MAP_FIXED) != (void *)PAGE || map_at(0, MAP_FIXED) != MAP_FAILED);
    }
    CHECK(test_wait_exit(pid) == 0);
    CHECK(pwrite(fd, "65536", 5, 0) == 5);
    become(SOMEONE);
    CHECK_ERRNO(pwrite(fd, "0", 1, 0), EPERM);
    CHECK_ERRNO(open("/proc/sys/vm/mmap_min_addr", O_WRONLY), EACCES);
}
