# tests/truth: the loaders in the machine are asked what they load, and say what `drupe deps` says.
PATIENT_SUITES += test-truth
.PHONY: test-truth
test-truth: all bare-kernel ## 250 programs' libraries: what drupe packs is what their loaders load
	@mkdir -p $(B)/test
	@DRUPE_BUILD=$(abspath $(B)) $(PYTHON) tests/pytest-suite $(B)/test/truth.result tests/truth
