# Two commands to run: `make demo` and `make test`. Both set up .venv by themselves.
PYTHON ?= python3
BIN := .venv/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo test test-all check certificates dev bench clean
.DEFAULT_GOAL := demo

.venv/.installed-%: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[$*]'
	touch $@

# The demo falls back on scenes drawn by code when the photographs cannot be installed.
demo:
	@$(MAKE) --no-print-directory .venv/.installed-demo || $(MAKE) --no-print-directory .venv/.installed-bare
	$(BIN)/python -m demo

.venv/.installed-bare: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt --editable .
	touch $@

check: .venv/.installed-test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: check
	$(BIN)/pytest -m 'not long' -n 2 --dist worksteal

test-all: .venv/.installed-test .venv/.installed-demo
	$(BIN)/pytest -m long

# What lets a newcomer group images: made again when a rule, its default threshold or the fingerprints change.
certificates: .venv/.installed-demo
	$(BIN)/python -m demo.certificates

dev: .venv/.installed-bare
	$(BIN)/image-assets dev

bench: .venv/.installed-bench
	for benchmark in benchmarks/[a-z]*.py; do $(BIN)/python $$benchmark || exit 1; done

clean:
	rm -rf .venv var build *.egg-info
