# Real programs: what examples/ claims, and CPython's own tests beside Linux's. Not part of `make test`: it fetches packages
# and a kernel, and takes hours.
.PHONY: test-programs test-programs-quick
test-programs: bare-kernel $(B)/drupe $(B)/Image $(B)/tests/strength.cpio ## what examples/ claim of Debian's programs, with 1 and 4 harts; their own tests, and CPython's, beside Linux's
	@mkdir -p $(B)/test
	@rm -rf $(B)/test/cpython $(B)/test/suites
	@export DRUPE_BUILD=$(abspath $(B)); status=0; \
		$(PYTHON) tests/pytest-suite $(B)/test/programs-all.result tests/programs || status=1; \
		$(PYTHON) tests/programs/suites.py $(B)/test/programs-suites.result || status=1; \
		$(PYTHON) tests/programs/cpython.py $(B)/test/programs-cpython.result || status=1; \
		exit $$status

# The few that are quick.
test-programs-quick: bare-kernel $(B)/drupe ## curl, wget, python's servers, socat and redis, as examples/ claim of them
	@mkdir -p $(B)/test
	@DRUPE_BUILD=$(abspath $(B)) $(PYTHON) tests/pytest-suite $(B)/test/programs-quick.result tests/programs \
		-k "(curl or python or socat or redis) and 4 and not cpython"

# Packages' own tests, as their examples take them along.
$(B)/suites/busybox.stamp: $(BUSYBOX_STAMP) tests/programs/suites/busybox
	@echo "  SUITE   busybox"
	@tests/programs/suites/busybox $(B)/deps/busybox-source $(B)/deps/busybox $(SYSROOT) $(B)/suites/busybox
	@touch $@

$(B)/suites/bash.stamp: $(B)/deps/bash.source $(MUSL_STAMP) tests/programs/suites/bash
	@echo "  SUITE   bash"
	@tests/programs/suites/bash $(B)/deps/bash-source $(SYSROOT) $(B)/suites/bash
	@touch $@

$(B)/suites/coreutils.stamp: $(B)/deps/coreutils.source $(MUSL_STAMP) tests/programs/suites/coreutils
	@echo "  SUITE   coreutils"
	@tests/programs/suites/coreutils $(B)/deps/coreutils-source $(SYSROOT) $(B)/suites/coreutils
	@touch $@

$(B)/suites/util-linux.stamp: $(B)/deps/util-linux.source tests/programs/suites/util-linux
	@echo "  SUITE   util-linux"
	@tests/programs/suites/util-linux $(B)/deps/util-linux-source $(B)/suites/util-linux
	@touch $@
