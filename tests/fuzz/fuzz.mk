# tests/fuzz: libFuzzer on the walker and unpacker, the decompressors, the ELF reader and the reader of netlink messages, on packets that come in (inet), and on what the packer reads: manifests, and
# ELF files' tables (object), tars and OCI images (root). A short run is a test, a long one `make fuzz`. All of it under ASan and UBSan; and, with the unit tests of lib/, under MSan (test-msan), where clang has it.
FUZZ_CC      ?= clang
FUZZ_SECONDS ?= 600
FUZZ_TEST_SECONDS := 5
MSAN_TEST_SECONDS := 5
FUZZ_DIR     := $(B)/fuzz
MSAN_DIR     := $(B)/msan
FUZZ_NAMES   := unpack elf decompress netlink
PACKER_NAMES := object manifest
FUZZERS      := $(FUZZ_NAMES:%=$(FUZZ_DIR)/fuzz_%)
PACKER_FUZZERS := $(PACKER_NAMES:%=$(FUZZ_DIR)/fuzz_%)
EXTRACT_FUZZERS := $(FUZZ_DIR)/fuzz_extract
ROOT_FUZZERS := $(FUZZ_DIR)/fuzz_root
KERNEL_FUZZERS := $(FUZZ_DIR)/fuzz_virtqueue $(FUZZ_DIR)/fuzz_9p $(FUZZ_DIR)/fuzz_frames $(FUZZ_DIR)/fuzz_inet
ALL_FUZZERS  := $(FUZZERS) $(PACKER_FUZZERS) $(EXTRACT_FUZZERS) $(ROOT_FUZZERS) $(KERNEL_FUZZERS)
MSAN_FUZZERS := $(FUZZ_NAMES:%=$(MSAN_DIR)/fuzzer/fuzz_%)
MSAN_TESTS   := $(UNIT_TESTS:%=$(MSAN_DIR)/test_%)
FUZZ_FLAGS   := -std=gnu11 -D_GNU_SOURCE -g -O1 -fno-sanitize-recover=all -I. -Itests/unit \
	-isystem $(ZLIB_DIR) -isystem $(ZSTD_DIR) -isystem $(LZ4_DIR) -isystem $(XZ_DIR)
MSAN_FLAGS   := -O1 -fsanitize=memory,undefined -fsanitize-memory-track-origins -fno-sanitize-recover=all
# Whether this machine's clang has MSan.
MSAN := $(shell echo 'int main(void) {}' | $(FUZZ_CC) -fsanitize=memory -x c - -o /dev/null 2>/dev/null && echo yes)

# (Variables, as a comma in a call would end its argument.)
FUZZ_OUTSIDE_CC := $(FUZZ_CC) -g -O1 -fsanitize=fuzzer-no-link,address
MSAN_OUTSIDE_CC := $(FUZZ_CC) -g -O1 -fsanitize=fuzzer-no-link,memory -fsanitize-memory-track-origins
$(eval $(call outside_rule,$(FUZZ_DIR),$(FUZZ_OUTSIDE_CC)))
$(eval $(call outside_rule,$(MSAN_DIR),$(MSAN_OUTSIDE_CC)))
$(eval $(call unit_rules,$(MSAN_DIR),$(FUZZ_CC),$(MSAN_FLAGS),$(call outside_obj,$(MSAN_DIR))))

PATIENT_SUITES += test-fuzz test-msan

FUZZ_PARTS := tests/unit/model.c $(LIB_SRC) lib/netlink.c
$(FUZZERS): $(FUZZ_DIR)/%: tests/fuzz/%.c $(FUZZ_PARTS) $(call outside_obj,$(FUZZ_DIR)) tests/unit/model.h $(wildcard lib/*.h lib/*/*.h)
	@mkdir -p $(@D)
	$(call say,FUZZCC,$@) $(FUZZ_CC) $(FUZZ_FLAGS) -fsanitize=fuzzer,address,undefined $(filter %.c %.o,$^) -o $@

