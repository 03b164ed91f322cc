# tests/unit: lib/ on the host under ASan and UBSan (test-unit), and the `drupe` command driven from outside (test-pack).
UNIT_SANITIZE := -O1 -fsanitize=address,undefined -fno-sanitize-recover=all
UNIT_DIR      := $(B)/host/unit
UNIT_PROGRAMS := $(UNIT_TESTS:%=$(UNIT_DIR)/test_%) $(UNIT_DIR)/test_uaccess $(UNIT_DIR)/test_string \
	$(UNIT_DIR)/test_ledger

PATIENT_SUITES += test-unit test-pack
BUILT_FOR_TESTS += $(UNIT_DIR)/unpack-to-text $(B)/host/asan/drupe

$(eval $(call unit_rules,$(UNIT_DIR),$(HOSTCC),$(UNIT_SANITIZE),$(HOST_OUTSIDE_OBJ)))

# The kernel's loops over user memory, for the processor that the test brings along; what lies at uaccess_close is the test's to say.
$(UNIT_DIR)/uaccess.elf: kernel/arch/riscv/uaccess.S
	@mkdir -p $(@D)
	$(call say,AS,$<) $(CROSS)gcc -march=rv64ima_zicsr -mabi=lp64 -nostdlib -static -no-pie -Wl,--build-id=none -Wl,-e,0 -Wl,-Ttext=0x20000 -Wl,--defsym,uaccess_close=0x30000 -o $@ $<

$(UNIT_DIR)/test_uaccess: tests/unit/test_uaccess.c tests/unit/riscv.c tests/unit/riscv.h tests/unit/unit.h $(UNIT_DIR)/uaccess.elf
	$(call say,HOSTCC,$@) $(HOSTCC) $(HOST_WARNINGS) -g $(UNIT_SANITIZE) -I. -Itests/unit -DUACCESS_ELF='"$(abspath $(UNIT_DIR)/uaccess.elf)"' \
		-o $@ tests/unit/test_uaccess.c tests/unit/riscv.c -lcmocka

# Reads words of which it wants a part: memory that is not there finds what is wrong, not a sanitizer.
$(UNIT_DIR)/test_string: tests/unit/test_string.c lib/number.c lib/string.c lib/string.h tests/unit/unit.h
	@mkdir -p $(@D)
	$(call say,HOSTCC,$@) $(HOSTCC) $(HOST_WARNINGS) -g -O2 -fno-builtin -I. -Itests/unit -o $@ $< -lcmocka

# The kernel's book of whose an archive's pages are, over a page allocator of the test's own.
$(UNIT_DIR)/test_ledger: tests/unit/test_ledger.c tests/unit/ledger/mm/page.h kernel/mm/ledger.c kernel/mm/ledger.h tests/unit/unit.h
	@mkdir -p $(@D)
	$(call say,HOSTCC,$@) $(HOSTCC) $(HOST_WARNINGS) -g $(UNIT_SANITIZE) -iquote tests/unit/ledger -iquote kernel -I. -Itests/unit \
		-o $@ tests/unit/test_ledger.c kernel/mm/ledger.c -lcmocka

.PHONY: test-unit test-pack
test-unit: $(UNIT_PROGRAMS) ## lib/ on the host: walker, unpacking, ELF, paths; the loops over user memory
	@tests/unit/run-suite $(B)/test/unit.result $(UNIT_PROGRAMS)

test-pack: $(B)/drupe $(B)/host/asan/drupe $(B)/Image $(B)/drupe.elf $(UNIT_DIR)/unpack-to-text ## the drupe command: archives, images, installing; archives of other tools in both directions
	@mkdir -p $(B)/test
	@DRUPE_BUILD=$(abspath $(B)) $(PYTHON) tests/pytest-suite $(B)/test/pack.result tests/unit
