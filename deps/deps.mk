# SPDX-License-Identifier: MIT
#
# The outside parts: fetched as Debian source packages (fetch.sh), built under $(B)/deps. deps/README.md tells
# what each gives. A stamp is made when its part is complete; a part is rebuilt when its pin or its recipe
# changes.

SYSROOT := $(B)/sysroot
MUSL_STAMP := $(B)/deps/musl.stamp
BUSYBOX_STAMP := $(B)/deps/busybox.stamp
LIBFDT_STAMP := $(B)/deps/libfdt.stamp

# $(call dep_locked,COMMAND): runs COMMAND and touches the target. One at a time, and not if another make has
# done it while this one waited: several makes may run in one tree.
dep_locked = mkdir -p $(B)/deps && exec 8>$(B)/deps/lock && flock 8 && \
	if [ ! -e $@ ] || [ -n "$$(find $^ -newer $@)" ]; then { $(1); } 8>&- && touch $@; fi

# $(call dep_log,NAME,COMMAND): runs COMMAND with its output in a log, which is shown if it fails.
dep_log = echo "  DEP     $(1)"; \
	if ! tools/progress "  DEP     $(1)" $(B)/deps/$(1).log env $(2); then \
		tail -n 30 $(B)/deps/$(1).log >&2; \
		echo "deps: $(1) failed; all of its output: $(B)/deps/$(1).log" >&2; \
		false; \
	fi

dep = $(call dep_locked,$(call dep_log,$(1),$(2)))

deps: $(MUSL_STAMP) $(BUSYBOX_STAMP) $(LIBFDT_STAMP) ## fetch and build the outside parts (musl, busybox, libfdt)

# One file per pin, touched only when that pin changes, so that raising one part does not rebuild the others.
$(B)/deps/%.pin: deps/pins deps/pins.programs
	@mkdir -p $(@D)
	@grep -h '^$* ' $^ >$@.tmp
	@if cmp -s $@.tmp $@; then rm $@.tmp; else mv $@.tmp $@; fi

$(B)/deps/%.source: $(B)/deps/%.pin deps/unpack.sh
	@$(call dep_locked,deps/unpack.sh $* $(B)/deps/$*-source)

$(MUSL_STAMP): $(B)/deps/musl.source deps/musl.sh
	@$(call dep,musl,CROSS=$(CROSS) deps/musl.sh $(B)/deps/musl-source $(B)/deps/musl $(SYSROOT))

$(BUSYBOX_STAMP): $(B)/deps/busybox.source $(MUSL_STAMP) deps/busybox.sh deps/busybox.config
	@$(call dep,busybox,CROSS=$(CROSS) HOSTCC=$(HOSTCC) deps/busybox.sh $(B)/deps/busybox-source \
		$(B)/deps/busybox $(SYSROOT) deps/busybox.config)

$(LIBFDT_STAMP): $(B)/deps/device-tree-compiler.source deps/libfdt.sh
	@$(call dep,libfdt,deps/libfdt.sh $(B)/deps/device-tree-compiler-source $(B)/deps/libfdt)

# Debian 13's own riscv64 programs, for the test that runs them. Exits with 75 if they cannot be had.
TRIXIE_PACKAGES := bash coreutils grep
TRIXIE_STAMP := $(B)/trixie.stamp

$(TRIXIE_STAMP): deps/trixie.sh deps/packages.sh deps/apt.sh
	@deps/trixie.sh $(B)/trixie $(TRIXIE_PACKAGES)
	@touch $@

# The same for programs that live by sockets (tests/boot/test_sockets.py).
$(B)/trixie-sockets.stamp: deps/trixie.sh deps/packages.sh deps/apt.sh
	@deps/trixie.sh $(B)/trixie-sockets python3 nodejs
	@touch $@

# And for those that trace others (tests/boot/test_trace.py, tests/programs/test_gdb.py).
$(B)/trixie-strace.stamp: deps/trixie.sh deps/packages.sh deps/apt.sh
	@deps/trixie.sh $(B)/trixie-strace strace bash coreutils
	@touch $@

$(B)/trixie-trace.stamp: deps/trixie.sh deps/packages.sh deps/apt.sh
	@deps/trixie.sh $(B)/trixie-trace gdb strace bash coreutils
	@touch $@

# And for a compiler and a server (tests/run/test_debian.py).
$(B)/trixie-build.stamp: deps/trixie.sh deps/packages.sh deps/apt.sh
	@deps/trixie.sh $(B)/trixie-build gcc make dash libc-bin libc6-dev redis-server
	@touch $@

trixie: $(TRIXIE_STAMP) ## fetch Debian 13's riscv64 bash, coreutils and grep into build/trixie

# Packages whose programs have many and diverse libraries, for the test that asks their loader (tests/truth).
TRUTH_PACKAGES := bash coreutils findutils util-linux procps curl git openssh-client gnupg sqlite3 tmux rsync systemd iproute2 \
	bind9-dnsutils imagemagick-7.q16 poppler-utils graphviz sox smbclient pulseaudio-utils gdb python3 perl

$(B)/truth/debian.stamp: deps/trixie.sh deps/packages.sh deps/apt.sh
	@mkdir -p $(@D)
	@deps/trixie.sh $(B)/truth/debian $(TRUTH_PACKAGES)
	@touch $@

# Debian 13's own kernel, for the tests that compare ours with it. Exits with 75 if it cannot be had.
$(B)/linux/vmlinux: deps/linux.sh deps/apt.sh
	@deps/linux.sh $(B)/linux
	@touch $@

linux: $(B)/linux/vmlinux ## fetch Debian 13's riscv64 kernel into build/linux, to compare with

.PHONY: deps trixie linux
.PRECIOUS: $(B)/deps/%.pin $(B)/deps/%.source
