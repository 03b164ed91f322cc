# tests/unit: lib/ on the host under ASan and UBSan (test-unit), and the `drupe` command driven from outside (test-pack).
UNIT_TESTS    := cpio unpack elf path
UNIT_SANITIZE := -O1 -fsanitize=address,undefined -fno-sanitize-recover=all
UNIT_DIR      := $(B)/host/unit
UNIT_COMMON   := $(LIB_SRC:%.c=$(UNIT_DIR)/%.o) $(UNIT_DIR)/tests/unit/archive.o $(UNIT_DIR)/tests/unit/model.o $(HOST_OUTSIDE_OBJ)
UNIT_PROGRAMS := $(UNIT_TESTS:%=$(UNIT_DIR)/test_%)

TEST_SUITES += test-unit test-pack

$(UNIT_DIR)/%.o: %.c
	@mkdir -p $(@D)
	$(call say,HOSTCC,$<) $(HOSTCC) $(HOST_WARNINGS) -D_GNU_SOURCE -g $(UNIT_SANITIZE) -I. -Itests/unit $(call outside_include,$<) -MMD -MP -c $< -o $@

$(UNIT_COMMON): | $(OUTSIDE_SOURCES)

$(UNIT_PROGRAMS): $(UNIT_DIR)/test_%: $(UNIT_DIR)/tests/unit/test_%.o $(UNIT_COMMON)
	$(call say,HOSTLD,$@) $(HOSTCC) $(UNIT_SANITIZE) $^ -lcmocka -o $@

$(UNIT_DIR)/unpack-to-text: $(UNIT_DIR)/tests/unit/unpack-to-text.o $(UNIT_COMMON)
	$(call say,HOSTLD,$@) $(HOSTCC) $(UNIT_SANITIZE) $^ -o $@

.PHONY: test-unit test-pack
test-unit: $(UNIT_PROGRAMS) ## lib/ on the host: walker, unpacking, ELF, paths
	@tests/unit/run-suite $(B)/test/unit.result $(UNIT_PROGRAMS)

test-pack: $(B)/drupe $(B)/host/asan/drupe $(B)/Image $(B)/drupe.elf $(UNIT_DIR)/unpack-to-text ## the drupe command: archives, images, installing; archives of other tools in both directions
	@mkdir -p $(B)/test
	@DRUPE_BUILD=$(abspath $(B)) $(PYTHON) tests/pytest-suite $(B)/test/pack.result tests/unit

-include $(wildcard $(UNIT_DIR)/*/*.d $(UNIT_DIR)/*/*/*.d)
