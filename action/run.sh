#!/usr/bin/env bash
# Runs the suite, writes the reports and the exit code, and ends with 0 whatever the verdict: the reports must be uploaded
# first. Everything that users typed arrives in WAITPROOF_*, and goes on as one word each, never as shell.
# Works with the bash 3.2 of macOS.
set -euo pipefail

bin="$RUNNER_TEMP/waitproof/bin"

# Sets the array `lines` to the lines of a text, without what surrounds them and without empty ones.
read_lines() {
  lines=()
  local line
  while IFS= read -r line || [ -n "$line" ]; do
    line="${line#"${line%%[![:space:]]*}"}"
    line="${line%"${line##*[![:space:]]}"}"
    if [ -n "$line" ]; then lines+=("$line"); fi
  done <<<"$1"
}

# Prints the one line of an input that has only one.
only_line() {
  read_lines "$2"
  if [ "${#lines[@]}" != 1 ]; then
    echo "waitproof: the input '$1' needs one line, and has ${#lines[@]}" >&2
    exit 2
  fi
  printf '%s\n' "${lines[0]}"
}

suite=""
read_lines "$WAITPROOF_SUITE"
if [ "${#lines[@]}" != 0 ]; then suite="$(only_line suite "$WAITPROOF_SUITE")"; fi
fail_on="$(only_line fail-on "$WAITPROOF_FAIL_ON")"
report="$(only_line report "$WAITPROOF_REPORT")"
arguments=("--fail-on=$fail_on")
if [ -n "$suite" ]; then arguments+=("--suite=$suite"); fi
read_lines "$WAITPROOF_SCENARIOS"
for line in ${lines[@]+"${lines[@]}"}; do arguments+=("--scenarios=$line"); done
read_lines "$WAITPROOF_ADAPTERS"
for line in ${lines[@]+"${lines[@]}"}; do arguments+=("--adapter=$line"); done
read_lines "$WAITPROOF_PATTERNS"
for line in ${lines[@]+"${lines[@]}"}; do arguments+=("-k$line"); done

mkdir -p -- "$report"
for pair in $WAITPROOF_FILES; do
  file="$report/${pair#*=}"
  rm -f -- "$file" # of an earlier step: nobody must take it for this one's
  arguments+=("--${pair%%=*}=$file")
done

# It switches the runner's commands off while it prints what an SDK said, and marks what needs attention after that. All
# of it goes through one pipe, in its order. The summary is written by the next step.
code=0
env -u GITHUB_STEP_SUMMARY "$bin/waitproof" run "${arguments[@]}" 2>&1 || code=$?

# The adapters have ended. They are never told the names of these files; whatever one has found and written is dropped.
for name in ENV OUTPUT PATH STATE STEP_SUMMARY; do
  file="GITHUB_$name"
  if [ -n "${!file:-}" ]; then : >"${!file}"; fi
done
echo "exit-code=$code" >"$GITHUB_OUTPUT"
