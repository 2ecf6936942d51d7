#!/usr/bin/env bash
# Tests the web page with a demo of a minute, or with that of BARON_DEMO: run.sh BARON
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
baron=$(realpath "$1")
if ! command -v chromium >/dev/null && ! command -v google-chrome >/dev/null; then
  echo "SKIPPED: the web page is not tested, as there is no Chromium (apt-get install chromium)"
  exit 0
fi
demo=${BARON_DEMO:-}
if [ -z "$demo" ]; then
  folder=$(mktemp -d)
  trap 'rm -rf "$folder"' EXIT
  demo=$folder/demo
  log=$folder/log
  "$baron" demo "$demo" --quick --set world.training_images=200 --set world.evaluation_images=30 \
    --set 'teacher.overrides=["training.iterations=40"]' \
    --set 'students.configs=["demo-bags"]' \
    --set 'students.overrides=["training.iterations=60", "training.evaluate_every=60"]' \
    >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
fi
python3 "$here/test_web.py" "$baron" "$demo" "${@:2}"
python3 "$here/hostile.py" "$baron" "$demo" 10
