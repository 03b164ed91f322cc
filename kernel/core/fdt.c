// SPDX-License-Identifier: MIT
// libfdt finds parents, names and phandles by reading the tree from its start, so one walk at the beginning
// notes where the nodes are; `node` stands for an index into that list.
#include "core/fdt.h"
#include "arch/riscv/cpu.h"
#include "core/panic.h"
#include "core/printk.h"
#include "lib/string.h"
#include <libfdt.h>

#define MAX_NODES             1024
#define MAX_DEPTH             16
#define MAX_CELLS             4u // of 4 bytes, in one address
#define DEFAULT_ADDRESS_CELLS 2
#define DEFAULT_SIZE_CELLS    1

struct node {
    int offset; // libfdt's
    int parent; // index; the root's is 0
    uint32_t phandle;
    int compatible_length, reg_length;
    const char *compatible;
    const fdt32_t *reg;
    uint8_t address_cells, size_cells; // of its children's addresses
};

static const void *fdt;
static struct node nodes[MAX_NODES]; // [I] in the order of the tree, the root first
static int node_count;

static void note_property(struct node *n, int at) {
    int length;
    const char *name;
    const void *value = fdt_getprop_by_offset(fdt, at, &name, &length);
    if (!value)
        return;
    if (!strcmp(name, "compatible")) {
        n->compatible = value;
        n->compatible_length = length;
    } else if (!strcmp(name, "reg")) {
        n->reg = value;
        n->reg_length = length;
    } else if (!strcmp(name, "#address-cells") && length == 4) {
        n->address_cells = (uint8_t)MIN(fdt32_to_cpu(*(const fdt32_t *)value), MAX_CELLS);
    } else if (!strcmp(name, "#size-cells") && length == 4) {
        n->size_cells = (uint8_t)MIN(fdt32_to_cpu(*(const fdt32_t *)value), MAX_CELLS);
    } else if (!strcmp(name, "phandle") && length == 4) {
        n->phandle = fdt32_to_cpu(*(const fdt32_t *)value);
    }
}

// One step for each tag of the structure block. A node's properties come before its children.
static void index_nodes(void) {
    int depth = -1, path[MAX_DEPTH], next;
    for (int at = 0; at >= 0; at = next) {
        uint32_t tag = fdt_next_tag(fdt, at, &next);
        if (tag == FDT_END)
            return;
        if (tag == FDT_END_NODE)
            depth--;
        else if (tag == FDT_PROP && depth >= 0 && depth < MAX_DEPTH)
            note_property(&nodes[path[depth]], at);
        if (tag != FDT_BEGIN_NODE || ++depth >= MAX_DEPTH)
            continue;
        if (node_count == MAX_NODES) {
            pr_warn("device tree: nodes after the first %d are not looked at", MAX_NODES);
            return;
        }
        path[depth] = node_count;
        nodes[node_count++] = (struct node){.offset = at,
                                            .parent = depth ? path[depth - 1] : 0,
                                            .address_cells = DEFAULT_ADDRESS_CELLS,
                                            .size_cells = DEFAULT_SIZE_CELLS};
    }
}

void fdt_init(const void *blob) {
    int err = fdt_check_header(blob);
    if (err)
        panic("no device tree at %p: %s; the firmware must pass its address in a1", blob, fdt_strerror(err));
    fdt = blob;
    index_nodes();
    if (!node_count)
        panic("the device tree at %p has no nodes", blob);
}

static const void *get_property(int node, const char *name, int *length) {
    return node < 0 ? NULL : fdt_getprop(fdt, nodes[node].offset, name, length);
}

// The next node below `parent` after node `after` (the parent itself: the first); -1 if there is none.
static int next_child(int parent, int after) {
    for (int i = after + 1; i < node_count && nodes[i].offset > nodes[parent].offset; i++) {
        if (nodes[i].parent == parent)
            return i;
    }
    return -1;
}

#define for_each_child(node, parent)                                                                         \
    for (int node = (parent) < 0 ? -1 : next_child(parent, parent); node >= 0;                               \
         node = next_child(parent, node))

// The root's child of that name, -1 if there is none.
static int top_node(const char *name) {
    for_each_child(node, 0) {
        if (!strcmp(fdt_get_name(fdt, nodes[node].offset, NULL), name))
            return node;
    }
    return -1;
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
    int parent = nodes[nodes[node].parent].offset, length;
    int ac = fdt_address_cells(fdt, parent), sc = fdt_size_cells(fdt, parent);
    const fdt32_t *reg = get_property(node, "reg", &length);
    for (int n = reg ? length / 4 : 0; n >= ac + sc; n -= ac + sc, reg += ac + sc)
        fn(read_cells(reg, ac), read_cells(reg + ac, sc));
}

void fdt_for_each_memory(void (*fn)(paddr_t, uint64_t)) {
    for_each_child(node, 0) {
        const char *type = get_property(node, "device_type", NULL);
        if (type && !strcmp(type, "memory"))
            for_each_reg(node, fn);
    }
}

void fdt_for_each_reserved(void (*fn)(paddr_t, uint64_t)) {
    int count = fdt_num_mem_rsv(fdt);
    for (int i = 0; i < count; i++) {
        uint64_t base, size;
        if (!fdt_get_mem_rsv(fdt, i, &base, &size))
            fn(base, size);
    }
    int reserved = top_node("reserved-memory");
    for_each_child(node, reserved) for_each_reg(node, fn);
}

