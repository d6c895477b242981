# make train: set up, then train on the embedded data set. make test: set up, then ruff and pytest.
# make PYTHON=python3.13 … chooses another interpreter than the first of these, with an environment of its own;
# make GPU=1 … installs TensorFlow with CUDA; make PYTEST="-m smoke" test chooses tests.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do $$p --version >/dev/null 2>&1 && echo $$p && break; done)
VENV ?= .venv$(if $(filter file,$(origin PYTHON)),,-$(notdir $(PYTHON)))
FLAGS ?= --flagfile=configs/base.flags

LISTS = requirements.txt .ci/requirements.txt
REQUIREMENTS = $(if $(GPU),sed 's/^tensorflow-cpu==/tensorflow[and-cuda]==/' $(LISTS),cat $(LISTS))

# It asks for tensorflow, which would overwrite tensorflow-cpu; its protos need no more than what is there.
SERVING = tensorflow-serving-api==2.16.1

.PHONY: train test lint clean

train: $(VENV)/.ready
	$(VENV)/bin/python -m urbansound.train $(FLAGS)

# A process per core; the tests of one file share their trained runs.
test: lint
	$(VENV)/bin/python -m pytest --numprocesses=auto --dist=loadfile --no-loadscope-reorder $(PYTEST)

lint: $(VENV)/.ready
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

$(VENV)/.ready: $(LISTS)
	$(PYTHON) -m venv $(VENV)
	$(REQUIREMENTS) > $(VENV)/requirements.txt
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r $(VENV)/requirements.txt
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps $(SERVING)
	touch $@

clean:
	rm -rf .venv .venv-* build *.egg-info .pytest_cache .ruff_cache
