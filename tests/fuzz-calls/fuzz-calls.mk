# tests/fuzz-calls: the debug kernel under random system calls, made from kernel/sys/syscalls.def. A million on 1 and on 4 harts
# are a test; `make fuzz-calls` goes on for as long as one likes. What it finds, REPLAY=SEED:WORKER:PROGRAM makes again.
FUZZ_CALLS := $(B)/fuzz-calls
FUZZ_CALLS_SRC := $(wildcard tests/fuzz-calls/*.c)
HARTS ?= 1,4
MINUTES ?= 30
SEED ?= 1
REPLAY ?=

$(FUZZ_CALLS)/init: $(FUZZ_CALLS_SRC) tests/fuzz-calls/calls.h kernel/sys/syscalls.def $(B)/deps/musl.stamp
	@mkdir -p $(@D)
	$(call say,ROOTCC,$@) $(MUSL_GCC) -O1 -g -Wall -Wextra -I. -o $@ $(FUZZ_CALLS_SRC)

$(FUZZ_CALLS)/root.cpio: $(FUZZ_CALLS)/init $(B)/drupe
	$(call say,PACK,$@) $(B)/drupe pack --bare --sysroot $(B)/sysroot -o $@ /fuzz-init=$< /bin/true=$(B)/deps/busybox/busybox

# The kernel with its debug checks, apart from the other.
DEBUG_KERNEL := $(B)/debug
.PHONY: debug-kernel
debug-kernel: check-setup $(LIBFDT_STAMP) $(LWIP_SOURCE) $(OUTSIDE_SOURCES)
	@$(MAKE) --no-print-directory DEBUG=1 KOUT=$(DEBUG_KERNEL) INITRD= kernel

PATIENT_SUITES += test-fuzz-calls
.PHONY: test-fuzz-calls fuzz-calls
test-fuzz-calls: debug-kernel $(FUZZ_CALLS)/root.cpio ## a million random system calls on the debug kernel, with 1 and 4 harts
	@mkdir -p $(B)/test
	@$(PYTHON) tests/fuzz-calls/run.py $(DEBUG_KERNEL)/Image $(FUZZ_CALLS)/root.cpio --harts $(HARTS) --result $(B)/test/fuzz-calls.result

fuzz-calls: debug-kernel $(FUZZ_CALLS)/root.cpio ## random system calls for MINUTES=30, with HARTS=1,4 from SEED=1 on (REPLAY=SEED:WORKER:PROGRAM: one program again)
	@$(PYTHON) tests/fuzz-calls/run.py $(DEBUG_KERNEL)/Image $(FUZZ_CALLS)/root.cpio --harts $(HARTS) --seed $(SEED) \
		$(if $(REPLAY),--replay $(REPLAY),--minutes $(MINUTES))
