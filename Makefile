# Two commands: `make verdict` judges PyTorch's own layers, `make test` runs lawbook's tests.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
IMPL ?= torch
WORKERS ?= auto
MUTANTS ?= 25

# Without bytecode every process, workers included, would compile lawbook and what it loads anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: verdict test lint types imports teeth mutants clean

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $(READY)

verdict: $(READY)
	mkdir -p out
	$(BIN)/lawbook check $(IMPL) --verdict out/verdict.json -n $(WORKERS); status=$$?; \
	$(BIN)/lawbook report out/verdict.json --html out/verdict.html && exit $$status

# The workers share the processors; threads of theirs would wait for each other.
test: export OMP_NUM_THREADS = 1
test: $(READY)
	$(BIN)/python -m pytest -q -n auto --dist worksteal tools/tests

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# mypy does not follow the mapping of folders to lawbook.* packages, links it does.
types: $(READY)
	mkdir -p .venv/types/lawbook
	for room in reference fixtures spec_tests tools; do ln -sfn ../../../$$room .venv/types/lawbook/$$room; done
	$(BIN)/mypy

imports: $(READY)
	$(BIN)/lint-imports

teeth: $(READY)
	$(BIN)/python -m lawbook.tools.teeth --markdown docs/teeth --figures
	$(BIN)/lawbook faulty --markdown docs/bugs.md --figures
	$(BIN)/lawbook faulty --compound --markdown docs/compound.md --figures
	$(BIN)/python -m lawbook.tools.redundancy --markdown docs/redundancy.md --figures

# Survivors are reported, and do not end it: their share is what is measured.
mutants: $(READY)
	for chapter in $$($(BIN)/python -c "from lawbook.reference import CHAPTERS; print(*CHAPTERS)"); do \
	$(BIN)/lawbook mutate --chapter $$chapter --sample $(MUTANTS) --figures; test $$? -lt 2 || exit 2; done

clean:
	rm -rf .venv build dist out *.egg-info
