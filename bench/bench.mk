# Measurements: in instructions under -icount, beside Linux's figures (run.py); in seconds until a program speaks (hello.py).
$(B)/bench/kbench: bench/kbench.c $(B)/deps/musl.stamp
	@mkdir -p $(@D)
	$(call say,ROOTCC,$@) $(B)/sysroot/bin/musl-gcc -O2 -Wall -o $@ $<

.PHONY: bench
bench: $(B)/bench/kbench $(B)/drupe setup-test ## measure in instructions and print the table beside Linux's
	@$(MAKE) --no-print-directory KOUT=$(B)/bench/kernel INITRD= kernel
	@$(PYTHON) bench/run.py $(B)

.PHONY: bench-run
bench-run: all ## measure how long `drupe run ./hello` takes, beside Debian's Linux (fetched by `make linux`)
	@$(PYTHON) bench/hello.py $(B)
