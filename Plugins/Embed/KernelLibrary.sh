# Writes the table of the kernel files: KernelLibrary.sh CHECKOUT FOLDER
set -eu
cd "$1/Kernels"
mkdir -p "$2"
{
  echo '/// The files below `Kernels/` without their last line end, by path.'
  echo 'let embeddedKernels: [(path: String, text: String)] = ['
  find . -name '*.cl' -o -name '*.clh' | LC_ALL=C sort | while read -r file; do
    printf '("%s", ####"""\n' "${file#./}"
    cat "$file"
    echo '"""####),'
  done
  echo ']'
} >"$2.new"
# A file that is not touched is not compiled again.
cmp -s "$2.new" "$2/EmbeddedKernels.swift" || mv "$2.new" "$2/EmbeddedKernels.swift"
