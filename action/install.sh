#!/usr/bin/env bash
# Installs the waitproof that contains this action into a separate environment: the job's packages stay as they are.
# Only files whose hashes are in requirements.txt are installed, and none of them runs anything to be built.
set -euo pipefail

"$WAITPROOF_PYTHON" -m venv --clear "$RUNNER_TEMP/waitproof"
pip=("$RUNNER_TEMP/waitproof/bin/python" -m pip install --quiet --disable-pip-version-check)
"${pip[@]}" --require-hashes --only-binary=:all: -r "$GITHUB_ACTION_PATH/action/requirements.txt"
"${pip[@]}" --no-index --no-deps --no-build-isolation "$GITHUB_ACTION_PATH"
