// SPDX-License-Identifier: MIT
// riscv_hwprobe(2): what the processors can do, in pairs of a key and its value. libc asks at the start of
// every program, usually of the vDSO. All harts are taken to be alike: the first one's isa string speaks for all.
#include "arch/riscv/cpu.h"
#include "arch/riscv/layout.h"
#include "arch/riscv/sbi.h"
#include "arch/riscv/uaccess.h"
#include "arch/riscv/vdso_data.h"
#include "core/fdt.h"
#include "lib/string.h"
#include "sched/clock.h"
#include "sched/thread.h"
#include "sys/hwprobe.h"
#include "sys/syscalls.h"

// asm/hwprobe.h is younger than the oldest headers that we build with.
struct riscv_hwprobe {
    int64_t key;
    uint64_t value;
};
#define WHICH_CPUS  1u // the flag: not the values, but the processors that have all of them
#define IMA         1u // of KEY_BASE_BEHAVIOR
#define KEY_UNKNOWN (-1)

enum hwprobe_key {
    KEY_MVENDORID,
    KEY_MARCHID,
    KEY_MIMPID,
    KEY_BASE_BEHAVIOR,
    KEY_IMA_EXT_0,
    KEY_CPUPERF_0,
    KEY_ZICBOZ_BLOCK_SIZE,
    KEY_HIGHEST_VIRT_ADDRESS,
    KEY_TIME_CSR_FREQ,
    KEY_MISALIGNED_SCALAR_PERF,
};
_Static_assert(KEY_MISALIGNED_SCALAR_PERF + 1 == VDSO_HWPROBE_KEYS, "the vDSO has them all");

// Extensions that a program can use as they are, and their bits in KEY_IMA_EXT_0. Not here: what the kernel
// would have to switch on (Zicboz) or to save and load (V).
static const struct {
    const char *name;
    unsigned int bit;
} extensions[] = {
    {"zba", 3},    {"zbb", 4},     {"zbs", 5},          {"zbc", 7},        {"zbkb", 8},   {"zbkc", 9},
    {"zbkx", 10},  {"zknd", 11},   {"zkne", 12},        {"zknh", 13},      {"zksed", 14}, {"zksh", 15},
    {"zkt", 16},   {"zfh", 27},    {"zfhmin", 28},      {"zihintntl", 29}, {"zfa", 32},   {"ztso", 33},
    {"zacas", 34}, {"zicond", 35}, {"zihintpause", 36}, {"zimop", 42},     {"zca", 43},   {"zcb", 44},
    {"zcd", 45},   {"zcmop", 47},  {"zawrs", 48},
};

// Is the extension one of the words between underscores?
static bool isa_has(const char *isa, const char *name) {
    size_t n = strlen(name);
    for (const char *s = strchr(isa, '_'); s; s = strchr(s, '_')) {
        s++;
        if (!strncmp(s, name, n) && (s[n] == '_' || s[n] == '\0'))
            return true;
    }
    return false;
}

static uint64_t find_extensions(void) {
    const char *isa = fdt_isa();
    uint64_t bits = 0;
    if (arch_hwcap & 1ul << ('d' - 'a'))
        bits |= 1;
    if (arch_hwcap & 1ul << ('c' - 'a'))
        bits |= 2;
    for (size_t i = 0; i < ARRAY_SIZE(extensions); i++) {
        if (isa_has(isa, extensions[i].name))
            bits |= 1ull << extensions[i].bit;
    }
    return bits;
}

