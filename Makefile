# Two commands from a bare clone: `make demo` runs the main job, `make test` passes the tests.
# Both rest on `make install`, which makes .venv with .venv/bin/millworth.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO_ARGS ?=
PYTEST_ARGS ?=
# plotly.js without maps, 3-D and WebGL: a third of the size, and all that the pages draw.
PLOTLY_BUNDLE := plotly.js-cartesian-dist-min@4.1.1
VENDOR := dashboard/web/assets/vendor
NODE_TEST := tests/integration/node
PROGRAMS := $(VENV)/programs
TEMPLATES := /usr/share/prometheus/alertmanager
# What a C++ compiler makes the module of that reads spans; without one everything works, slower.
NATIVE := $(wildcard collector/otlp/native/*.h) collector/otlp/native/module.cpp
HAS_MODULE = $(BIN)/python -c 'import collector.otlp.native._native' 2>/dev/null
PYTEST = $(BIN)/python -m pytest -n auto --maxprocesses 8 --dist loadgroup
# Tests start the program a hundred times; compiled anew, each start takes half a second more.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help

.PHONY: help
help: ## Say what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 16

.PHONY: install
install: $(VENV)/.installed $(VENDOR)/.installed ## Make .venv with the command millworth

# A failed install leaves no stamp, so the next make tries again.
$(VENV)/.installed: pyproject.toml constraints.txt packaging/native.py $(NATIVE)
	$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info < (3, 14) else "Millworth needs Python 3.11 to 3.13, this is " + sys.version.split()[0] + "; call make PYTHON=python3.11")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[server,calendars,mcp,demo,bench]'
	@$(HAS_MODULE) || echo 'note: no C++ compiler with the headers of Python (on Debian: g++ python3-dev), so spans are read at half the rate; with them, rm $@ and make install again'
	touch $@

# Without npm the pages are served with the full bundle that Dash brings: larger, otherwise equal.
$(VENDOR)/.installed: Makefile
	mkdir -p $(VENDOR)
	if command -v npm >/dev/null; then \
	  scratch=$$(mktemp -d) && (cd $$scratch && npm pack --silent $(PLOTLY_BUNDLE) >/dev/null && tar -xzf *.tgz) \
	  && cp $$scratch/package/plotly-cartesian.min.js $(VENDOR)/plotly-cartesian.min.js; \
	  result=$$?; rm -rf $$scratch; \
	  test $$result -eq 0 || echo 'note: the small plotly bundle could not be had; the full one is served'; \
	else echo 'note: npm is not installed; the full plotly bundle is served'; fi
	touch $@

.PHONY: install-dev
install-dev: install $(VENV)/.installed-dev

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt \
	  $$($(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["dependency-groups"]["dev"])')
	touch $@

.PHONY: install-test
install-test: install-dev $(NODE_TEST)/node_modules/.installed $(PROGRAMS)/.installed ## Install what the tests need, Chromium included
	@if $(HAS_MODULE); then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends g++ python3-dev \
	  && rm -f $(VENV)/.installed && $(MAKE) --no-print-directory install-dev; \
	else echo 'no C++ compiler with the headers of Python here and no right to install them: the tests of the compiled module will fail'; fi
	@if command -v chromium >/dev/null; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core; \
	else echo 'no chromium here and no right to install it: the browser tests (tests/browser) will fail'; fi
	@if command -v tshark >/dev/null; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends tshark; \
	else echo 'no tshark here and no right to install it: tests/integration/test_tshark.py will fail'; fi
	@if command -v curl >/dev/null && command -v openssl >/dev/null; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends curl openssl; \
	else echo 'no curl or openssl here and no right to install them: tests/house/pages will fail'; fi

# Unpacked and not installed: an installed package would start a server. Alertmanager alone reads a
# file from where its package would have put it.
# promtool is in a package of its own from Debian 13 on.
$(PROGRAMS)/.installed: Makefile
	mkdir -p $(PROGRAMS)
	@if command -v apt-get >/dev/null && command -v dpkg >/dev/null; then \
	  { test "$$(id -u)" != 0 || apt-get update -qq; } && cd $(PROGRAMS) && apt-get download -qq nginx caddy prometheus prometheus-alertmanager \
	    $$(apt-cache --names-only search '^promtool$$' | cut -d' ' -f1) \
	  && for package in *.deb; do dpkg -x $$package . && rm $$package; done \
	  && { { mkdir -p $(TEMPLATES) && cp -rn .$(TEMPLATES)/. $(TEMPLATES)/; } \
	    || echo 'no right to write $(TEMPLATES), where Debian has Alertmanager look: tests/integration/alerting will fail'; }; \
	else echo 'no apt-get here: put nginx, caddy, prometheus and prometheus-alertmanager on the path, or tests/house/pages/test_proxy.py and tests/integration will fail'; fi
	touch $@

$(NODE_TEST)/node_modules/.installed: $(NODE_TEST)/package.json
	@if command -v npm >/dev/null; then cd $(NODE_TEST) && npm install --silent --no-audit --no-fund --no-package-lock; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends nodejs npm \
	  && cd $(NODE_TEST) && npm install --silent --no-audit --no-fund --no-package-lock; \
	else echo 'no npm here and no right to install it: tests/integration/test_node_sdk.py will fail'; exit 0; fi
	mkdir -p $(@D) && touch $@

.PHONY: demo
demo: install ## Run the whole service on the reference path, with a scripted incident
	@$(BIN)/millworth demo $(DEMO_ARGS)

.PHONY: check
check: lint unit ## Lint, types, imports, unit and property tests, on every core

.PHONY: lint
lint: install-dev ## Lint, types and imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The inner loop: the first time mypy reads everything, then what changed.
ROOM ?=
.PHONY: quick
quick: install-dev ## Lint, types and tests of one folder, in seconds: make quick ROOM=collector/wal
	@test -d '$(ROOM)' -a -d 'tests/$(ROOM)' || { echo 'name a folder of a room: make quick ROOM=collector/wal'; exit 2; }
	$(BIN)/ruff check $(ROOM) tests/$(ROOM)
	$(BIN)/ruff format --check $(ROOM) tests/$(ROOM)
	$(BIN)/mypy $(ROOM) tests/$(ROOM)
	$(BIN)/lint-imports --no-logo | tail -n 1
	$(BIN)/python -m pytest -q -m 'not integration and not browser and not agents' tests/$(ROOM) $(PYTEST_ARGS)

# A file's tests stay in one process, which has a store of its own, and there are three processes
# for two cores (tests/conftest.py). What records packets or waits for an incident is in one process too, and
# what drives a browser in another: one of these at a time.
.PHONY: unit
unit: install-dev ## Unit and property tests, on every core
	$(PYTEST) -m 'not integration and not browser and not agents' $(PYTEST_ARGS)

.PHONY: test
test: install-test lint ## Everything: check, integration and browser tests
	$(PYTEST) -m 'not agents' $(PYTEST_ARGS)

# Minutes a test: the limit is for what hangs. A failure prints the example, and is drawn again with
# PYTEST_ARGS='--hypothesis-seed N'.
.PHONY: test-deep
test-deep: install-dev ## The properties with 50 times their examples, drawn anew at each run
	env -u CI $(PYTEST) -m '(hypothesis or drawn) and not integration and not browser and not agents' \
	  --hypothesis-profile deep --timeout 7200 $(PYTEST_ARGS)

# Programs that this project does not install: tests/agents/README.md.
.PHONY: test-agents
test-agents: install-dev ## Go's collector (OTELCOL) and Rotel (ROTEL) in front of a service that fails
	OTELCOL='$(OTELCOL)' ROTEL='$(ROTEL)' $(BIN)/python -m pytest -m agents tests/agents $(PYTEST_ARGS)

.PHONY: example
example: install ## Write millworth.example.toml and the generated pages of docs/ anew
	$(BIN)/python -m dashboard.docs.write

.PHONY: screenshot
screenshot: install-test ## Take docs/images/overview.png of a running demo, in two minutes
	$(BIN)/python -m tests.browser.screenshot docs/images/overview.png

.PHONY: clean
clean: ## Remove what make made
	rm -rf $(VENV) $(VENDOR) $(NODE_TEST)/node_modules .mypy_cache .ruff_cache .hypothesis
