#!/usr/bin/env bash
# Runs the suite, writes the reports and the step's outputs, and ends with 0 whatever the verdict: the reports must be
# uploaded first. Everything that users typed arrives in WAITPROOF_*, and goes on as one word each, never as shell.
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

file_of() {
  case "$1" in
    json) echo "$report/report.json" ;;
    html) echo "$report/report.html" ;;
    markdown) echo "$report/report.md" ;;
    junit) echo "$report/junit.xml" ;;
    badge) echo "$report/badge.json" ;;
  esac
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
for form in $WAITPROOF_FORMS; do
  file="$(file_of "$form")"
  rm -f -- "$file" # of an earlier step: nobody must take it for this one's
  arguments+=("--$form=$file")
done

# It switches the runner's commands off while it prints what an SDK said, and marks what needs attention after that.
code=0
"$bin/waitproof" run "${arguments[@]}" || code=$?

verdict="$("$bin/python" "$GITHUB_ACTION_PATH/action/verdict.py" "$(file_of json)" "$code")"
{
  echo "exit-code=$code"
  echo "verdict=$verdict"
  echo "report=$report"
  for form in $WAITPROOF_FORMS; do
    file="$(file_of "$form")"
    if [ -f "$file" ]; then echo "$form=$file"; fi
  done
} >>"$GITHUB_OUTPUT"

if [ ! -f "$(file_of json)" ]; then # else the run has written the job's summary
  printf '%s\n' "**waitproof**: $verdict" >>"$GITHUB_STEP_SUMMARY"
fi
