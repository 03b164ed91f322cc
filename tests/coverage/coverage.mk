# tests/coverage: which lines of lib/ the host tests reach. The walker's and the unpacker's are all to be reached.
COVERAGE_DIR   := $(B)/coverage
COVERAGE_FULL  := lib/cpio.c lib/unpack.c lib/unpack_buffer.c lib/unpack_carry.c
COVERAGE_FLAGS := -O0 --coverage
COVERAGE_TESTS := $(UNIT_TESTS:%=$(COVERAGE_DIR)/test_%)
COVERAGE_SEEDED := $(addprefix $(COVERAGE_DIR)/fuzz_,unpack decompress elf)

$(eval $(call unit_rules,$(COVERAGE_DIR),$(HOSTCC),$(COVERAGE_FLAGS),$(HOST_OUTSIDE_OBJ)))

PATIENT_SUITES += test-coverage
.PHONY: test-coverage coverage
test-coverage: $(COVERAGE_TESTS) $(COVERAGE_SEEDED) $(COVERAGE_DIR)/unpack-to-text $(B)/fuzz/seeds.stamp
	@$(PYTHON) tests/coverage/report $(COVERAGE_DIR) $(B)/test/coverage.result $(B)/fuzz $(COVERAGE_FULL)

coverage: test-coverage ## the lines of lib/ that no host test reaches; the walker and the unpacker must have none
