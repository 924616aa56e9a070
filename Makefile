# make demo     the three patterns on real input
# make test     lint, types and the whole test suite
# make test-quick  what takes less than a quarter of a second each, without the checkers
# make test-asyncio-suites  the standard library's tests of asyncio over our selector
# make lint     ruff and mypy alone; make types: mypy alone
# make format   ruff mends what it can
# make venv     make the environment, run nothing
# make stress   the long runs: many OS threads, many games, signals; writes their results
# make load     a server under load: 10,000 connections, slow clients, noise, restarts; likewise
# make test-libraries  other people's libraries, patched, at work; writes its results
# make test-gunicorn  our worker under gunicorn; web frameworks and WebSocket libraries
# make test-autobahn  the Autobahn test suite against our WebSockets; writes its results
# make test-http2  HTTP/2 with real clients (curl, nghttp2-client) and under noise, at length
# make test-stdlib  the standard library's own tests, patched; writes its results
# make bench    the benchmark harness
# make clean    remove what the targets above made
#
# PY=3.12 selects the Python by name and works in .venv-3.12 beside the usual .venv.
# DEMO_ARGS, TEST_ARGS, LOAD_ARGS, LIBRARY_ARGS, AUTOBAHN_ARGS, STDLIB_ARGS and BENCH_ARGS are
# handed on. STRESS_SECONDS bounds the stress run.

SHELL := /bin/bash
.DEFAULT_GOAL := help
PY ?=
STRESS_SECONDS ?= 120

ifeq ($(PY),)
VENV := .venv
NAMES := python3.11 python3.12 python3.13 python3.14 python3
else
VENV := .venv-$(PY)
NAMES := python$(PY)
endif

PYTHON := $(VENV)/bin/python
# Never the user's own packages, nor a PYTHONPATH that points elsewhere.
RUN := PYTHONNOUSERSITE=1 PYTHONPATH= $(PYTHON)
PIP := $(RUN) -m pip install --quiet --disable-pip-version-check
CHECKED := src tests tools $(wildcard examples benchmarks)

.PHONY: help demo test test-quick test-asyncio-suites test-libraries test-gunicorn test-autobahn test-http2 test-stdlib lint format types stress load bench venv clean

help:
	@sed -n '/^#/!q;s/^# \{0,1\}//p' Makefile

# --- environments -------------------------------------------------------------------
# A stamp says which extras are installed, so that a second run neither waits for
# pip nor needs a network.

$(VENV)/.made:
	@$(PYTHON) -c '' 2>/dev/null || { \
	    python=$$(tools/find-python $(NAMES)) && \
	    echo "making $(VENV) with $$python" && \
	    rm -rf $(VENV) && "$$python" -m venv $(VENV); }
	@touch $@

$(VENV)/.demo: pyproject.toml | $(VENV)/.made
	$(PIP) -e '.[demo]'
	@touch $@

$(VENV)/.test: pyproject.toml | $(VENV)/.made
	$(PIP) -e '.[test]'
	@touch $@ $(VENV)/.demo

$(VENV)/.dev: pyproject.toml | $(VENV)/.made
	$(PIP) -e '.[dev]'
	@touch $@ $(VENV)/.test $(VENV)/.demo

venv: $(VENV)/.dev

# The libraries have an environment of their own: what `make test` sees stays the same. There
# are two of urllib3, and one that has to be built, for which a compiler may be missing.
LIBRARIES := $(VENV)-libraries
INSTALL := PYTHONNOUSERSITE=1 PYTHONPATH= $(LIBRARIES)/bin/python -m pip install --quiet \
           --disable-pip-version-check

$(LIBRARIES)/.made: pyproject.toml
	@$(LIBRARIES)/bin/python -c '' 2>/dev/null || { \
	    python=$$(tools/find-python $(NAMES)) && \
	    echo "making $(LIBRARIES) with $$python" && \
	    rm -rf $(LIBRARIES) && "$$python" -m venv $(LIBRARIES); }
	$(INSTALL) -e '.[libraries]'
	$(INSTALL) --upgrade --target $(LIBRARIES)/urllib3-1 'urllib3<2'
	-$(INSTALL) -e '.[mysql]'
	@touch $@

