#!/usr/bin/env bash
# Runs the program on other OpenCL drivers and its kernels through the compilers of GPU vendors, on
# a machine without a GPU.
#
#   run.sh [PART ...]     all parts when none is named; parts.sh lists them
#
# Prints a table of what was run, passed, failed and was skipped for want of a tool; ends with 1 when
# anything failed. Drivers and compilers are unpacked below WORK, which is
# kept: nothing is installed.
#
#   BUILD   folder of the program and of the test bundle   .build/release
#   WORK    folder of downloads, caches and logs           .build/drivers
#   LIMIT   seconds for all parts together                 900
#   JOBS    parts that run at the same time                2
#   SLOW    what the limits of single commands are multiplied by, on a busy machine   1
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
BUILD=${BUILD:-$root/.build/release}
WORK=${WORK:-$root/.build/drivers}
LIMIT=${LIMIT:-900}
JOBS=${JOBS:-2}
SLOW=${SLOW:-1}
baron=$BUILD/baron
tests=$BUILD/BaronPackageTests.xctest
for file in "$baron" "$tests"; do
  [ -x "$file" ] || { echo "error: no $file; run make test-drivers, or set BUILD" >&2; exit 1; }
done
mkdir -p "$WORK"
deadline=$(($(date +%s) + LIMIT))
. "$here/tools.sh"
. "$here/parts.sh"

parts=${*:-$every_part}
for part in $parts; do
  [[ " $every_part " == *" $part "* ]] || {
    echo "error: no part '$part'; there are: $every_part" >&2
    exit 1
  }
done

# A part in a folder of its own, with what it prints in a log there.
run_part() {
  part=$1
  folder=$WORK/$part
  # The kernels that a driver compiled stay: the programs' and the drivers' versions are in their keys.
  mkdir -p "$folder"
  find "$folder" -mindepth 1 -maxdepth 1 ! -name cache -exec rm -rf {} +
  : >"$folder/rows"
  export BARON_CACHE=$folder/cache BARON_TUNING=off BARON_DEVICE=0
  cd "$folder" && "part_${part//-/_}" >"$folder/log" 2>&1
}

started=$(date +%s)
# Every part is a process group, so that what a stopped run has started ends with it.
set -m
trap 'for group in $(jobs -p); do kill -- -"$group" 2>/dev/null; done' EXIT
trap 'exit 130' INT TERM
for part in $parts; do
  while (($(jobs -rp | wc -l) >= JOBS)); do wait -n; done
  echo "running $part, logs in $WORK/$part" >&2
  (run_part "$part") &
done
wait
for part in $parts; do cat "$WORK/$part/rows"; done >"$WORK/rows"
compare_losses $parts >>"$WORK/rows"

echo
(printf 'part\tdriver or compiler\twhat\tresult\tfigures or reason\n' && cat "$WORK/rows") \
  | awk -F'\t' '{
      for (i = 1; i <= 5; i++) { cell[NR, i] = $i; if (length($i) > width[i]) width[i] = length($i) }
      count[$4]++
    }
    END {
      for (row = 1; row <= NR; row++) {
        line = ""
        for (i = 1; i <= 4; i++) line = line sprintf("%-" width[i] "s  ", cell[row, i])
        print line cell[row, 5]
      }
      printf "\n%d passed, %d failed, %d skipped", count["passed"], count["failed"], count["skipped"]
    }'
echo ", $(($(date +%s) - started)) s; logs in $WORK"
if cut -f4 "$WORK/rows" | grep -q failed; then exit 1; fi
if ! cut -f4 "$WORK/rows" | grep -q passed; then
  echo "warning: nothing was run: every part was skipped" >&2
fi
