#!/usr/bin/env bash
# Packs the binary of `make dist`: dist/baron-VERSION-linux-ARCH.tar.gz and dist/baron_VERSION_ARCH.deb.
set -euo pipefail
cd "$(dirname "$0")/.."
binary=dist/baron
version=$("$binary" --version | awk '{ print $1 }')
machine=$(uname -m)

name=baron-$version-linux-$machine
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
Packaging/files.sh "$binary" "$stage/$name" ""
tar --sort=name --owner=0 --group=0 --numeric-owner -C "$stage" -czf "dist/$name.tar.gz" "$name"
echo "dist/$name.tar.gz"

if ! command -v dpkg-deb >/dev/null; then
  echo "note: no .deb is made, as this system has no dpkg-deb"
  exit 0
fi
deb=$stage/deb
Packaging/files.sh "$binary" "$deb" /usr
# What the binary still loads, as the packages that bring it; the C library by the newest symbol used.
depends=$(while read -r library; do
  case $library in
    libOpenCL.so.*) echo "ocl-icd-libopencl1 | libopencl1" ;;
    libc.so.* | libm.so.* | libdl.so.* | libpthread.so.* | /*) ;;
    *)
      path=$(ldd "$binary" | awk -v name="$library" '$1 == name { print $3 }')
      # A library is known by the path through /lib or by that through /usr/lib, not by both.
      { dpkg-query -S "$(readlink -f "$path")" "$path" 2>/dev/null || true; } | head -1 | cut -d: -f1
      ;;
  esac
done <dist/LIBRARIES.txt | sort -u | paste -sd, - | sed 's/,/, /g')
glibc=$(grep -aoE 'GLIBC_2\.[0-9.]+' "$binary" | cut -d_ -f2 | sort -uV | tail -1)
mkdir -p "$deb/DEBIAN"
cat >"$deb/DEBIAN/control" <<CONTROL
Package: baron
Version: $version
Architecture: $(dpkg --print-architecture)
Maintainer: Baron <baron@localhost>
Installed-Size: $(du -sk "$deb" | cut -f1)
Depends: libc6 (>= $glibc)${depends:+, $depends}
Recommends: pocl-opencl-icd | opencl-icd
Section: science
Priority: optional
Description: open-vocabulary object detector on OpenCL devices
 Trains, runs and scores BARON, which finds objects by their names, also by names
 that no box in training had. Serves a trained model over HTTP with a page for
 browsers. Runs on any OpenCL device: GPUs with the vendor's driver, CPUs with
 pocl-opencl-icd.
CONTROL
file=dist/baron_${version}_$(dpkg --print-architecture).deb
dpkg-deb --root-owner-group -Zxz --build "$deb" "$file" >/dev/null
echo "$file"