# gunicorn and the web frameworks too, and there are two of gunicorn: release 25 brings an
# eventlet worker of its own.
SERVERS := $(VENV)-servers

$(SERVERS)/.made: pyproject.toml
	@$(SERVERS)/bin/python -c '' 2>/dev/null || { \
	    python=$$(tools/find-python $(NAMES)) && \
	    echo "making $(SERVERS) with $$python" && \
	    rm -rf $(SERVERS) && "$$python" -m venv $(SERVERS); }
	$(subst $(LIBRARIES),$(SERVERS),$(INSTALL)) -e '.[servers]'
	$(subst $(LIBRARIES),$(SERVERS),$(INSTALL)) --upgrade --target $(SERVERS)/gunicorn-25 \
	    'gunicorn>=25,<26'
	@touch $@

# --- work ---------------------------------------------------------------------------

demo: $(VENV)/.demo
	@$(RUN) -m examples.demo $(DEMO_ARGS)

# The tests run also when the checkers complain: one red step hides no other.
test: $(VENV)/.dev
	@status=0; \
	$(MAKE) --no-print-directory lint || status=$$?; \
	$(RUN) -m pytest $(TEST_ARGS) || status=$$?; \
	exit $$status

# What can be said in a minute or two, on any Python; needs no checkers.
test-quick: $(VENV)/.test
	$(RUN) -m pytest -m 'not slow' $(TEST_ARGS)

# The standard library's own tests of asyncio on our selector; a part of `make test`.
test-asyncio-suites: $(VENV)/.test
	$(RUN) -m pytest tests/unit/aio/test_standard_suites.py $(TEST_ARGS)

# A minute or two; needs servers of Debian's, and skips what is not there.
test-libraries: $(LIBRARIES)/.made
	PYTHONNOUSERSITE=1 PYTHONPATH= $(LIBRARIES)/bin/python -m tests.libraries $(LIBRARY_ARGS)

test-gunicorn: $(SERVERS)/.made
	PYTHONNOUSERSITE=1 PYTHONPATH= $(SERVERS)/bin/python -m pytest \
	    tests/unit/test_gunicorn.py tests/unit/serve/test_frameworks.py \
	    tests/unit/websocket/test_other_libraries.py $(TEST_ARGS)

# Half an hour, nearly all of it for groups 9, 12 and 13; needs Python 2.7 for the suite itself, which
# is installed in a folder: AUTOBAHN_ARGS='--folder DIR --groups 1 2 3'.
test-autobahn: $(VENV)/.test
	$(RUN) -m tests.autobahn $(AUTOBAHN_ARGS)

# Some minutes; a client that is not installed is skipped.
test-http2: $(VENV)/.test
	HTTP2_SECONDS=60 HTTP2_MEGABYTES=100 HTTP2_REQUESTS=10000 $(RUN) -m pytest \
	    tests/unit/http2 tests/unit/serve/test_serve_http2.py $(TEST_ARGS)

# Half an hour or more. `STDLIB_ARGS='--jobs 4'` where there are more cores.
test-stdlib: $(VENV)/.test
	$(RUN) -m tests.stdlib --python $(PYTHON) --publish $(STDLIB_ARGS)

lint: $(VENV)/.dev
	$(RUN) -m ruff check $(CHECKED)
	$(RUN) -m ruff format --check $(CHECKED)
	$(RUN) -m mypy

format: $(VENV)/.dev
	$(RUN) -m ruff check --fix $(CHECKED)
	$(RUN) -m ruff format $(CHECKED)

types: $(VENV)/.dev
	$(RUN) -m mypy

# Some minutes; `.ci/run` tells how old the committed results are.
stress: $(VENV)/.test
	$(RUN) -m tests.stress.long --seconds $(STRESS_SECONDS)

# Two or three minutes, better alone on the machine. `LOAD_ARGS='--only structured --seconds 300'`
# makes a part of it, and writes nothing.
load: $(VENV)/.test
	$(RUN) -m tests.load $(LOAD_ARGS)

bench: $(VENV)/.dev
	$(RUN) -m benchmarks $(BENCH_ARGS)

clean:
	rm -rf .venv .venv-* build dist src/*.egg-info
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis .stdlib-tests
	rm -rf benchmarks/.build benchmarks/.envs
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