# The packer's sources, which end the program and leave memory to exit, with what packer.h has instead.
PACKER_SRC   := $(addprefix tools/drupe/,common/json.c common/util.c elf/dlopen.c elf/dynamic.c elf/object.c elf/symbols.c elf/versions.c \
		closure/manifest.c closure/tree.c closure/view.c closure/xattrs.c) \
	lib/elf.c lib/path.c
PACKER_OBJ   := $(PACKER_SRC:%.c=$(FUZZ_DIR)/packer/%.o)
PACKER_FLAGS := -std=gnu11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -g -O1 -fno-sanitize-recover=all -I. -Itools/drupe $(DRUPE_LIBS_CFLAGS)
PACKER_INSTEAD := $(foreach f,exit calloc realloc strndup vasprintf free,-D$(f)=packer_$(f))

$(PACKER_OBJ): $(FUZZ_DIR)/packer/%.o: %.c
	@mkdir -p $(@D)
	$(call say,FUZZCC,$<) $(FUZZ_CC) $(PACKER_FLAGS) -fsanitize=fuzzer-no-link,address,undefined $(PACKER_INSTEAD) -MMD -MP -c $< -o $@

$(PACKER_FUZZERS): $(FUZZ_DIR)/%: tests/fuzz/%.c tests/fuzz/packer.c $(PACKER_OBJ) tests/fuzz/packer.h $(wildcard tools/drupe/*/*.h)
	$(call say,FUZZCC,$@) $(FUZZ_CC) $(PACKER_FLAGS) -fsanitize=fuzzer,address,undefined $(filter %.c %.o,$^) -lelf -o $@

# What `run --out` writes: the unpacker behind it, and what it is written with.
EXTRACT_SRC := $(addprefix tools/drupe/,archive/extract.c archive/root.c common/output.c image/image.c image/image_write.c) \
	$(filter-out $(PACKER_SRC),$(LIB_SRC))
$(FUZZ_DIR)/fuzz_extract: tests/fuzz/fuzz_extract.c tests/fuzz/packer.c $(PACKER_OBJ) $(EXTRACT_SRC) $(call outside_obj,$(FUZZ_DIR)) tests/fuzz/packer.h \
		$(wildcard tools/drupe/*/*.h)
	$(call say,FUZZCC,$@) set -e; rm -rf $@.parts; mkdir -p $@.parts; for c in $(EXTRACT_SRC); do \
		$(FUZZ_CC) $(PACKER_FLAGS) -isystem $(ZLIB_DIR) -isystem $(ZSTD_DIR) -isystem $(LZ4_DIR) -isystem $(XZ_DIR) -fsanitize=fuzzer-no-link,address,undefined \
			$$(case $$c in tools/*) echo '$(PACKER_INSTEAD)';; esac) -c $$c \
			-o $@.parts/$$(echo $$c | tr / _).o; done; \
		$(FUZZ_CC) $(PACKER_FLAGS) -fsanitize=fuzzer,address,undefined tests/fuzz/fuzz_extract.c tests/fuzz/packer.c $@.parts/*.o $(filter %.o,$^) -lelf -o $@

# Whole roots: tars and images, with libarchive as it is.
ROOT_OBJ := $(patsubst %,$(FUZZ_DIR)/packer/tools/drupe/root/%.o,layers oci tar)
$(ROOT_OBJ): $(FUZZ_DIR)/packer/%.o: %.c
	@mkdir -p $(@D)
	$(call say,FUZZCC,$<) $(FUZZ_CC) $(PACKER_FLAGS) -isystem $(ZLIB_DIR) -fsanitize=fuzzer-no-link,address,undefined $(PACKER_INSTEAD) -MMD -MP -c $< -o $@

$(FUZZ_DIR)/fuzz_root: tests/fuzz/fuzz_root.c tests/fuzz/packer.c $(PACKER_OBJ) $(ROOT_OBJ) tests/fuzz/packer.h $(wildcard tools/drupe/*/*.h)
	$(call say,FUZZCC,$@) $(FUZZ_CC) $(PACKER_FLAGS) -fsanitize=fuzzer,address,undefined $(filter %.c %.o,$^) $(DRUPE_LIBS) -larchive -lz -o $@

