# Everything a person does with Pilot Light. `make help` lists it.
.DEFAULT_GOAL := help
SHELL := /bin/sh
PYTHON := .venv/bin/python
PARTS := gateway claude-adapter local-llm native tests

.PHONY: help setup run stop up down drill faults model test test-unit test-models test-integration test-chaos test-page test-clients test-slow soak screenshots test-monitoring test-containers lint format bench

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup:  ## install what is missing: uv, nginx, a compiler, the Python environment (first time: builds llama.cpp)
	@native/setup.sh

run: setup  ## start everything here, in the foreground; Ctrl-C stops it
	@$(PYTHON) native/run.py

stop:  ## stop what `make run` started
	@if [ -x $(PYTHON) ]; then $(PYTHON) native/stop.py; else echo "Pilot Light is not running."; fi

up:  ## start everything in containers, and wait until it is healthy
	docker compose up --build --detach --wait

down:  ## stop the containers; volumes stay
	docker compose down

drill: setup  ## make Claude unusable for 20 s on the running stack, ask throughout, and judge
	@$(PYTHON) native/drill.py

faults: setup  ## every fault of Anthropic's, in each dialect, whole and streamed: who answers, and how soon (15 minutes)
	@$(PYTHON) tests/chaos/fault_table.py

model: setup  ## fetch a better local model: make model NAME=qwen2.5-1.5b; without a name, list them
	@$(PYTHON) native/model.py "$(NAME)"

test: test-unit test-models test-integration test-chaos test-page test-monitoring test-slow  ## all tests; installs what they need

test-slow: setup  # these two mostly wait, and mind nobody
	$(MAKE) --jobs=2 --output-sync=target test-containers test-clients

test-unit: setup  ## the services one by one, the documentation, the launcher, and the stand-in for Anthropic
	$(PYTHON) -m pytest gateway claude-adapter local-llm tests/docs tests/unit tests/parity tests/fake_anthropic

test-models: setup  ## getting, choosing and changing the local model, against a stand-in for the hub
	$(PYTHON) -m pytest tests/models

test-integration: setup  ## the real stack, started as `make run` starts it
	$(PYTHON) -m pytest tests/integration

test-chaos: setup  ## faults, kills, freezes and limits, and a soak of SOAK_SECONDS (180)
	$(PYTHON) -m pytest -s tests/chaos

soak: setup  ## the soak alone, long and with other draws each time: SOAK_SECONDS (1800), SOAK_SEED
	SOAK_SECONDS=$${SOAK_SECONDS:-1800} SOAK_SEED=$${SOAK_SEED:-$$(date +%s)} $(PYTHON) -m pytest -s tests/chaos/test_soak.py

test-page: setup  ## the status page in Chromium, if one is installed
	$(PYTHON) -m pytest tests/page

screenshots: setup  ## the status page in each of its states, into docs/screenshots
	KEEP_SCREENSHOTS=1 $(PYTHON) -m pytest tests/page/test_status_page.py

test-monitoring: setup  ## alert rules and dashboard, against a real Prometheus if one is installed
	$(PYTHON) -m pytest tests/monitoring

test-containers: setup  ## the compose project, if a Docker engine runs
	$(PYTHON) -m pytest -s tests/containers

test-clients: setup  ## the clients that people use, each in an environment of its own, in every state
	$(PYTHON) -m pytest -s tests/clients

lint: setup  ## ruff, mypy --strict, and which way imports go
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	.venv/bin/lint-imports --no-logo
	for part in $(PARTS); do $(PYTHON) -m mypy $$part || exit 1; done

format: setup  ## let ruff rewrite the files
	$(PYTHON) -m ruff check --fix .
	$(PYTHON) -m ruff format .

bench: setup  ## CPU, latency and memory of the stack against a fast stand-in, beside the budgets
	$(PYTHON) tests/bench/bench.py
	$(PYTHON) tests/bench/shedding.py
