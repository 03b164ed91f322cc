# SPDX-License-Identifier: MIT
#
# The outside parts: fetched as Debian source packages (fetch.sh), built under $(B)/deps. deps/README.md tells
# what each gives. A stamp is made when its part is complete; a part is rebuilt when its pin or its recipe
# changes.

SYSROOT := $(B)/sysroot
MUSL_STAMP := $(B)/deps/musl.stamp
BUSYBOX_STAMP := $(B)/deps/busybox.stamp
LIBFDT_STAMP := $(B)/deps/libfdt.stamp

# $(call dep_log,NAME,COMMAND): runs COMMAND with its output in a log, which is shown if it fails.
dep_log = mkdir -p $(B)/deps && echo "  DEP     $(1)" && \
	{ { $(2); } >$(B)/deps/$(1).log 2>&1 || \
	  { tail -n 30 $(B)/deps/$(1).log >&2; echo "deps: $(1) failed; all of its output: $(B)/deps/$(1).log" >&2; exit 1; }; }

deps: $(MUSL_STAMP) $(BUSYBOX_STAMP) $(LIBFDT_STAMP) ## fetch and build the outside parts (musl, busybox, libfdt)

# One file per pin, touched only when that pin changes, so that raising one part does not rebuild the others.
$(B)/deps/%.pin: deps/pins
	@mkdir -p $(@D)
	@grep '^$* ' $< >$@.tmp
	@if cmp -s $@.tmp $@; then rm $@.tmp; else mv $@.tmp $@; fi

$(B)/deps/%.source: $(B)/deps/%.pin deps/unpack.sh
	@deps/unpack.sh $* $(B)/deps/$*-source
	@touch $@

$(MUSL_STAMP): $(B)/deps/musl.source deps/musl.sh
	@$(call dep_log,musl,CROSS=$(CROSS) deps/musl.sh $(B)/deps/musl-source $(B)/deps/musl $(SYSROOT))
	@touch $@

$(BUSYBOX_STAMP): $(B)/deps/busybox.source $(MUSL_STAMP) deps/busybox.sh deps/busybox.config
	@$(call dep_log,busybox,CROSS=$(CROSS) HOSTCC=$(HOSTCC) deps/busybox.sh $(B)/deps/busybox-source \
		$(B)/deps/busybox $(SYSROOT) deps/busybox.config)
	@touch $@

$(LIBFDT_STAMP): $(B)/deps/device-tree-compiler.source deps/libfdt.sh
	@$(call dep_log,libfdt,deps/libfdt.sh $(B)/deps/device-tree-compiler-source $(B)/deps/libfdt)
	@touch $@

# Debian 13's own riscv64 programs, for the test that runs them. Exits with 75 if they cannot be had.
TRIXIE_PACKAGES := bash coreutils
TRIXIE_STAMP := $(B)/trixie.stamp

$(TRIXIE_STAMP): deps/trixie.sh deps/apt.sh
	@deps/trixie.sh $(B)/trixie $(TRIXIE_PACKAGES)
	@touch $@

trixie: $(TRIXIE_STAMP) ## fetch Debian 13's riscv64 bash and coreutils into build/trixie

.PHONY: deps trixie
.PRECIOUS: $(B)/deps/%.pin $(B)/deps/%.source
