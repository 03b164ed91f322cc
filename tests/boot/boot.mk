# Boot tests: whole machines in QEMU, driven over the console by pytest and pexpect.
TEST_SUITES += test-boot
.PHONY: test-boot bare-kernel
test-boot: $(B)/Image $(B)/drupe.elf $(B)/drupe $(B)/deps/musl.stamp $(B)/tests/strength.cpio $(B)/tests/user/init bare-kernel debug-kernel ## whole machines: the shell session, bad archives, harts and memory, panics, glibc programs
	@mkdir -p $(B)/test
	@DRUPE_BUILD=$(abspath $(B)) $(PYTHON) tests/pytest-suite --terminals $(B)/test/boot.result tests/boot

bare-kernel: $(B)/bare/Image