-include $(PACKER_OBJ:.o=.d) $(ROOT_OBJ:.o=.d)

# Parts of the kernel that listen to devices, with what they need of it.
$(FUZZ_DIR)/fuzz_virtqueue: tests/fuzz/fuzz_virtqueue.c kernel/drivers/virtio/queue.c $(wildcard tests/fuzz/virtio/*/*.h) kernel/drivers/virtio/queue.h \
		kernel/drivers/virtio/virtio.h
	@mkdir -p $(@D)
	$(call say,FUZZCC,$@) $(FUZZ_CC) $(FUZZ_FLAGS) -iquote tests/fuzz/virtio -iquote kernel -fsanitize=fuzzer,address,undefined $(filter %.c,$^) -o $@

$(FUZZ_DIR)/fuzz_9p: tests/fuzz/fuzz_9p.c kernel/fs/9p/calls.c kernel/fs/9p/message.c $(wildcard tests/fuzz/virtio/*/*.h kernel/fs/9p/*.h) \
		kernel/drivers/virtio/9p.h
	@mkdir -p $(@D)
	$(call say,FUZZCC,$@) $(FUZZ_CC) $(FUZZ_FLAGS) -iquote tests/fuzz/virtio -iquote kernel -fsanitize=fuzzer,address,undefined $(filter %.c,$^) -o $@

$(FUZZ_DIR)/fuzz_frames: tests/fuzz/fuzz_frames.c $(patsubst %,kernel/net/%.c,arp autoconf checksum ndisc neighbour_solve) \
		kernel/fs/dev/partitions.c $(wildcard tests/fuzz/frames/*/*.h kernel/net/*.h kernel/fs/dev/*.h)
	@mkdir -p $(@D)
	$(call say,FUZZCC,$@) $(FUZZ_CC) $(FUZZ_FLAGS) -iquote tests/fuzz/frames -iquote tests/fuzz/virtio -iquote kernel -fsanitize=fuzzer,address,undefined $(filter %.c,$^) -o $@

# AF_INET with lwIP. What else of the kernel packets lead to is in tests/fuzz/inet/host.c; what they do not lead to, in never.c. UBSan is for
# our own half.
INET_SRC    := $(filter-out kernel/net/unix% kernel/net/scm.c kernel/net/identity.c kernel/net/%_diag.c kernel/net/netlink% kernel/net/rtnetlink%, \
		$(wildcard kernel/net/*.c)) lib/format.c tests/fuzz/inet/host.c tests/fuzz/fuzz_inet.c
INET_OBJ    := $(INET_SRC:%.c=$(FUZZ_DIR)/inet/%.o)
INET_LWIP   := $(LWIP_SRC:$(LWIP_DIR)/%=$(FUZZ_DIR)/inet/lwip/%.o)
INET_FLAGS  := -std=gnu11 -g -O1 -w -ffreestanding -nostdinc -isystem $(KERNEL_INCLUDE) -fwrapv -fno-strict-aliasing -D__drupe_kernel__ \
	-iquote tests/fuzz/inet -I. -Ikernel -Ikernel/net/lwip/shadow $(LWIP_INCLUDE) -MMD -MP -fno-sanitize-recover=all

$(INET_OBJ): $(FUZZ_DIR)/inet/%.o: %.c $(LWIP_SOURCE) $(KERNEL_INCLUDE_STAMP)
	@mkdir -p $(@D)
	$(call say,FUZZCC,$<) $(FUZZ_CC) $(INET_FLAGS) -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize=alignment -c $< -o $@

$(FUZZ_DIR)/inet/lwip/core/tcp.o: INET_FLAGS += $(LWIP_TCP_FLAGS)
$(INET_LWIP): $(FUZZ_DIR)/inet/lwip/%.o: $(LWIP_SOURCE) $(KERNEL_INCLUDE_STAMP) kernel/net/lwip/lwipopts.h
	@mkdir -p $(@D)
	$(call say,FUZZCC,lwip/$*.c) $(FUZZ_CC) $(INET_FLAGS) -fsanitize=fuzzer-no-link,address -c $(LWIP_DIR)/$*.c -o $@

$(FUZZ_DIR)/fuzz_inet: $(INET_OBJ) $(INET_LWIP) tests/fuzz/inet/never.c
	$(call say,FUZZCC,$@) $(FUZZ_CC) -g -fsanitize=fuzzer,address,undefined $^ -o $@

-include $(INET_OBJ:.o=.d)

$(MSAN_FUZZERS): $(MSAN_DIR)/fuzzer/%: tests/fuzz/%.c $(FUZZ_PARTS) $(call outside_obj,$(MSAN_DIR)) tests/unit/model.h $(wildcard lib/*.h lib/*/*.h)
	@mkdir -p $(@D)
	$(call say,FUZZCC,$@) $(FUZZ_CC) $(FUZZ_FLAGS) -fsanitize=fuzzer,memory -fsanitize-memory-track-origins $(filter %.c %.o,$^) -o $@

