# SPDX-License-Identifier: MIT
#
# The kernel: compiled into $(KOUT)/kernel, linked twice (the second time with its own symbol table), then made a flat image.
#   KOUT    where to (default: $(B)); another one keeps a variant apart
#   INITRD  the archive to embed; empty: none
#   DEBUG=1 adds the checks of debug builds
#   SANITIZE=1 adds those, and UBSan, red zones, poison and quarantine (kernel/mm/sanitize.h); in $(B)/sanitize

ifdef SANITIZE
DEBUG := 1
KOUT ?= $(B)/sanitize
export DRUPE_KERNEL := $(abspath $(KOUT)/Image)
endif
KOUT ?= $(B)
INITRD ?= $(B)/root.cpio
KERNEL_CC := $(CROSS)gcc
KERNEL_OBJ_DIR := $(KOUT)/kernel
KERNEL_INCLUDE := $(KOUT)/include

KERNEL_SRC := $(sort $(filter-out kernel/arch/riscv/vdso/%,$(wildcard kernel/*/*.c kernel/*/*/*.c kernel/arch/riscv/*.S)))
KERNEL_LIB := $(LIB_SRC) lib/bpf.c lib/format.c lib/intrinsics.c lib/netlink.c lib/number.c lib/string.c
KERNEL_OBJ := $(patsubst kernel/%.c,$(KERNEL_OBJ_DIR)/%.o,$(filter %.c,$(KERNEL_SRC))) \
	$(patsubst kernel/%.S,$(KERNEL_OBJ_DIR)/%.S.o,$(filter %.S,$(KERNEL_SRC))) \
	$(patsubst lib/%.c,$(KERNEL_OBJ_DIR)/lib/%.o,$(KERNEL_LIB))

LIBFDT_DIR := $(B)/deps/libfdt
LIBFDT_PARTS := fdt fdt_ro fdt_addresses fdt_rw fdt_wip fdt_strerror
LIBFDT_OBJ := $(KERNEL_OBJ_DIR)/libfdt.o

LWIP_DIR := $(B)/deps/lwip-source/src
LWIP_SOURCE := $(B)/deps/lwip.source
LWIP_SRC := $(addprefix $(LWIP_DIR)/core/,def inet_chksum init ip mem memp netif pbuf raw stats tcp tcp_in tcp_out udp \
	ipv4/icmp ipv4/ip4 ipv4/ip4_addr ipv4/ip4_frag ipv6/icmp6 ipv6/inet6 ipv6/ip6 ipv6/ip6_addr ipv6/ip6_frag)
LWIP_PARTS := $(LWIP_SRC:$(LWIP_DIR)/%=$(KERNEL_OBJ_DIR)/lwip/%.o)
LWIP_OBJ := $(KERNEL_OBJ_DIR)/lwip.o
LWIP_INCLUDE := -Ikernel/net/lwip -isystem $(LWIP_DIR)/include -isystem kernel/core/shim

# No instruction of the F or D extension may come from the compiler: user programs' registers are in there.
KERNEL_ARCH := -march=rv64imac_zicsr_zifencei -mabi=lp64 -mcmodel=medany
KERNEL_CFLAGS := -std=gnu11 -O2 -g -ffreestanding -nostdinc -isystem $(KERNEL_INCLUDE) $(KERNEL_ARCH) \
	-fno-omit-frame-pointer -fno-strict-aliasing -fwrapv -fno-common -fno-pic -fno-pie -fno-stack-protector -fno-asynchronous-unwind-tables \
	-fno-tree-loop-distribute-patterns -fno-delete-null-pointer-checks -msmall-data-limit=0 \
	-ffile-prefix-map=$(CURDIR)/= -D__drupe_kernel__ -I. -Ikernel -I$(KERNEL_OBJ_DIR) -MMD -MP
KERNEL_WARNINGS := -Wall -Wextra -Wno-sign-compare -Wno-unused-parameter -Wvla
ifdef DEBUG
KERNEL_CFLAGS += -DCONFIG_DEBUG
endif
# Of overflows only those are left that -fwrapv does not define. Not for the code of others, nor for what runs before the page
# tables are on.
KERNEL_SANITIZE :=
ifdef SANITIZE
KERNEL_CFLAGS += -DCONFIG_SANITIZE
# Pointers of programs are passed on as what they shall point to, and may be null or odd.
KERNEL_SANITIZE := -fsanitize=undefined -fno-sanitize=null,alignment -fsanitize-undefined-trap-on-error
endif

# Headers from outside: the compiler's own, Linux's uapi, BSD's tree macros; nothing of any C library. Where they lie differs
# between distributions (and releases of one), so the compilers are asked.
KERNEL_INCLUDE_STAMP := $(KERNEL_INCLUDE)/.stamp
$(KERNEL_INCLUDE_STAMP): kernel/kernel.mk deps/header.sh
	@mkdir -p $(KERNEL_INCLUDE)/bsd/sys
	@set -e; for h in linux/stat.h asm/unistd.h asm-generic/unistd.h; do \
		path=$$(deps/header.sh '$(KERNEL_CC)' $$h); ln -sfn $${path%/*} $(KERNEL_INCLUDE)/$${h%/*}; done
	@for h in stdarg stdbool stddef stdint stdint-gcc; do \
		ln -sfn $$($(KERNEL_CC) -print-file-name=include)/$$h.h $(KERNEL_INCLUDE)/$$h.h; done
	@path=$$(deps/header.sh '$(HOSTCC)' bsd/sys/tree.h) && cp "$$path" $(KERNEL_INCLUDE)/bsd/sys/tree.h
	@: >$(KERNEL_INCLUDE)/bsd/sys/cdefs.h
	@touch $@

$(KERNEL_OBJ_DIR)/asm-offsets.h: kernel/arch/riscv/asm-offsets.awk kernel/arch/riscv/offsets.c.in $(KERNEL_INCLUDE_STAMP) \
		kernel/arch/riscv/trap.h kernel/arch/riscv/cpu.h
	@mkdir -p $(@D)
	@$(KERNEL_CC) $(filter-out -MMD -MP,$(KERNEL_CFLAGS)) -x c -S kernel/arch/riscv/offsets.c.in -o $@.s
	@awk -f $< $@.s >$@.tmp && mv $@.tmp $@

KERNEL_DEPS := $(KERNEL_INCLUDE_STAMP) $(KERNEL_OBJ_DIR)/asm-offsets.h $(LIBFDT_STAMP) $(LWIP_SOURCE) $(OUTSIDE_SOURCES) kernel/kernel.mk

$(KERNEL_OBJ_DIR)/%.o: kernel/%.c | $(KERNEL_DEPS)
	@mkdir -p $(@D)
	$(call say,CC,$<) $(KERNEL_CC) $(KERNEL_CFLAGS) $(KERNEL_SANITIZE) $(KERNEL_WARNINGS) $(WERROR) -c $< -o $@

$(KERNEL_OBJ_DIR)/%.S.o: kernel/%.S | $(KERNEL_DEPS)
	@mkdir -p $(@D)
	$(call say,AS,$<) $(KERNEL_CC) $(KERNEL_CFLAGS) -D__ASSEMBLER__ -c $< -o $@

$(KERNEL_OBJ_DIR)/lib/%.o: lib/%.c | $(KERNEL_DEPS)
	@mkdir -p $(@D)
	$(call say,CC,$<) $(KERNEL_CC) $(KERNEL_CFLAGS) $(KERNEL_SANITIZE) $(KERNEL_WARNINGS) $(WERROR) -c $< -o $@

$(eval $(call outside_rule,$(KERNEL_OBJ_DIR),$(KERNEL_CC) $(KERNEL_CFLAGS) -ffunction-sections -fdata-sections -Ikernel/core/shim))
$(call outside_obj,$(KERNEL_OBJ_DIR)): | $(KERNEL_INCLUDE_STAMP)
$(KERNEL_OBJ_DIR)/outside.o: $(call outside_obj,$(KERNEL_OBJ_DIR)) # what of it is used
	@$(CROSS)ld -r --gc-sections $(OUTSIDE_API:%=-u %) $^ -o $@

$(KERNEL_OBJ_DIR)/lib/decompress/%.o: KERNEL_CFLAGS += $(call outside_include,$<) -Ikernel/core/shim

# As one unit: each step through the tree asks three small functions whether an offset is within it.
$(LIBFDT_OBJ): $(LIBFDT_STAMP) $(KERNEL_INCLUDE_STAMP)
	@mkdir -p $(@D)
	@printf '#include "%s.c"\n' $(LIBFDT_PARTS) >$(@:.o=.c)
	$(call say,CC,libfdt) $(KERNEL_CC) $(KERNEL_CFLAGS) -Ikernel/core/shim -I$(LIBFDT_DIR) -O3 -w -c $(@:.o=.c) -o $@

$(KERNEL_OBJ_DIR)/core/fdt.o: KERNEL_CFLAGS += -Ikernel/core/shim -I$(LIBFDT_DIR)

# lwIP, as kernel/net/lwip has it.
$(KERNEL_OBJ_DIR)/lwip/%.o: $(LWIP_SOURCE) $(KERNEL_INCLUDE_STAMP) kernel/net/lwip/lwipopts.h kernel/net/lwip/hooks.h kernel/net/lwip/arch/cc.h kernel/net/lwip/shadow/lwip/icmp.h
	@mkdir -p $(@D)
	$(call say,CC,lwip/$*.c) $(KERNEL_CC) $(KERNEL_CFLAGS) -Ikernel/net/lwip/shadow $(LWIP_INCLUDE) -ffunction-sections -fdata-sections -w -c $(LWIP_DIR)/$*.c -o $@
# What of it calls something of ours in place of its own (kernel/net/lwip/hooks.h).
LWIP_TCP_FLAGS := -Dtcp_split_unsent_seg=inet_split_segment
$(KERNEL_OBJ_DIR)/lwip/core/tcp.o: LWIP_INCLUDE += $(LWIP_TCP_FLAGS)
$(KERNEL_OBJ_DIR)/lwip/core/tcp.o: kernel/kernel.mk
$(LWIP_OBJ): $(LWIP_PARTS)
	@$(CROSS)ld -r $^ -o $@

$(KERNEL_OBJ_DIR)/net/inet.o $(KERNEL_OBJ_DIR)/net/inet_%.o: KERNEL_CFLAGS += $(LWIP_INCLUDE)
# Headers of the system are not among what the compiler says that an object is made of, and these count as such.
$(filter $(KERNEL_OBJ_DIR)/net/inet%,$(KERNEL_OBJ)): kernel/net/lwip/lwipopts.h kernel/net/lwip/hooks.h kernel/net/lwip/lwip.h

# Code that runs before the page tables are on may not use absolute addresses, which jump tables are.
$(KERNEL_OBJ_DIR)/arch/riscv/early.o: KERNEL_CFLAGS += -fno-jump-tables
$(KERNEL_OBJ_DIR)/arch/riscv/early.o: KERNEL_SANITIZE :=

# The functions between a system call's entry and its work only pass arguments on: no frames, so that they become jumps.
$(KERNEL_OBJ_DIR)/sys/dispatch.o: KERNEL_CFLAGS += -fomit-frame-pointer

# Functions that call none and are called everywhere: a fault in one shows its caller as ra.
$(KERNEL_OBJ_DIR)/lib/string.o: KERNEL_CFLAGS += -fomit-frame-pointer

# ---- the vDSO: a shared object of its own, embedded by vdso.S

VDSO_DIR := $(KERNEL_OBJ_DIR)/vdso
VDSO_CFLAGS := -std=gnu11 -O2 -ffreestanding -nostdinc -isystem $(KERNEL_INCLUDE) -march=rv64imac_zicsr_zifencei -mabi=lp64 \
	-fPIC -fvisibility=hidden -fno-stack-protector -fno-asynchronous-unwind-tables -I. -Ikernel -Wall -Wextra $(WERROR) -MMD -MP

$(VDSO_DIR)/%.o: kernel/arch/riscv/vdso/%.c | $(KERNEL_DEPS)
	@mkdir -p $(@D)
	$(call say,CC,$<) $(KERNEL_CC) $(VDSO_CFLAGS) -c $< -o $@

$(VDSO_DIR)/%.o: kernel/arch/riscv/vdso/%.S | $(KERNEL_DEPS)
	@mkdir -p $(@D)
	$(call say,AS,$<) $(KERNEL_CC) $(VDSO_CFLAGS) -D__ASSEMBLER__ -c $< -o $@

$(VDSO_DIR)/vdso.so: $(VDSO_DIR)/time.o $(VDSO_DIR)/hwprobe.o $(VDSO_DIR)/sigreturn.o kernel/arch/riscv/vdso/vdso.lds
	@$(CROSS)ld -shared -nostdlib -soname linux-vdso.so.1 --hash-style=both --eh-frame-hdr --build-id=none -z noexecstack \
		-T kernel/arch/riscv/vdso/vdso.lds $(filter %.o,$^) -o $@.dbg
	@$(CROSS)objcopy -S $@.dbg $@

$(KERNEL_OBJ_DIR)/arch/riscv/vdso.S.o: $(VDSO_DIR)/vdso.so
$(KERNEL_OBJ_DIR)/arch/riscv/vdso.S.o: KERNEL_CFLAGS += -DVDSO_FILE='"$(VDSO_DIR)/vdso.so"'

# ---- linking

KERNEL_LDFLAGS := -nostdlib -static --no-relax --build-id=none -z noexecstack --no-warn-rwx-segments $(if $(SANITIZE),--defsym KSTACK_SIZE=65536) -T kernel/kernel.lds
KERNEL_ALL := $(KERNEL_OBJ) $(LIBFDT_OBJ) $(LWIP_OBJ) $(KERNEL_OBJ_DIR)/outside.o

$(KOUT)/drupe.nosym.elf: $(KERNEL_ALL) $(KERNEL_OBJ_DIR)/nosym.o kernel/kernel.lds
	@$(CROSS)ld $(KERNEL_LDFLAGS) $(filter %.o,$^) -o $@

# The table of functions and lines for backtraces comes from the first link; it lies behind the text, whose addresses it does not move.
$(KERNEL_OBJ_DIR)/symbols.bin: $(KOUT)/drupe.nosym.elf tools/mksymbols
	@tools/mksymbols $(CROSS) $< $@

$(KERNEL_OBJ_DIR)/nosym.o: kernel/kernel.mk
	@mkdir -p $(@D)
	@printf '.section .symbols,"a"\n.balign 8\n.dword 0\n' | $(KERNEL_CC) $(KERNEL_ARCH) -x assembler -c - -o $@

$(KERNEL_OBJ_DIR)/symbols.o: $(KERNEL_OBJ_DIR)/symbols.bin
	@printf '.section .symbols,"a"\n.balign 8\n.incbin "$<"\n' | $(KERNEL_CC) $(KERNEL_ARCH) -x assembler -c - -o $@

# Remembers which archive the image was made with, so that another one makes it anew.
$(KERNEL_OBJ_DIR)/initrd.name: .FORCE
	@mkdir -p $(@D)
	@echo '$(INITRD)' | cmp -s - $@ || echo '$(INITRD)' >$@

# $(call archive_object,ARCHIVE)
archive_object = mkdir -p $(@D) && { printf '.section .archive,"a"\n.balign 4096\n.globl archive_start, archive_end\narchive_start:\n'; \
	   if [ -n '$(1)' ]; then printf '.incbin "$(1)"\narchive_end:\n'; else printf 'archive_end: .zero 8\n'; fi; \
	   printf '.balign 4096\n'; } | \
		$(KERNEL_CC) $(KERNEL_ARCH) -x assembler -c - -o $@

$(KOUT)/archive.o: $(KERNEL_OBJ_DIR)/initrd.name $(INITRD)
	@$(call archive_object,$(INITRD))

# The kernel that carries no archive, for roots that do not go over the default one: only its last link is another.
$(KOUT)/bare/archive.o: kernel/kernel.mk
	@$(call archive_object,)

$(KOUT)/drupe.elf $(KOUT)/bare/drupe.elf: %/drupe.elf: $(KERNEL_ALL) $(KERNEL_OBJ_DIR)/symbols.o %/archive.o kernel/kernel.lds
	@$(CROSS)ld $(KERNEL_LDFLAGS) $(filter %.o,$^) -o $@.tmp && mv $@.tmp $@
	@echo "  LD      $@"

$(KOUT)/Image $(KOUT)/bare/Image: %/Image: %/drupe.elf
	@$(CROSS)objcopy -O binary $< $@.tmp && mv $@.tmp $@
	@echo "  IMAGE   $@"

kernel: $(KOUT)/drupe.elf $(KOUT)/Image ## build the kernel alone (KOUT=build INITRD=archive DEBUG=1)

.FORCE:
.PHONY: kernel .FORCE

-include $(KERNEL_OBJ:.o=.d) $(patsubst %.o,%.d,$(call outside_obj,$(KERNEL_OBJ_DIR))) $(wildcard $(VDSO_DIR)/*.d)
