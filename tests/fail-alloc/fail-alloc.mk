# tests/fail-alloc: the debug kernel while allocations fail on purpose, in calls (walk.c) and at the start.
FAIL_ALLOC := $(B)/fail-alloc
FAIL_ALLOC_EVERY ?=

$(FAIL_ALLOC)/walk: tests/fail-alloc/walk.c tests/fail-alloc/devices.c tests/fail-alloc/ipc.c tests/fail-alloc/mounts.c tests/fail-alloc/others.c tests/fail-alloc/walk.h $(B)/deps/musl.stamp
	@mkdir -p $(@D)
	$(call say,ROOTCC,$@) $(MUSL_GCC) -O1 -g -Wall -Wextra -o $@ $(filter %.c,$^)

$(FAIL_ALLOC)/root.cpio: $(FAIL_ALLOC)/walk $(B)/drupe
	$(call say,PACK,$@) $(B)/drupe pack --bare --sysroot $(B)/sysroot -o $@ /walk=$<

$(FAIL_ALLOC)/root.cpio.zst: $(FAIL_ALLOC)/walk $(B)/drupe
	$(call say,PACK,$@) $(B)/drupe pack --bare --compress zstd --sysroot $(B)/sysroot -o $@ /walk=$<

# With extended attributes, which take memory at the start.
$(FAIL_ALLOC)/attributes.cpio: $(FAIL_ALLOC)/walk $(B)/drupe tests/fail-alloc/attributes.py tests/images.py
	$(call say,PACK,$@) $(PYTHON) tests/fail-alloc/attributes.py | DRUPE_CACHE=$(FAIL_ALLOC)/cache $(B)/drupe pack --root - --sysroot $(B)/sysroot -o $@ /walk=$<

PATIENT_SUITES += test-fail-alloc
.PHONY: test-fail-alloc
test-fail-alloc: debug-kernel $(FAIL_ALLOC)/root.cpio $(FAIL_ALLOC)/root.cpio.zst $(FAIL_ALLOC)/attributes.cpio ## allocations that fail: in calls, in storms, at the start (FAIL_ALLOC_EVERY=1: each one)
	@mkdir -p $(B)/test
	@$(PYTHON) tests/fail-alloc/run.py $(DEBUG_KERNEL)/Image $(FAIL_ALLOC)/root.cpio $(FAIL_ALLOC)/root.cpio.zst $(FAIL_ALLOC)/attributes.cpio $(B)/test/fail-alloc.result \
		$(if $(FAIL_ALLOC_EVERY),--all)