$(FUZZ_DIR)/seeds: $(B)/host/unit/tests/fuzz/seeds.o $(B)/host/unit/tests/unit/archive.o
	@mkdir -p $(@D)
	$(call say,HOSTLD,$@) $(HOSTCC) -fsanitize=address,undefined $^ -o $@

$(FUZZ_DIR)/seeds.stamp: $(FUZZ_DIR)/seeds $(addprefix tests/fuzz/,compressed-seeds packer-seeds root-seeds table-seeds) tests/images.py
	@$< $(FUZZ_DIR)
	@$(PYTHON) tests/fuzz/table-seeds $(FUZZ_DIR)/unpack
	@tests/fuzz/compressed-seeds $(FUZZ_DIR)/unpack/kinds $(FUZZ_DIR)/decompress $(FUZZ_DIR)/unpack
	@DRUPE_BUILD=$(abspath $(B)) $(PYTHON) tests/fuzz/packer-seeds $(FUZZ_DIR)
	@$(PYTHON) tests/fuzz/root-seeds $(FUZZ_DIR)/root
	@touch $@

.PHONY: test-fuzz test-msan fuzz
test-fuzz: $(ALL_FUZZERS) $(FUZZ_DIR)/seeds.stamp ## a short run of the fuzzers
	@ln -sfn unpack $(FUZZ_DIR)/extract
	@tests/fuzz/run-fuzzer $(FUZZ_TEST_SECONDS) $(FUZZ_DIR) $(B)/test/fuzz.result $(ALL_FUZZERS)

ifeq ($(MSAN),yes)
test-msan: $(MSAN_TESTS) $(MSAN_FUZZERS) $(FUZZ_DIR)/seeds.stamp ## the unit tests of lib/, and a short run of the fuzzers, under MSan
	@tests/unit/run-suite $(B)/test/msan-unit.part $(MSAN_TESTS); \
		tests/fuzz/run-fuzzer $(MSAN_TEST_SECONDS) $(FUZZ_DIR) $(B)/test/msan-fuzz.part $(MSAN_FUZZERS); \
		cat $(B)/test/msan-*.part | awk '{p += $$1; f += $$2; s += $$3} END {print p, f, s > "$(B)/test/msan.result"; exit f > 0}'
else
test-msan:
	@mkdir -p $(B)/test; echo "test-msan: $(FUZZ_CC) has no -fsanitize=memory here" | tee $(B)/test/msan.skipped; echo 0 0 1 >$(B)/test/msan.result
endif

fuzz: $(ALL_FUZZERS) $(FUZZ_DIR)/seeds.stamp ## a long run of the fuzzers (FUZZ_SECONDS=600 each)
	@ln -sfn unpack $(FUZZ_DIR)/extract
	@tests/fuzz/run-fuzzer $(FUZZ_SECONDS) $(FUZZ_DIR) $(B)/test/fuzz.result $(ALL_FUZZERS)
