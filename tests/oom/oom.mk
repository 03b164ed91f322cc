# tests/oom: small machines in which programs use memory up in every way there is; see oom.c and run.py.
$(B)/tests/oom/oom: tests/oom/oom.c tests/oom/descriptors.c tests/oom/sockets.c tests/oom/ways.h $(B)/deps/musl.stamp
	@mkdir -p $(@D)
	$(call say,ROOTCC,$@) $(MUSL_GCC) -O1 -Wall -Wextra -Wno-infinite-recursion -o $@ $(filter %.c,$^)

$(B)/tests/oom.cpio: $(B)/tests/oom/oom $(B)/drupe
	$(call say,PACK,$@) $(B)/drupe pack --bare --sysroot $(B)/sysroot -o $@ /oom=$<

TEST_SUITES += test-oom
.PHONY: test-oom
test-oom: $(B)/Image $(B)/tests/oom.cpio ## memory used up in some fifty ways, in small machines: who does it pays
	@mkdir -p $(B)/test
	@DRUPE_BUILD=$(abspath $(B)) $(PYTHON) tests/oom/run.py $(B)/tests/oom.cpio $(B)/test/oom.result
