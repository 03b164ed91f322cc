# tests/deps: set-up and the fetching of outside parts, where they fail.
TEST_SUITES += test-deps
.PHONY: test-deps
test-deps: ## set-up and fetching, where they fail
	@mkdir -p $(B)/test
	$(PYTHON) tests/pytest-suite $(B)/test/deps.result tests/deps
