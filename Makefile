# Everything `make` does is a command of tools/ or of one of the packages; see `make help`.
STACK ?= local
ARGS ?=
REASON ?=
# As it was typed: make would take what a dollar sign begins for a variable, or for a command of its own.
override REASON := $(value REASON)
export REASON
PYTHON_SH := sh tools/python.sh
TOOLS := $(PYTHON_SH) -m tools

.DEFAULT_GOAL := help
.PHONY: help tools doctor check test rehearse bench bench-schema local local-stop preview up destroy freeze thaw
.PHONY: fmt lint types lock clean

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | while IFS="$$(printf '\t')" read -r name text; do \
		printf '  make %-12s %s\n' "$$name" "$$text"; done
	@echo '  STACK=local (default) is the embedded AWS; STACK=dev your AWS account; ARGS="..." goes to pulumi'

tools: ## make the virtual environment and get the Pulumi CLI (each target does it when needed)
	@$(TOOLS) setup --stack '$(STACK)'

doctor: ## start each part once and say what is wrong
	@$(TOOLS) doctor

check: .tools ## lint, types and fast tests (under a minute)
	@$(TOOLS) check

test: .tools ## everything: lint, types, all tests, the rehearsal
	@$(TOOLS) test

rehearse: .tools ## the whole story on the embedded AWS, under load
	@$(TOOLS) run --no-local -- python -m rehearsal $(ARGS)

bench: .tools ## measure, and write .local/bench/latest.json
	@$(TOOLS) run --no-local -- python -m rehearsal.bench $(ARGS)

bench-schema: .tools ## measure the schema's moves, and write .local/bench/schema.json
	@$(TOOLS) run --no-local -- python -m rehearsal.bench_schema $(ARGS)

local: .tools ## start the embedded AWS
	@$(PYTHON_SH) -m local start $(ARGS)

local-stop: .tools ## stop it, with all it started and stored
	@$(PYTHON_SH) -m local stop

preview: .tools-for-stack ## what `make up` would do; the same as files in .local/preview
	@$(TOOLS) preview --stack '$(STACK)' -- $(ARGS)

up: .tools-for-stack ## create or release
	@$(TOOLS) up --stack '$(STACK)' -- $(ARGS)

destroy: .tools-for-stack ## remove everything of the stack
	@$(TOOLS) destroy --stack '$(STACK)' -- $(ARGS)

freeze: .tools-for-stack ## keep the traffic where it is, whatever a run would do (REASON="...")
	@$(TOOLS) freeze --stack '$(STACK)' --reason "$$REASON"

thaw: .tools-for-stack ## lift a freeze
	@$(TOOLS) thaw --stack '$(STACK)'

fmt: .tools ## format the code
	@$(PYTHON_SH) -m ruff check --fix-only . && $(PYTHON_SH) -m ruff format .

lint: .tools ## ruff, and the lint of the schema's revisions
	@$(PYTHON_SH) -m ruff check . && $(PYTHON_SH) -m ruff format --check . && $(PYTHON_SH) -m migrations lint

types: .tools ## mypy, strict
	@$(PYTHON_SH) -m mypy

lock: .tools ## compile requirements.lock and its subsets (ARGS=--upgrade for newer versions)
	@$(TOOLS) lock $(ARGS)

clean: ## stop the embedded AWS and remove what was made here (not the user's cache)
	@$(TOOLS) clean

.PHONY: .tools .tools-for-stack
.tools:
	@$(TOOLS) setup --quiet

.tools-for-stack: # for a stack in an AWS account: nothing of the embedded AWS
	@$(TOOLS) setup --quiet --stack '$(STACK)'
