# tests/initrd: the rules of unpacking as one table, run on the host, on our kernel and, apart from `make test`, on Linux.
PATIENT_SUITES += test-initrd
.PHONY: test-initrd
test-initrd: $(B)/host/unit/unpack-to-text $(B)/tests/initrd/walk bare-kernel ## the table of archive rules: lib/ on the host, and our kernel in QEMU
	@mkdir -p $(B)/test
	@DRUPE_BUILD=$(abspath $(B)) $(PYTHON) tests/pytest-suite $(B)/test/initrd.result tests/initrd --ignore tests/initrd/test_linux.py

# The program that a machine runs to print what it unpacked. It is alone in the root, so it is static.
$(B)/tests/initrd/walk: tests/initrd/walk.c $(MUSL_STAMP)
	@mkdir -p $(@D)
	$(call say,MUSLCC,$<) $(SYSROOT)/bin/musl-gcc -std=gnu11 -O1 -Wall -Wextra $(WERROR) -static -s -o $@ $<

# Not part of `make test`: it fetches a kernel of 110 MB, and each boot takes seconds.
.PHONY: test-linux
test-linux: $(B)/tests/initrd/walk ## the same table on Debian's Linux 6.12: what is said of Linux is so
	@mkdir -p $(B)/test
	@DRUPE_BUILD=$(abspath $(B)) $(PYTHON) tests/pytest-suite $(B)/test/linux.result tests/initrd/test_linux.py
