# Writes the commit that is built, where one is known: BaronCLI.sh CHECKOUT FOLDER
set -eu
cd "$1"
mkdir -p "$2"
commit='unknown commit'
# A checkout without its history may lie inside another project's.
if [ "$(git rev-parse --show-toplevel 2>/dev/null)" = "$(pwd -P)" ]; then
  name=$(git --no-optional-locks describe --always --dirty --abbrev=12 --exclude='*' 2>/dev/null) \
    && commit="commit $name"
fi
{
  echo '/// What the program was built from: a commit, with `-dirty` when files were changed since.'
  echo "let builtCommit = \"$commit\""
} >"$2.new"
cmp -s "$2.new" "$2/BuiltCommit.swift" || mv "$2.new" "$2/BuiltCommit.swift"
