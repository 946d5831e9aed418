#!/usr/bin/env bash
# Installs the waitproof that contains this action into a separate environment: the job's packages stay as they are.
set -euo pipefail

"$WAITPROOF_PYTHON" -m venv --clear "$RUNNER_TEMP/waitproof"
"$RUNNER_TEMP/waitproof/bin/python" -m pip install --quiet --disable-pip-version-check "$GITHUB_ACTION_PATH"
