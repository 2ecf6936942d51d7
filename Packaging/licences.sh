#!/usr/bin/env bash
# The licences of the program and of everything that is linked into the binary of `make dist`.
set -euo pipefail
cd "$(dirname "$0")/.."
checkouts=${CHECKOUTS:-.build/checkouts}

section() { printf '\n%s\n%s\n\n' "$1" "${1//?/=}"; }

echo "Baron and what its binary contains, each under its own licence."
section "Baron"
cat LICENSE
for package in swift-argument-parser Yams FlyingFox; do
  for name in LICENSE LICENSE.txt LICENSE.md; do
    if [ -f "$checkouts/$package/$name" ]; then
      section "$package"
      cat "$checkouts/$package/$name"
    fi
  done
done
# The standard library, Foundation and Dispatch are linked in; they come with the compiler.
swift=$(dirname "$(dirname "$(readlink -f "$(command -v swift)")")")
if [ -f "$swift/share/swift/LICENSE.txt" ]; then
  section "Swift runtime, Foundation, Dispatch"
  cat "$swift/share/swift/LICENSE.txt"
fi
for library in libturbojpeg0-dev libpng-dev zlib1g-dev; do
  if [ -f "/usr/share/doc/$library/copyright" ]; then
    section "${library%-dev}"
    cat "/usr/share/doc/$library/copyright"
  fi
done
