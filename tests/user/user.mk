# User tests: small C programs for musl, run inside Drupe by /test-init; see run.py.
USER_TESTS := $(filter-out init test late badline crowd minute,$(patsubst tests/user/%.c,%,$(sort $(wildcard tests/user/*.c))))
USER_TEST_BINARIES := $(USER_TESTS:%=$(B)/tests/user/%)
MUSL_GCC := $(B)/sysroot/bin/musl-gcc

$(B)/tests/user/init: tests/user/init.c $(B)/deps/musl.stamp
	@mkdir -p $(@D)
	$(call say,ROOTCC,$@) $(MUSL_GCC) -O1 -Wall -Wextra -o $@ $<

$(B)/tests/user/%: tests/user/%.c tests/user/test.c tests/user/test.h $(wildcard tests/user/*.h) $(B)/deps/musl.stamp
	@mkdir -p $(@D)
	$(call say,ROOTCC,$@) $(MUSL_GCC) -O1 -Wall -Wextra -Wno-stringop-overread -Wno-infinite-recursion -o $@ $< tests/user/test.c

# The kernel's copy loops in user mode; their table of fix-ups holds addresses, so the program is linked to stay where it is.
$(B)/tests/user/uaccess: tests/user/uaccess.c tests/user/test.c tests/user/test.h kernel/arch/riscv/uaccess.S $(B)/deps/musl.stamp
	@mkdir -p $(@D)
	$(call say,ROOTCC,$@) $(MUSL_GCC) -O1 -Wall -Wextra -fno-delete-null-pointer-checks -no-pie -DUACCESS_IN_USER_MODE -o $@ $< \
		tests/user/test.c kernel/arch/riscv/uaccess.S

$(B)/tests/user.cpio: $(USER_TEST_BINARIES) $(B)/tests/user/init $(B)/drupe
	$(call say,PACK,$@) $(B)/drupe pack --bare --sysroot $(B)/sysroot -o $@ /test-init=$(B)/tests/user/init \
		$(foreach t,$(USER_TESTS),/tests/$(t)=$(B)/tests/user/$(t))

TEST_SUITES += test-user
.PHONY: test-user
test-user: $(KOUT)/Image $(B)/tests/user.cpio ## user programs for every group of system calls, with 1 and 4 harts
	@mkdir -p $(B)/test
	@$(PYTHON) tests/user/run.py $(B)/tests/user.cpio $(B)/test/user.result

# What goes out of a kernel whose stacks and heap are full of patterns. `make SANITIZE=1 test-user` runs all user programs on it.
.PHONY: sanitized-kernel test-clean
sanitized-kernel: check-setup $(LIBFDT_STAMP) $(LWIP_SOURCE) $(OUTSIDE_SOURCES)
	@$(MAKE) --no-print-directory SANITIZE=1 KOUT=$(B)/sanitize INITRD= kernel

TEST_SUITES += test-clean
test-clean: sanitized-kernel $(B)/tests/user.cpio ## nothing that lay about goes out with what calls tell, on a sanitized kernel
	@mkdir -p $(B)/test
	@DRUPE_KERNEL=$(abspath $(B)/sanitize/Image) $(PYTHON) tests/user/run.py $(B)/tests/user.cpio $(B)/test/clean.result clean

# The same on the debug kernel, which carries no archive: the default one comes before the tests'. Its device that answers
# late, and its line that can be made a bad one, have tests of their own.
$(B)/tests/late.cpio: $(B)/tests/user/late $(B)/tests/user/badline $(B)/drupe
	$(call say,PACK,$@) $(B)/drupe pack --bare --sysroot $(B)/sysroot -o $@ /tests/late=$< /tests/badline=$(B)/tests/user/badline

# Those who are many, for machines of their own (tests/boot/test_strength.py, tests/programs/test_endurance.py).
$(B)/tests/strength.cpio: $(B)/tests/user/crowd $(B)/tests/user/minute $(B)/tests/user/init $(B)/drupe
	$(call say,PACK,$@) $(B)/drupe pack --bare --sysroot $(B)/sysroot -o $@ /test-init=$(B)/tests/user/init /tests/crowd=$< \
		/tests/minute=$(B)/tests/user/minute

$(B)/tests/user-debug.cpio: $(B)/root.cpio $(B)/tests/user.cpio $(B)/tests/late.cpio
	@cat $^ >$@

TEST_SUITES += test-user-debug
.PHONY: test-user-debug
test-user-debug: debug-kernel $(B)/tests/user-debug.cpio ## the user tests on the debug kernel
	@mkdir -p $(B)/test
	@DRUPE_KERNEL=$(abspath $(DEBUG_KERNEL)/Image) $(PYTHON) tests/user/run.py $(B)/tests/user-debug.cpio $(B)/test/user-debug.result

.PHONY: test-sockets-linux
test-sockets-linux: $(B)/linux/vmlinux $(B)/tests/user.cpio ## the claims about sockets on Debian's Linux 6.12: what they say of Linux is so
	@mkdir -p $(B)/test
	@$(PYTHON) tests/user/run.py --linux $< $(B)/tests/user.cpio $(B)/test/sockets-linux.result sockets messages netlink rtnetlink procnet inet inet_races many datagrams async tcp connections fragments fragments6 sendfile urgent tcp_direct
