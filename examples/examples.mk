# examples: programs of Debian's riscv64 port, each with a recipe (examples/make tells what that is) and a check that runs in the
# machine. docs/programs.md tells what they show.
EXAMPLES := $(patsubst examples/%/recipe,%,$(sort $(wildcard examples/*/recipe)))

$(B)/examples/init: examples/init.c $(MUSL_STAMP)
	@mkdir -p $(@D)
	$(call say,ROOTCC,$@) $(SYSROOT)/bin/musl-gcc -std=gnu11 -O1 -Wall -Wextra $(WERROR) -static -s -o $@ $<

# Exits with 75 if the packages cannot be had.
$(EXAMPLES:%=$(B)/examples/%.cpio): $(B)/examples/%.cpio: examples/make examples/run examples/claims.sh examples/results.sh deps/packages.sh \
	$(B)/examples/init $(B)/drupe
	@echo "  EXAMPLE $*"
	@examples/make $(B) $*
$(foreach e,$(EXAMPLES),$(eval $(B)/examples/$(e).cpio: $(wildcard examples/$(e)/*)))

$(patsubst %,$(B)/examples/%.cpio,busybox bash coreutils util-linux): $(B)/examples/%.cpio: $(B)/suites/%.stamp

$(EXAMPLES:%=$(B)/examples/%.Image): %.Image: %.cpio bare-kernel
	@$(B)/drupe image -k $(B)/bare/Image -i $< -o $@

# An image with the example as its root, and a machine that runs it. As with "make run", set-up comes before the build.
.PHONY: $(EXAMPLES:%=example-%) example-NAME setup-example
setup-example:
	@tools/setup.sh build example

example-NAME: ## make an image with one of the examples as its root, and boot it to a shell (SMP=2 APPEND= QEMUFLAGS=)
	@printf 'Which one?\n'; printf '  make %s\n' $(EXAMPLES:%=example-%); false

$(EXAMPLES:%=example-%): example-%: setup-example
	@$(MAKE) --no-print-directory $(B)/examples/$*.Image
	@tools/run "$(APPEND)" $(QEMU) -machine virt -m $$(sed -n 's/^memory=//p' examples/$*/recipe) -smp $(SMP) -nographic -no-reboot \
		-kernel $(B)/examples/$*.Image $(QEMUFLAGS)
