#!/usr/bin/env bash
# Puts the program with man page, completions and licences below a prefix: files.sh BINARY TARGET PREFIX
# MANUAL names the man page; where it is not there, none is installed. CHECKOUTS is where the Swift packages
# lie.
set -euo pipefail
cd "$(dirname "$0")/.."
binary=$1 target=$2 prefix=$3
root=$target$prefix
install -Dm755 "$binary" "$root/bin/baron"
if [ -s "${MANUAL:-}" ]; then
  mkdir -p "$root/share/man/man1"
  gzip -9nc "$MANUAL" >"$root/share/man/man1/baron.1.gz"
fi
for pair in bash:bash-completion/completions/baron zsh:zsh/vendor-completions/_baron \
  fish:fish/vendor_completions.d/baron.fish; do
  file=$root/share/${pair#*:}
  mkdir -p "$(dirname "$file")"
  "$binary" --generate-completion-script "${pair%%:*}" >"$file"
done
doc=$root/share/doc/baron
mkdir -p "$doc"
gzip -9nc CHANGELOG.md >"$doc/changelog.gz"
install -m644 README.md "$doc/README.md"
Packaging/licences.sh >"$doc/copyright"
