# tests/initrd: the rules of unpacking as one table, run on the host, on our kernel and, apart from `make test`, on Linux.
TEST_SUITES += test-initrd
.PHONY: test-initrd
test-initrd: $(UNIT_DIR)/unpack-to-text ## the table of archive rules: lib/ on the host, and our kernel in QEMU
	@mkdir -p $(B)/test
	@DRUPE_BUILD=$(abspath $(B)) $(PYTHON) tests/pytest-suite $(B)/test/initrd.result tests/initrd
