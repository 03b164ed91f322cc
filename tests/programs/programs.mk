# Real programs with sockets: tests/programs runs what examples/ claims. Not part of `make test`: it fetches packages, and takes long.
.PHONY: test-programs test-programs-quick
test-programs: bare-kernel $(B)/drupe ## what examples/ claim of Debian's programs, with 1 and 4 harts
	@mkdir -p $(B)/test
	@DRUPE_BUILD=$(abspath $(B)) $(PYTHON) tests/pytest-suite $(B)/test/programs-all.result tests/programs/test_programs.py

# The few that are quick.

test-programs-quick: bare-kernel $(B)/drupe ## curl, wget, python's servers, socat and redis, as examples/ claim of them
	@mkdir -p $(B)/test
	@DRUPE_BUILD=$(abspath $(B)) $(PYTHON) tests/pytest-suite $(B)/test/programs-quick.result tests/programs/test_programs.py \
		-k "(curl or python or socat or redis) and 4"
