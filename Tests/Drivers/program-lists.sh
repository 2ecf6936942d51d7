#!/usr/bin/env bash
# Writes which programs a step of a preset needs on an NVIDIA GPU with tensor cores, without one: PoCL
# poses as an H200 and leaves out products and attention (PretendGPU.c, LeaveOutProducts.c).
#
#   program-lists.sh BARON FOLDER [PRESET ...]   FOLDER/PRESET.txt, each in two to four minutes
#
# Lines of kernel file and parameters, in order of use, as ShippedPrograms.swift reads them.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
baron=$(realpath "$1")
folder=$2
shift 2
presets=${*:-demo-bags demo-teacher ov-coco-c4-caption ov-coco-c4-kd ov-coco-fpn-kd ov-lvis-kd}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
for name in PretendGPU LeaveOutProducts; do
  "${CC:-clang}" -shared -fPIC -O1 -o "$scratch/$name.so" "$here/$name.c" -ldl
done
mkdir -p "$folder"
for preset in $presets; do
  echo "listing the programs of $preset" >&2
  if ! env -u BARON_KERNELS -u BARON_DEVICE BARON_CACHE="$scratch/$preset" BARON_TUNING=off \
    LD_PRELOAD="$scratch/PretendGPU.so:$scratch/LeaveOutProducts.so" \
    PRETEND_PLATFORM="NVIDIA CUDA" PRETEND_VENDOR="NVIDIA Corporation" PRETEND_NAME="NVIDIA H200" \
    PRETEND_CAPABILITY=9.0 PRETEND_UNITS=132 PRETEND_GROUP=1024 PRETEND_LOCAL=49152 \
    PRETEND_MEMORY=150754820096 PRETEND_BUFFER=37687918592 PRETEND_OPTIONS="-D EMULATE_WARP=1" \
    "$baron" warmup "$preset" --jobs 1 >"$scratch/$preset.log" 2>&1; then
    tail -n1 "$scratch/$preset.log" >&2
    exit 1
  fi
  # What the device adds to all options is the program's own business.
  sed -e 's/ -D DEVICE_IS_CPU=0//' -e 's/ -cl-nv-[^ ]*//' -e 's/ -D / /g' "$scratch/$preset"/programs/lists/*.txt \
    >"$scratch/list"
  mv "$scratch/list" "$folder/$preset.txt"
done
