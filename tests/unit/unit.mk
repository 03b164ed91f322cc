# tests/unit: lib/ on the host under ASan and UBSan (test-unit), and the `drupe` command driven from outside (test-pack).
UNIT_SANITIZE := -O1 -fsanitize=address,undefined -fno-sanitize-recover=all
UNIT_DIR      := $(B)/host/unit
UNIT_PROGRAMS := $(UNIT_TESTS:%=$(UNIT_DIR)/test_%)

TEST_SUITES += test-unit test-pack

$(eval $(call unit_rules,$(UNIT_DIR),$(HOSTCC),$(UNIT_SANITIZE),$(HOST_OUTSIDE_OBJ)))

.PHONY: test-unit test-pack
test-unit: $(UNIT_PROGRAMS) ## lib/ on the host: walker, unpacking, ELF, paths
	@tests/unit/run-suite $(B)/test/unit.result $(UNIT_PROGRAMS)

test-pack: $(B)/drupe $(B)/host/asan/drupe $(B)/Image $(B)/drupe.elf $(UNIT_DIR)/unpack-to-text ## the drupe command: archives, images, installing; archives of other tools in both directions
	@mkdir -p $(B)/test
	@DRUPE_BUILD=$(abspath $(B)) $(PYTHON) tests/pytest-suite $(B)/test/pack.result tests/unit
