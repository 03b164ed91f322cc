# Measurements: in instructions under -icount, beside Linux's figures (run.py); in seconds until a program speaks (hello.py).
BENCH_PROGRAMS := $(B)/bench/kbench $(B)/bench/sockets $(B)/bench/ipc
$(BENCH_PROGRAMS): $(B)/bench/%: bench/%.c bench/bench.h $(B)/deps/musl.stamp
	@mkdir -p $(@D)
	$(call say,ROOTCC,$@) $(B)/sysroot/bin/musl-gcc -O2 -Wall -o $@ $<

.PHONY: bench
bench: $(BENCH_PROGRAMS) $(B)/drupe bare-kernel setup-test ## measure in instructions and print the table beside Linux's
	@$(PYTHON) bench/run.py $(B)

# The same, and the figures are kept: what `make test` holds a change against.
.PHONY: bench-keep
bench-keep: $(BENCH_PROGRAMS) $(B)/drupe bare-kernel setup-test ## measure, and keep the figures in bench/drupe.tsv
	@$(PYTHON) bench/run.py $(B) --keep

PATIENT_SUITES += test-bench
.PHONY: test-bench
test-bench: $(BENCH_PROGRAMS) $(B)/drupe bare-kernel ## no row of `make bench` is more than 5 % worse than bench/drupe.tsv
	@mkdir -p $(B)/test
	@$(PYTHON) bench/run.py $(B) --hold $(B)/test/bench.result

# The same programs on Debian's Linux, to be put into bench/linux.tsv; LINUX=... measures another kernel.
LINUX ?= $(B)/linux/vmlinux
.PHONY: bench-linux
bench-linux: $(BENCH_PROGRAMS) $(B)/drupe $(LINUX) ## measure Linux in the same way (LINUX=its vmlinux or Image; Debian's else)
	@$(PYTHON) bench/run.py $(B) --linux $(LINUX)

.PHONY: bench-run
bench-run: all ## what one waits for at `drupe run`: start, pipes, network, volumes; beside Debian's Linux (make linux) and qemu-riscv64
	@$(PYTHON) bench/hello.py $(B)

PROGRAM ?= sh -c "ls -lR / | sort | tail -n 1"
.PHONY: profile
profile: all ## where a machine's instructions go, by function, and QEMU's own counts (PROGRAM='arguments of drupe run')
	@tools/profile $(B) $(PROGRAM)

.PHONY: bench-jobs
bench-jobs: all bare-kernel ## measure whole jobs (gcc, git, python ...) in QEMU's processor time, beside Debian's Linux (make linux)
	@$(PYTHON) bench/jobs.py $(B) $(ROUNDS)
