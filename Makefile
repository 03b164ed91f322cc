# SPDX-License-Identifier: MIT
#
# The one Makefile: variables, and the targets a person types. Each folder's fragment (*/*.mk) adds its own;
# all that is made lands in $(B). "make help" lists the targets.

B := build
CROSS ?= riscv64-linux-gnu-
HOSTCC ?= gcc
PYTHON ?= $(firstword $(wildcard /usr/bin/python3) python3)

# The machine to run: memory, harts, further kernel arguments, further QEMU options.
QEMU ?= qemu-system-riscv64
MEM ?= 1G
SMP ?= 2
APPEND ?=
QEMUFLAGS ?=
QEMU_COMMAND = $(QEMU) -machine virt -m $(MEM) -smp $(SMP) -nographic -no-reboot -kernel $(B)/Image $(QEMUFLAGS)

# Test suites add their target's name to one of these: those with tests of how long something takes in machines of several harts, and the others,
# which go on beside them.
# The suite test-NAME runs all its tests even after a failure and leaves one line "PASSED FAILED SKIPPED" in $(B)/test/NAME.result.
# What a suite of each kind needs to be built is in BUILT_FOR_TESTS, as two makes must not build one thing.
TEST_SUITES :=
PATIENT_SUITES :=
BUILT_FOR_TESTS := bare-kernel debug-kernel

# $(call say,WHAT,NAME) before a command: prints that instead of the command; V=1 shows the command.
say = $(if $(V),,@printf '  %-7s %s\n' $(1) $(2);)
WERROR ?= -Werror

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

# As many jobs as there are processors, unless the command line says (its -j wins over this one).
ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(shell nproc)
endif

-include deps/deps.mk rootfs/rootfs.mk lib/lib.mk tools/tools.mk tools/install.mk kernel/kernel.mk tests/tests.mk bench/bench.mk examples/examples.mk

all: check-setup $(B)/drupe $(B)/root.cpio $(B)/drupe.elf $(B)/Image ## build the drupe command, the default archive and the kernel image

check-setup:
	@tools/setup.sh --check build

setup: ## install what building and running needs (Debian and its like)
	@tools/setup.sh build

setup-test: ## install what the tests need, too
	@tools/setup.sh build test

# Set-up comes before the build, so the build is a make of its own: it must see what set-up installed.
run: setup ## set up, build, and boot to a shell (MEM=1G SMP=2 APPEND= QEMUFLAGS=)
	@$(MAKE) --no-print-directory all
	@tools/run "$(APPEND)" $(QEMU_COMMAND)

gdb: setup-test ## boot under gdb, stopped at the kernel's start
	@$(MAKE) --no-print-directory all
	@tools/gdb $(B) $(QEMU_COMMAND) -append "$(APPEND)"

console: ## connect to the console of the machine that "make gdb" runs
	@tools/console $(B)/gdb/console.sock

check: setup-test ## the developers' checks: format, layers, analysers
	@$(MAKE) --no-print-directory all
	@tools/check $(B) "$(filter -I% -D% -isystem $(KERNEL_INCLUDE),$(KERNEL_CFLAGS)) -nostdlibinc -Ikernel/core/shim -I$(LIBFDT_DIR) $(LWIP_INCLUDE) $(OUTSIDE_INCLUDE)"

# A suite has all processors for what it builds.
test: setup-test ## set up, run every test, and close with "N passed, N failed"
	@rm -rf $(B)/test/*.result $(B)/test/*.skipped
	@$(MAKE) --no-print-directory --keep-going all $(BUILT_FOR_TESTS) || true
	@tools/test-suites $(B)/test "$(MAKE) --no-print-directory --keep-going" $(PATIENT_SUITES) -- $(TEST_SUITES)
	@tools/test-summary $(B)/test $(PATIENT_SUITES) $(TEST_SUITES)

clean: ## remove what was built of this project, keep the outside parts
	@test ! -d $(B) || find $(B) -mindepth 1 -maxdepth 1 ! -name deps ! -name sysroot ! -name 'trixie*' ! -name truth ! -name linux \
		-exec rm -rf {} +

distclean: ## remove all that was built (the download cache stays)
	rm -rf $(B)

help: ## list the targets
	@$(PYTHON) tools/make-help $(MAKEFILE_LIST)

.PHONY: all check-setup setup setup-test run gdb console check test clean distclean help
