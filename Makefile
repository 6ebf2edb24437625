.PHONY: help demo example test test-fast matrix check format bench bench-quick chaos chaos-quick fuzz simulate dist notices clean
.DEFAULT_GOAL := help

ready = . scripts/lib.sh; ensure_prerequisites; ensure_venv

help:    ## Show this
	@sed -n 's/^\([a-z-]*\): *## */\1\t/p' $(MAKEFILE_LIST)
demo:    ## Place real calls and show what happened (demo-output/)
	@./scripts/demo
example: ## Place the calls of one of examples/, and judge what came of them (NAME=queue)
	@set -eu; $(ready); PYTHONPATH=tests "$$VENV/bin/python" -m lab.example "examples/$(or $(NAME),inbound)"
test:    ## Run all tests against a real Asterisk
	@./scripts/test
test-fast: ## Run what needs no Asterisk and takes no long run: three minutes on two cores
	@set -eu; . scripts/lib.sh; ensure_python; ensure_age; ensure_mkfs; ensure_venv; \
	"$$VENV/bin/python" -m pytest -q -n auto --dist worksteal -m "not asterisk and not slow"
matrix:  ## The tests that need an Asterisk, on every Asterisk that Debian has (SUITES=..., TESTS=...)
	@./scripts/matrix $(SUITES) $(if $(TESTS),--tests $(TESTS))
check:   ## Format, lint, types, import contracts
	@./scripts/check
format:  ## Format the code, and mend what can be mended
	@set -eu; . scripts/lib.sh; ensure_python; ensure_venv; \
	"$$VENV/bin/ruff" format .; "$$VENV/bin/ruff" check --fix .
bench:   ## Measure load and latency beside a dialplan-only notice and other libraries
	@set -eu; $(ready); ensure_rivals; PYTHONPATH=tests "$$VENV/bin/python" -m benchmarks
bench-quick: ## The load in under a minute, held to what was reached once
	@set -eu; $(ready); ensure_rivals; PYTHONPATH=tests "$$VENV/bin/python" -m benchmarks quick
chaos:   ## Break everything for an hour while calls go on, and judge what is left (SEED=n)
	@set -eu; $(ready); PYTHONPATH=tests "$$VENV/bin/python" -m chaos --calls 1000 --faults 100 \
	  $(if $(SEED),--seed $(SEED))
chaos-quick: ## The same for a minute
	@set -eu; $(ready); PYTHONPATH=tests "$$VENV/bin/python" -m chaos $(if $(SEED),--seed $(SEED))
fuzz:    ## A million wrong inputs for everything that reads a wire (SEED=n)
	@set -eu; $(ready); PYTHONPATH=tests "$$VENV/bin/python" -m fuzz --inputs 1000000 \
	  $(if $(SEED),--seed $(SEED))
simulate: ## Thousands of fault schedules on a virtual clock, then the planted bugs (SEEDS=n, FIRST=n)
	@set -eu; . scripts/lib.sh; ensure_python; ensure_venv; export PYTHONPATH=tests; \
	"$$VENV/bin/python" -m simulation --seeds $(or $(SEEDS),2000) --first $(or $(FIRST),0); \
	$(if $(FIRST),,"$$VENV/bin/python" -m simulation --planted --seeds 200)
dist:    ## Build the wheel and the source distribution twice, and compare them (dist/)
	@set -eu; . scripts/lib.sh; ensure_python; ensure_venv; "$$VENV/bin/python" scripts/dist.py
notices: ## Write THIRD-PARTY-NOTICES.md again, from what is installed
	@set -eu; . scripts/lib.sh; ensure_python; ensure_venv; \
	"$$VENV/bin/python" scripts/third_party_notices.py
clean:   ## Remove virtual environments, caches and results; the root file system stays
	rm -rf .venv-* .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache \
	  .coverage dist build demo-output chaos-output fuzz-output matrix-output benchmarks/out
