# tests/deps: the parts of set-up and fetching, each by itself.
PATIENT_SUITES += test-deps
.PHONY: test-deps
test-deps: ## the parts of set-up and fetching
	@mkdir -p $(B)/test
	@$(PYTHON) tests/pytest-suite $(B)/test/deps.result tests/deps
