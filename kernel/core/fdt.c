// SPDX-License-Identifier: MIT
#include "core/fdt.h"
#include "arch/riscv/cpu.h"
#include "core/panic.h"
#include "lib/string.h"
#include <libfdt.h>

static const void *fdt;

void fdt_init(const void *blob) {
    int err = fdt_check_header(blob);
    if (err)
        panic("no device tree at %p: %s; the firmware must pass its address in a1", blob, fdt_strerror(err));
    fdt = blob;
}

size_t fdt_size(void) {
    return fdt_totalsize(fdt);
}

// A number of `cells` 32-bit cells.
static uint64_t read_cells(const fdt32_t *p, int cells) {
    uint64_t v = 0;
    while (cells-- > 0)
        v = v << 32 | fdt32_to_cpu(*p++);
    return v;
}

// Calls fn for each (address, size) pair of a node's reg.
static void for_each_reg(int node, void (*fn)(paddr_t, uint64_t)) {
    int parent = fdt_parent_offset(fdt, node), length;
    int ac = fdt_address_cells(fdt, parent), sc = fdt_size_cells(fdt, parent);
    const fdt32_t *reg = fdt_getprop(fdt, node, "reg", &length);
    for (int n = reg ? length / 4 : 0; n >= ac + sc; n -= ac + sc, reg += ac + sc)
        fn(read_cells(reg, ac), read_cells(reg + ac, sc));
}

void fdt_for_each_memory(void (*fn)(paddr_t, uint64_t)) {
    int node;
    fdt_for_each_subnode(node, fdt, 0) {
        const char *type = fdt_getprop(fdt, node, "device_type", NULL);
        if (type && !strcmp(type, "memory"))
            for_each_reg(node, fn);
    }
}

void fdt_for_each_reserved(void (*fn)(paddr_t, uint64_t)) {
    int node, count = fdt_num_mem_rsv(fdt);
    for (int i = 0; i < count; i++) {
        uint64_t base, size;
        if (!fdt_get_mem_rsv(fdt, i, &base, &size))
            fn(base, size);
    }
    fdt_for_each_subnode(node, fdt, fdt_path_offset(fdt, "/reserved-memory")) for_each_reg(node, fn);
}

static const void *chosen(const char *name, int *length) {
    return fdt_getprop(fdt, fdt_path_offset(fdt, "/chosen"), name, length);
}

const char *fdt_bootargs(void) {
    int n;
    const char *args = chosen("bootargs", &n);
    return args && n > 0 && args[n - 1] == '\0' ? args : NULL;
}

static bool chosen_address(const char *name, uint64_t *out) {
    int n;
    const fdt32_t *p = chosen(name, &n);
    if (!p || (n != 4 && n != 8))
        return false;
    *out = read_cells(p, n / 4);
    return true;
}

bool fdt_initrd(struct fdt_range *out) {
    uint64_t start, end;
    if (!chosen_address("linux,initrd-start", &start) || !chosen_address("linux,initrd-end", &end) ||
        end <= start)
        return false;
    *out = (struct fdt_range){start, end - start};
    return true;
}

const void *fdt_rng_seed(size_t *n) {
    int length = 0;
    const void *seed = chosen("rng-seed", &length);
    *n = length > 0 ? length : 0;
    return seed;
}

// ---- harts

static const char *isa = "rv64imac";

const char *fdt_isa(void) {
    return isa;
}

const char *fdt_model(void) {
    const char *model = fdt_getprop(fdt, 0, "model", NULL);
    return model ? model : "unknown machine";
}

static unsigned long isa_letters(const char *s) {
    unsigned long bits = 0;
    if (!strncmp(s, "rv64", 4))
        s += 4;
    for (; *s >= 'a' && *s <= 'z' && *s != 'z' && *s != 's' && *s != 'x'; s++)
        bits |= *s == 'g' ? 0x1129 : 1ul << (*s - 'a'); // g: imafd
    return bits;
}

static bool is_usable_cpu(int node) {
    const char *type = fdt_getprop(fdt, node, "device_type", NULL);
    const char *status = fdt_getprop(fdt, node, "status", NULL);
    return type && !strcmp(type, "cpu") && !(status && strcmp(status, "okay") && strcmp(status, "ok"));
}

static unsigned long hartid_of(int cpu) {
    int length;
    const fdt32_t *reg = fdt_getprop(fdt, cpu, "reg", &length);
    return reg ? read_cells(reg, length / 4) : ~0ul;
}

void fdt_read_harts(unsigned long boot_hartid) {
    int cpus = fdt_path_offset(fdt, "/cpus"), node;
    timebase_frequency = fdt_u32(cpus, "timebase-frequency", 0);
    harts[0].hartid = boot_hartid;
    hart_count = 1;
    fdt_for_each_subnode(node, fdt, cpus) {
        if (!is_usable_cpu(node))
            continue;
        unsigned long id = hartid_of(node);
        if (id == boot_hartid) {
            const char *string = fdt_getprop(fdt, node, "riscv,isa", NULL);
            isa = string ? string : isa;
            arch_hwcap = isa_letters(isa);
            arch_has_sstc = strstr(isa, "_sstc") != NULL;
        } else if (hart_count < MAX_HARTS) {
            harts[hart_count] = (struct hart){.id = hart_count, .hartid = id};
            hart_count++;
        }
    }
}

int fdt_hart_of_intc(uint32_t phandle) {
    int intc = fdt_node_offset_by_phandle(fdt, phandle);
    if (intc < 0)
        return -1;
    unsigned long id = hartid_of(fdt_parent_offset(fdt, intc));
    for (unsigned int i = 0; i < hart_count; i++) {
        if (harts[i].hartid == id)
            return (int)i;
    }
    return -1;
}

// ---- devices

int fdt_next_compatible(int after, const char *name) {
    int node = fdt_node_offset_by_compatible(fdt, after, name);
    return node < 0 ? -1 : node;
}

bool fdt_reg(int node, struct fdt_range *out) {
    int parent = fdt_parent_offset(fdt, node), length;
    int ac = fdt_address_cells(fdt, parent), sc = fdt_size_cells(fdt, parent);
    const fdt32_t *reg = fdt_getprop(fdt, node, "reg", &length);
    if (!reg || length < 4 * (ac + sc))
        return false;
    *out = (struct fdt_range){read_cells(reg, ac), read_cells(reg + ac, sc)};
    return true;
}

unsigned int fdt_u32_count(int node, const char *property) {
    int length = 0;
    return fdt_getprop(fdt, node, property, &length) ? length / 4 : 0;
}

uint32_t fdt_u32_at(int node, const char *property, unsigned int i, uint32_t otherwise) {
    int length = 0;
    const fdt32_t *p = fdt_getprop(fdt, node, property, &length);
    return p && 4 * i + 4 <= (unsigned int)length ? fdt32_to_cpu(p[i]) : otherwise;
}

uint32_t fdt_u32(int node, const char *property, uint32_t otherwise) {
    return fdt_u32_at(node, property, 0, otherwise);
}
