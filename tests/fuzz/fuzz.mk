# tests/fuzz: libFuzzer on the walker and unpacker, and on the ELF reader: a short run as a test, a long one as `make fuzz`.
FUZZ_CC      ?= clang
FUZZ_SECONDS ?= 600
FUZZ_TEST_SECONDS := 15
FUZZ_FLAGS   := -std=gnu11 -D_GNU_SOURCE -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -I. -Itests/unit \
	-isystem $(ZLIB_DIR) -isystem $(ZSTD_DIR) -isystem $(LZ4_DIR) -isystem $(XZ_DIR)
FUZZ_DIR     := $(B)/fuzz
FUZZERS      := $(FUZZ_DIR)/fuzz_unpack $(FUZZ_DIR)/fuzz_elf $(FUZZ_DIR)/fuzz_decompress
FUZZ_OUTSIDE := $(call outside_obj,$(FUZZ_DIR))

$(eval $(call outside_rule,$(FUZZ_DIR),$(FUZZ_CC) -g -O1 -fsanitize=fuzzer-no-link,address))

TEST_SUITES += test-fuzz

$(FUZZERS): $(FUZZ_DIR)/%: tests/fuzz/%.c tests/unit/model.c tests/unit/model.h $(LIB_SRC) $(wildcard lib/*.h lib/*/*.h) $(FUZZ_OUTSIDE)
	@mkdir -p $(@D)
	$(call say,FUZZCC,$@) $(FUZZ_CC) $(FUZZ_FLAGS) $(filter %.c %.o,$^) -o $@

$(FUZZ_DIR)/seeds: $(B)/host/unit/tests/fuzz/seeds.o $(B)/host/unit/tests/unit/archive.o
	@mkdir -p $(@D)
	$(call say,HOSTLD,$@) $(HOSTCC) -fsanitize=address,undefined $^ -o $@

$(FUZZ_DIR)/seeds.stamp: $(FUZZ_DIR)/seeds
	@$< $(FUZZ_DIR)
	@tests/fuzz/compressed-seeds $(FUZZ_DIR)/unpack $(FUZZ_DIR)/decompress $(FUZZ_DIR)/unpack
	@touch $@

.PHONY: test-fuzz fuzz
test-fuzz: $(FUZZERS) $(FUZZ_DIR)/seeds.stamp ## a short run of the fuzzers
	@tests/fuzz/run-fuzzer $(FUZZ_TEST_SECONDS) $(FUZZ_DIR) $(FUZZERS)

fuzz: $(FUZZERS) $(FUZZ_DIR)/seeds.stamp ## a long run of the fuzzers (FUZZ_SECONDS=600 each)
	@tests/fuzz/run-fuzzer $(FUZZ_SECONDS) $(FUZZ_DIR) $(FUZZERS)
