# What the parts have in common: rows of the table, commands with a limit, drivers and compilers
# unpacked below $WORK/tools. Sourced by run.sh.

# row RESULT WHAT FIGURES: a row of the table; `subject` names the driver or compiler.
row() {
  printf '%s\t%s\t%s\t%s\t%s\n' "$part" "${subject:-$part}" "$2" "$1" "$3" >>"$folder/rows"
}

# check WHAT SECONDS FIGURES COMMAND...: runs a command within a time; its row has what the function
# FIGURES makes of the log, or why it failed. A failure of FIGURES is one of the command.
check() {
  local what=$1 seconds=$(($2 * SLOW)) figures=$3 log=$folder/${1// /-}.log begun=$(date +%s)
  shift 3
  local left=$((deadline - begun)) status text
  if ((left <= 0)); then
    row skipped "$what" "no time left of $LIMIT s"
    return 1
  fi
  timeout --foreground --kill-after=10 $((seconds < left ? seconds : left)) "$@" >"$log" 2>&1
  status=$?
  if ((status == 124 && left <= seconds)); then
    row skipped "$what" "stopped when the $LIMIT s were over"
  elif ((status == 124)); then
    row failed "$what" "not done in $seconds s"
  elif ((status > 128)); then
    row failed "$what" "ended by signal $((status - 128)); ${log#"$WORK"/}"
  elif ((status != 0)); then
    text=$(grep -E -m1 '^error|FAILED|recorded an issue' "$log" || tail -n1 "$log")
    row failed "$what" "status $status: ${text:0:160}; ${log#"$WORK"/}"
  elif text=$($figures "$log"); then
    row passed "$what" "$text, $(($(date +%s) - begun)) s"
    return 0
  else
    row failed "$what" "$text; ${log#"$WORK"/}"
  fi
  return 1
}

selftest_figures() { sed -n 's/^checks *//p' "$1"; }

# Tests that ran, and how many of them skipped themselves.
test_figures() {
  local ran skipped
  ran=$(sed -n 's/.*Test run with \([0-9]*\) test.* passed.*/\1/p' "$1")
  skipped=$(grep -c 'skipped' "$1")
  if ((${ran:-0} <= skipped)); then
    echo "no test was run"
    return 1
  fi
  echo "$((ran - skipped)) tests, $skipped skipped"
}

# The command that runs the tests whose names match what follows it.
run_tests=("$tests" --testing-library swift-testing --filter)

# unpack NAME PACKAGE...: unpacks Debian packages with what they need and this system lacks into
# $WORK/tools/NAME. Needs no rights: nothing is installed.
unpack() {
  local target=$WORK/tools/$1 names
  shift
  [ -f "$target/complete" ] && return 0
  command -v apt-get >/dev/null || { echo "this system has no apt-get"; return 1; }
  rm -rf "$target"
  mkdir -p "$target/packages"
  (
    cd "$target/packages" || exit
    names=$(apt-get -s -qq install --no-install-recommends "$@" | awk '/^Inst/ { print $2 }')
    # What is installed already is not in that list.
    names="$names $(for name; do [[ " $names " == *"$name"* ]] || echo "$name"; done)"
    # shellcheck disable=SC2086
    timeout 120 apt-get -qq download $names && for file in *.deb; do dpkg -x "$file" ..; done
  ) >"$target/log" 2>&1 || { echo "cannot get $*: $(grep -m1 '^E:' "$target/log")"; return 1; }
  ls "$target/packages" >"$target/unpacked"
  rm -r "$target/packages"
  mv "$target/unpacked" "$target/complete"
}

# unpacked NAME PACKAGE: the version of a package that unpack brought.
unpacked() { sed -n "s/^$2_\\([^_]*\\)_.*/\\1/p" "$WORK/tools/$1/complete"; }

# wheel NAME REQUIREMENT...: installs PyPI packages into an environment of their own.
wheel() {
  local target=$WORK/tools/$1
  shift
  command -v python3 >/dev/null || { echo "there is no python3"; return 1; }
  mkdir -p "$target"
  (
    # Two parts may want the same runtime.
    flock 9
    [ -x "$target/bin/pip" ] || python3 -m venv "$target" || exit
    "$target/bin/pip" -q install --upgrade "$@" || [ -f "$target/complete" ] || exit
    touch "$target/complete"
  ) 9>"$target/lock" >"$target/log" 2>&1 \
    || { echo "cannot get $*: $(grep -v '^\[notice\]' "$target/log" | tail -n1 | cut -c1-120)"; return 1; }
}

# versions NAME: what unpack or wheel brought, one package a line.
versions() {
  local target=$WORK/tools/$1
  if [ -x "$target/bin/pip" ]; then "$target/bin/pip" freeze; else cat "$target/complete"; fi
}

# wrapped NAME LIBRARIES PROGRAM: a script that runs an unpacked program with its own libraries.
wrapped() {
  local script=$WORK/tools/$1.sh
  printf '#!/bin/sh\nLD_LIBRARY_PATH=%s exec %s "$@"\n' "$2" "$3" >"$script"
  chmod +x "$script"
  echo "$script"
}