static const void *chosen(const char *name, int *length) {
    return get_property(top_node("chosen"), name, length);
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

bool fdt_initrd(uint64_t *start, uint64_t *end) {
    return chosen_address("linux,initrd-start", start) && chosen_address("linux,initrd-end", end);
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
    const char *model = get_property(0, "model", NULL);
    return model ? model : "unknown machine";
}

#define HWCAP_KEPT 0x112d // imafdc: the extensions whose state a thread keeps
#define HWCAP_FD   0x28   // f and d

static unsigned long isa_letters(const char *s) {
    unsigned long bits = 0;
    if (!strncmp(s, "rv64", 4))
        s += 4;
    for (; *s >= 'a' && *s <= 'z' && *s != 'z' && *s != 's' && *s != 'x'; s++)
        bits |= *s == 'g' ? 0x1129 : 1ul << (*s - 'a'); // g: imafd
    return bits;
}

static bool is_usable_cpu(int node) {
    const char *type = get_property(node, "device_type", NULL);
    const char *status = get_property(node, "status", NULL);
    return type && !strcmp(type, "cpu") && !(status && strcmp(status, "okay") && strcmp(status, "ok"));
}

static unsigned long hartid_of(int cpu) {
    int length;
    const fdt32_t *reg = get_property(cpu, "reg", &length);
    return reg ? read_cells(reg, length / 4) : ~0ul;
}

// What a hart has: its isa string's letters, or those of the newer list of extensions.
static unsigned long letters_of(int cpu) {
    const char *string = get_property(cpu, "riscv,isa", NULL);
    if (string)
        return isa_letters(string);
    int length;
    unsigned long bits = 0;
    const char *list = get_property(cpu, "riscv,isa-extensions", &length);
    for (char letter[2] = "a"; list && *letter <= 'z'; ++*letter)
        bits |= (unsigned long)fdt_stringlist_contains(list, length, letter) << (*letter - 'a');
    return list ? bits : isa_letters(isa);
}

// Programs see what all harts have. The registers of floating point are kept for F and D together.
static void add_hart_letters(unsigned long letters) {
    arch_hwcap &= letters & HWCAP_KEPT;
    if ((arch_hwcap & HWCAP_FD) != HWCAP_FD)
        arch_hwcap &= ~HWCAP_FD;
}

void fdt_read_harts(unsigned long boot_hartid) {
    int cpus = top_node("cpus");
    timebase_frequency = fdt_u32(cpus, "timebase-frequency", 0);
    harts[0].hartid = boot_hartid;
    hart_count = 1;
    arch_hwcap = ~0ul;
    for_each_child(node, cpus) {
        if (!is_usable_cpu(node))
            continue;
        unsigned long id = hartid_of(node);
        add_hart_letters(letters_of(node));
        if (id == boot_hartid) {
            const char *string = get_property(node, "riscv,isa", NULL);
            isa = string ? string : isa;
            arch_has_sstc = strstr(isa, "_sstc") != NULL;
        } else if (hart_count < MAX_HARTS) {
            harts[hart_count] = (struct hart){.id = hart_count, .hartid = id};
            hart_count++;
        }
    }
    add_hart_letters(~0ul);
}

int fdt_hart_of_intc(uint32_t phandle) {
    for (int node = 0; node < node_count; node++) {
        if (nodes[node].phandle != phandle)
            continue;
        unsigned long id = hartid_of(nodes[node].parent);
        for (unsigned int i = 0; i < hart_count; i++) {
            if (harts[i].hartid == id)
                return (int)i;
        }
    }
    return -1;
}

// ---- devices

int fdt_next_compatible(int after, const char *name) {
    for (int node = after + 1; node < node_count; node++) {
        const struct node *n = &nodes[node];
        if (n->compatible && fdt_stringlist_contains(n->compatible, n->compatible_length, name))
            return node;
    }
    return -1;
}

bool fdt_reg(int node, struct fdt_range *out) {
    const struct node *n = &nodes[node], *parent = &nodes[n->parent];
    int ac = parent->address_cells, sc = parent->size_cells;
    if (!n->reg || n->reg_length < 4 * (ac + sc))
        return false;
    *out = (struct fdt_range){read_cells(n->reg, ac), read_cells(n->reg + ac, sc)};
    return true;
}

unsigned int fdt_u32_count(int node, const char *property) {
    int length = 0;
    return get_property(node, property, &length) ? length / 4 : 0;
}

uint32_t fdt_u32_at(int node, const char *property, unsigned int i, uint32_t otherwise) {
    int length = 0;
    const fdt32_t *p = get_property(node, property, &length);
    return p && 4 * i + 4 <= (unsigned int)length ? fdt32_to_cpu(p[i]) : otherwise;
}

uint32_t fdt_u32(int node, const char *property, uint32_t otherwise) {
    return fdt_u32_at(node, property, 0, otherwise);
}

// ---- for programs

const char *fdt_node_name(int node) {
    return fdt_get_name(fdt, nodes[node].offset, NULL);
}

unsigned int fdt_node_place(int node) {
    return (unsigned int)nodes[node].offset;
}

int fdt_child(int node, int after) {
    return next_child(node, after);
}

bool fdt_next_value(int node, int *at, struct fdt_value *out) {
    int length;
    do {
        *at = *at ? fdt_next_property_offset(fdt, *at) : fdt_first_property_offset(fdt, nodes[node].offset);
        out->data = *at < 0 ? NULL : fdt_getprop_by_offset(fdt, *at, &out->name, &length);
        if (!out->data)
            return false;
    } while (!strcmp(out->name, "rng-seed") || !strcmp(out->name, "kaslr-seed"));
    out->length = (size_t)length;
    out->place = (unsigned int)*at;
    return true;
}
