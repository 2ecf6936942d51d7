#!/usr/bin/env bash
# The licences of the program and of everything that is linked into its binary. ARCHIVES holds the names of
# system libraries that are linked in where their archives are there.
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
# Several archives may come with one package.
packages=$(for name in ${ARCHIVES:-}; do
  archive=$(clang -print-file-name="lib$name.a")
  [ -f "$archive" ] || continue
  # A file is known by its path through /lib or by that through /usr/lib, not by both.
  { dpkg-query -S "$(readlink -f "$archive")" "/usr$(readlink -f "$archive")" "$archive" 2>/dev/null \
    || true; } | head -1 | cut -d: -f1
done | sort -u)
for package in $packages; do
  if [ -f "/usr/share/doc/$package/copyright" ]; then
    section "${package%-dev}"
    cat "/usr/share/doc/$package/copyright"
  else
    echo "note: the licence of $package is missing in the package" >&2
  fi
done
