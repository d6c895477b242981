# make train: set up, then train on the embedded data set. make test: set up, then ruff and pytest.
# make PYTHON=python3.13 … chooses another interpreter than the first of these; make GPU=1 … installs TensorFlow with CUDA.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do $$p --version >/dev/null 2>&1 && echo $$p && break; done)
VENV ?= .venv
FLAGS ?= --flagfile=configs/base.flags

REQUIREMENTS = $(if $(GPU),sed 's/^tensorflow-cpu==/tensorflow[and-cuda]==/' requirements.txt,cat requirements.txt)

# It asks for tensorflow, which would overwrite tensorflow-cpu; its protos need no more than what is there.
SERVING = tensorflow-serving-api==2.16.1

.PHONY: train test lint clean

train: $(VENV)/.ready
	$(VENV)/bin/python -m urbansound.train $(FLAGS)

test: lint
	$(VENV)/bin/python -m pytest $(PYTEST)

lint: $(VENV)/.ready
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

$(VENV)/.ready: requirements.txt
	$(PYTHON) -m venv $(VENV)
	$(REQUIREMENTS) > $(VENV)/requirements.txt
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r $(VENV)/requirements.txt
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps $(SERVING)
	touch $@

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache
