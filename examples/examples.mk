# examples: programs of Debian's riscv64 port, each with a recipe (examples/make tells what that is) and a check that runs in the
# machine. docs/programs.md tells what they show.
EXAMPLES := $(patsubst examples/%/recipe,%,$(sort $(wildcard examples/*/recipe)))

$(B)/examples/init: examples/init.c $(MUSL_STAMP)
	@mkdir -p $(@D)
	$(call say,ROOTCC,$@) $(SYSROOT)/bin/musl-gcc -std=gnu11 -O1 -Wall -Wextra $(WERROR) -static -s -o $@ $<

# Exits with 75 if the packages cannot be had.
$(EXAMPLES:%=$(B)/examples/%.cpio): $(B)/examples/%.cpio: examples/make examples/run examples/claims.sh deps/packages.sh \
	$(B)/examples/init $(B)/drupe
	@echo "  EXAMPLE $*"
	@examples/make $(B) $*
$(foreach e,$(EXAMPLES),$(eval $(B)/examples/$(e).cpio: $(wildcard examples/$(e)/*)))

# An image with the example as its root, and a machine that runs it.
.PHONY: $(EXAMPLES:%=example-%)
$(EXAMPLES:%=example-%): example-%: $(B)/examples/%.cpio bare-kernel
	@$(B)/drupe image -k $(B)/bare/Image -i $< -o $(B)/examples/$*.Image
	@memory=$$(sed -n 's/^memory=//p' examples/$*/recipe); \
		tools/run "$(APPEND)" $(QEMU) -machine virt -m $$memory -smp $(SMP) -nographic -no-reboot -kernel $(B)/examples/$*.Image $(QEMUFLAGS)