static struct riscv_hwprobe find(int64_t key) {
    uint64_t value = 0;
    switch (key) {
    case KEY_MVENDORID:
        value = sbi_machine_id(SBI_MVENDORID);
        break;
    case KEY_MARCHID:
        value = sbi_machine_id(SBI_MARCHID);
        break;
    case KEY_MIMPID:
        value = sbi_machine_id(SBI_MIMPID);
        break;
    case KEY_BASE_BEHAVIOR:
        value = IMA;
        break;
    case KEY_IMA_EXT_0:
        value = find_extensions();
        break;
    case KEY_CPUPERF_0: // 0: how fast misaligned accesses are is not known
    case KEY_MISALIGNED_SCALAR_PERF:
    case KEY_ZICBOZ_BLOCK_SIZE: // 0: none
        break;
    case KEY_HIGHEST_VIRT_ADDRESS:
        value = USER_END - 1;
        break;
    case KEY_TIME_CSR_FREQ:
        value = timebase_frequency;
        break;
    default:
        key = KEY_UNKNOWN;
    }
    return (struct riscv_hwprobe){key, value};
}

// The vDSO has the values, too: few programs have to ask here.
void hwprobe_init(void) {
    struct vdso_data *data = clock_vdso_page();
    for (int64_t key = 0; key < VDSO_HWPROBE_KEYS; key++)
        data->hwprobe[key] = find(key).value;
}

static struct riscv_hwprobe probe(int64_t key) {
    bool known = (uint64_t)key < VDSO_HWPROBE_KEYS;
    return (struct riscv_hwprobe){known ? key : KEY_UNKNOWN, known ? clock_vdso_page()->hwprobe[key] : 0};
}

// For WHICH_CPUS: do all processors have what the pair asks for? Values that are sets need only hold it.
static bool matches(const struct riscv_hwprobe *asked, const struct riscv_hwprobe *have) {
    if (asked->key == KEY_BASE_BEHAVIOR || asked->key == KEY_IMA_EXT_0 || asked->key == KEY_CPUPERF_0)
        return (have->value & asked->value) == asked->value;
    return have->value == asked->value;
}

// As in Linux, what is longer than the kernel's mask stays as it is; that is of 512 processors there.
static int write_cpus(void __user *cpus, size_t size, uint64_t mask) {
    const uint64_t words[8] = {mask};
    return copy_to_user(cpus, words, MIN(size, sizeof(words)));
}

// Which of the harts in `asked` have all that the pairs say; a key that is not known no hart has.
static long which_cpus(struct riscv_hwprobe __user *pairs, size_t count, size_t size, void __user *cpus,
                       uint64_t asked) {
    bool all = true;
    for (size_t i = 0; i < count; i++) {
        struct riscv_hwprobe pair;
        int err = copy_from_user(&pair, &pairs[i], sizeof(pair));
        if (!err)
            err = cond_resched_killable();
        if (err)
            return err;
        struct riscv_hwprobe have = probe(pair.key);
        if (have.key == KEY_UNKNOWN) {
            all = false;
            err = put_object(&pairs[i], have);
            if (err)
                return err;
        }
        all = all && matches(&pair, &have);
    }
    return write_cpus(cpus, size, all ? asked : 0);
}

long sys_riscv_hwprobe(void __user *user, size_t count, size_t size, void __user *cpus, unsigned int flags) {
    struct riscv_hwprobe __user *pairs = user;
    uint64_t mask = 0;
    if (flags & ~WHICH_CPUS || (flags && (!size || !cpus)))
        return -EINVAL;
    if (size || cpus) {
        int err = copy_from_user(&mask, cpus, MIN(size, sizeof(mask)));
        if (err)
            return err;
    }
    if (flags)
        return which_cpus(pairs, count, size, cpus, mask ? mask & sched_online_mask() : sched_online_mask());
    if ((size || cpus) && !(mask & sched_online_mask()))
        return -EINVAL;
    for (size_t i = 0; i < count; i++) {
        int64_t key;
        int err = get_user(key, &pairs[i].key);
        if (!err)
            err = cond_resched_killable();
        if (err)
            return err;
        struct riscv_hwprobe pair = probe(key);
        err = put_object(&pairs[i], pair);
        if (err)
            return err;
    }
    return 0;
}
