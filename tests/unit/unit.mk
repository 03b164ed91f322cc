# tests/unit: lib/ on the host under ASan and UBSan (test-unit), and the packer driven from outside (test-pack).
UNIT_TESTS    := cpio unpack elf path
UNIT_SANITIZE := -O1 -fsanitize=address,undefined -fno-sanitize-recover=all
UNIT_DIR      := $(B)/host/unit
UNIT_COMMON   := $(LIB_SRC:%.c=$(UNIT_DIR)/%.o) $(UNIT_DIR)/tests/unit/archive.o $(UNIT_DIR)/tests/unit/model.o
UNIT_PROGRAMS := $(UNIT_TESTS:%=$(UNIT_DIR)/test_%)

TEST_SUITES += test-unit test-pack

$(UNIT_DIR)/%.o: %.c
	@mkdir -p $(@D)
	$(HOSTCC) $(HOST_WARNINGS) -D_GNU_SOURCE -g $(UNIT_SANITIZE) -I. -Itests/unit -MMD -MP -c $< -o $@

$(UNIT_PROGRAMS): $(UNIT_DIR)/test_%: $(UNIT_DIR)/tests/unit/test_%.o $(UNIT_COMMON)
	$(HOSTCC) $(UNIT_SANITIZE) $^ -lcmocka -o $@

.PHONY: test-unit test-pack
test-unit: $(UNIT_PROGRAMS)
	@tests/unit/run-suite $(B)/test/unit.result $(UNIT_PROGRAMS)

test-pack: $(B)/drupe $(B)/host/asan/drupe $(B)/host/unit/unpack-to-text
	@mkdir -p $(B)/test
	@B=$(abspath $(B)) DRUPE=$(abspath $(B)/host/asan/drupe) $(PYTHON) -m pytest -q -p no:cacheprovider tests/unit

-include $(wildcard $(UNIT_DIR)/*/*.d $(UNIT_DIR)/*/*/*.d)
