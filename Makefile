# The commands of the README. They install everything into .venv and .local in this folder.

PROFILE ?= light
# Arrivals per second of a comparison: about half of what two cores can serve.
RATE ?= 30/s
PORT ?= 8000
# The first Python that is 3.11 or newer. To use another one: make setup PYTHON=/path/to/python3
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$python; break; }; done)
# Tests spend much time waiting, mainly those that only `make test-all` runs. Therefore, there are more test processes
# than cores.
IN_PARALLEL = -n $(shell $(PYTHON) -c 'import os; print(os.cpu_count() + $(1))') --dist loadgroup
# Tests start many processes. Without compiled files, each process would compile all modules that it imports.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help perf ab test test-all setup setup-run up check format docs bench calibrate prove clean

help:
	@echo 'make perf [PROFILE=light]  set up, start the stack, run a load profile, print the verdict, write the report'
	@echo 'make ab [RATE=30/s]        compare the working tree with the merge base of the default branch under load (15 minutes)'
	@echo 'make test                  set up, run the tests that need no other programs (7 minutes on two cores)'
	@echo 'make test-all              run all tests; they need PostgreSQL, MariaDB, Chromium, libfaketime, HAProxy and root'
	@echo 'make up [PORT=8000]        run the stack in the foreground'
	@echo 'make setup                 set up .venv'
	@echo 'make check                 check lint, format, types and import rules'
	@echo 'make format                sort the imports and format the code'
	@echo 'make docs                  build the documentation site in site/; a broken link fails'
	@echo 'make bench                 measure routes, accounts, streams, telemetry, lag, memory and the load generator (15 minutes)'
	@echo 'make calibrate             compare latencies, conclusions and capacities with a known truth (21 hours)'
	@echo 'make prove                 run the shortest proofs of recoveries, causes, comparisons and capacities (12 minutes)'
	@echo 'make clean                 remove everything that these commands created, .venv included'

setup setup-run:
	@test -n "$(PYTHON)" || { echo 'setup: no Python 3.11 or newer was found; set PYTHON=/path/to/python3' >&2; exit 1; }
	@$(PYTHON) scripts/setup.py $(if $(filter setup-run,$@),--run-only)

perf: setup-run
	@exec .venv/bin/loadgate run $(PROFILE)

ab: setup-run
	@exec .venv/bin/loadgate ab --profile $(PROFILE) --rate $(RATE)

test: setup
	@.venv/bin/python -m pytest $(call IN_PARALLEL,2) -q -m 'not full'

# Runs failed tests once more, and reports and counts flaky tests.
test-all: setup
	@.venv/bin/python scripts/run_tests.py $(call IN_PARALLEL,4) -q --durations 40 --durations-min 10

up: setup-run
	@exec .venv/bin/inference-core up --port $(PORT)

format: setup
	@.venv/bin/ruff check --select I --fix --quiet .
	@.venv/bin/ruff format --quiet .

check: setup
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check --quiet .
	@.venv/bin/mypy
	@cd inference_core/app/generate/reference && $(CURDIR)/.venv/bin/mypy --cache-dir $(CURDIR)/.mypy_cache/reference
	@.venv/bin/lint-imports --no-cache

docs: setup
	@.venv/bin/sphinx-build --quiet --fail-on-warning --keep-going -c docs -d .local/doctrees . site
	@echo 'open: site/index.html'

# Runs all benchmarks, even if one misses its limit.
BENCHMARKS = health_ratio.py 'auth_ratio.py --database sqlite' 'auth_ratio.py --database postgresql' llm_streams.py sampler_cost.py \
	telemetry_cost.py event_loop_lag.py memory_growth.py generator_throughput.py loadgate_record_cost.py report_cost.py \
	conclusions_cost.py
bench: setup
	@status=0; for benchmark in $(BENCHMARKS); do .venv/bin/python benchmarks/$$benchmark || status=1; done; exit $$status

# Real runs first, then simulations.
calibrate: setup
	@status=0; for part in '' .capacity .intervals .growth .conclusions .ab_simulated .capacity_simulated .capacity_effort .changes; do \
		.venv/bin/python -m benchmarks.calibrate$$part || status=1; done; exit $$status

# Half of the runs must be right: a share of 95 % needs the 20 runs of `make calibrate`.
PROVE = .venv/bin/python -m benchmarks.calibrate
prove: setup
	@$(PROVE).recovery --only nothing --only 'tau 5 s' --runs 2 --share 0.5
	@$(PROVE).causes --only 'event loop' --only outside --trials 2 --share 0.5 --parallel 2
	@$(PROVE).ab --only 'no change' --only '200 ms' --runs 2 --pairs 6 --measure 8s --parallel 4 --relabelled 0
	@$(PROVE).capacity --short

clean:
	rm -rf .venv .local .setup.lock reports site .pytest_cache .mypy_cache .ruff_cache
