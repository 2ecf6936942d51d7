# The parts of run.sh. Each runs in a folder of its own and writes rows by `row` and `check`.

# The longest first, so that two at a time end together.
every_part="oclgrind intel intel-newest gpu-path ptxas clang ocloc programs"

# --- Drivers

# The version of Intel's runtime that every change is checked with; intel-newest takes PyPI's.
intel_pin=2025.0.5

# The operators' suites, both kernel families, and devices, queues, programs.
operator_suites='^(TensorsTests|OpenCLTests|LayersTests|DetectionTests)\.'

# intel_runtime NAME VERSION: makes Intel's CPU runtime the only driver; '' is the newest version.
intel_runtime() {
  local target=$WORK/tools/$1 version=${2:+==$2} text
  subject="Intel CPU runtime ${2:-newest}"
  # Without the second package the driver finds no libsvml and does not load.
  if ! text=$(wheel "$1" "intel-opencl-rt$version" "intel-cmplr-lib-rt$version"); then
    row skipped "install" "$text"
    return 1
  fi
  subject="Intel CPU runtime $("$target/bin/pip" show intel-opencl-rt | sed -n 's/^Version: //p')"
  mkdir -p "$folder/vendors"
  # The packages' own file names a folder that does not exist.
  echo "$target/lib/libintelocl.so" >"$folder/vendors/intel.icd"
  export OCL_ICD_VENDORS=$folder/vendors LD_LIBRARY_PATH=$target/lib
}

part_intel() {
  intel_runtime intel-pinned "$intel_pin" || return
  check "self-test" 400 selftest_figures "$baron" selftest
  train_steps
  check "operator tests" 600 test_figures "${run_tests[@]}" "$operator_suites"
}

part_intel_newest() {
  intel_runtime intel-newest "" || return
  check "self-test" 400 selftest_figures "$baron" selftest
  train_steps
  check "operator tests" 600 test_figures "${run_tests[@]}" "$operator_suites"
}

# The kernels and limits of GPUs: the same runtime behind a library that gives another device's
# answers and refuses what that device would.
part_gpu_path() {
  intel_runtime intel-newest "" || return
  local text
  if ! text=$(${CC:-clang} -shared -fPIC -O1 -o "$folder/pretend.so" "$here/PretendGPU.c" -ldl 2>&1); then
    row skipped "compile PretendGPU.c" "${text:0:160}"
    return
  fi
  export PRETEND_REPORT=$folder/report
  subject="$subject as AMD's GPU"
  launcher=(
    env LD_PRELOAD="$folder/pretend.so" PRETEND_VENDOR="Advanced Micro Devices, Inc."
    PRETEND_GROUP=256 PRETEND_LOCAL=32768 PRETEND_BUFFER=1073741824
  )
  check "self-test" 400 pretend_figures "${launcher[@]}" "$baron" selftest
  train_steps
  if grep '^violation' "$PRETEND_REPORT" >"$folder/violations" 2>/dev/null; then
    row failed "limits while training" "$(head -n1 "$folder/violations")"
  fi
  rm -f "$PRETEND_REPORT"
  subject="${subject% as *} as a small GPU"
  check "self-test" 400 pretend_figures "${launcher[@]}" PRETEND_VENDOR=Small PRETEND_GROUP=64 \
    PRETEND_LOCAL=16384 "$baron" selftest
}

# Checks of a self-test whose launches kept within the limits.
pretend_figures() {
  if grep -q '^violation' "$PRETEND_REPORT" || ! grep -q '^launches [1-9]' "$PRETEND_REPORT"; then
    grep -m1 '^violation' "$PRETEND_REPORT" || echo "the device was not the pretended one"
    return 1
  fi
  echo "$(selftest_figures "$1"), $(tail -n1 "$PRETEND_REPORT")"
  rm "$PRETEND_REPORT"
}

# Five steps of a small CLIP and five of a detector that learns from it, on a drawn world.
launcher=()
train_steps() {
  local world=$folder/world
  "$baron" world "$world/train" --images 12 --seed 1 >/dev/null 2>&1
  "$baron" world "$world/test" --images 4 --seed 2 >/dev/null 2>&1
  check "five steps of CLIP" 300 loss_figures ${launcher[@]+"${launcher[@]}"} \
    "$baron" clip-train "$here/clip.yaml" --run "$folder/clip" \
    && check "five steps of a detector" 400 loss_figures ${launcher[@]+"${launcher[@]}"} \
      "$baron" train "$here/detector.yaml" --run "$folder/detector"
}

# The losses of the first step of a run, one a line; the run is the one that the log names.
first_losses() {
  sed -n '1s/.*"losses":{\([^}]*\)}.*/\1/p' "$1/metrics.jsonl" | tr ',' '\n' | tr -d '"'
}

loss_figures() {
  local run steps
  run=$(sed -n 's/.*; run: //p' "$1")
  steps=$(grep -c '"losses"' "$run/metrics.jsonl")
  first_losses "$run" >"$run.losses"
  [ "$steps" = 5 ] || { echo "$steps steps of 5"; return 1; }
  awk -F: '{ sum += $2 } END { printf "first loss %.5f", sum }' "$run.losses"
}

# The losses of the first step, which depends on no earlier rounding, between drivers.
compare_losses() {
  local kind first part difference
  for kind in clip detector; do
    first=""
    for part; do
      [ -s "$WORK/$part/$kind.losses" ] || continue
      if [ -z "$first" ]; then
        first=$part
        continue
      fi
      difference=$(paste -d: "$WORK/$first/$kind.losses" "$WORK/$part/$kind.losses" \
        | awk -F: '{ d = $2 - $4; s = ($2 < 0 ? -$2 : $2) + 1e-6; d = (d < 0 ? -d : d) / s
            if (d > most || $1 != $3) most = $1 == $3 ? d : 1 } END { printf "%.1e", most }')
      folder=$WORK/$part
      subject="$part against $first"
      if awk "BEGIN { exit !($difference <= 1e-4) }"; then
        row passed "losses of $kind" "differ by $difference"
      else
        row failed "losses of $kind" "differ by $difference, more than 1e-4"
      fi
      tail -n1 "$folder/rows"
    done
  done
}

# Data races and accesses out of bounds of small operator tests in a simulator.
part_oclgrind() {
  subject=Oclgrind
  local text target=$WORK/tools/oclgrind
  if ! text=$(unpack oclgrind oclgrind); then
    row skipped "install" "$text"
    return
  fi
  subject="Oclgrind $(unpacked oclgrind oclgrind)"
  mkdir -p "$folder/vendors"
  echo "$target/usr/lib/oclgrind/liboclgrind-rt-icd.so" >"$folder/vendors/oclgrind.icd"
  export OCL_ICD_VENDORS=$folder/vendors LD_LIBRARY_PATH=$target/usr/lib/x86_64-linux-gnu
  export OCLGRIND_DATA_RACES=1 OCLGRIND_CHECK_API=1 OCLGRIND_NUM_THREADS=1
  export OCLGRIND_LOG=$folder/findings
  # A barrier less must be found, else the silence below means nothing.
  cp -r "$root/Kernels" "$folder/kernels"
  sed -i '/#define GROUP_REDUCTION/,/return value/ { /^ *scratch\[LANE\] = value;/ { n; /barrier/d } }' \
    "$folder/kernels/Common/Launch.clh"
  BARON_KERNELS=$folder/kernels timeout --foreground $((120 * SLOW)) "${run_tests[@]}" '^TensorsTests\.SoftmaxTests' \
    >"$folder/control.log" 2>&1
  if grep -q 'data race' "$folder/findings" 2>/dev/null; then
    row passed "control: a barrier removed" "$(grep -c 'data race' "$folder/findings") races found"
  else
    row failed "control: a barrier removed" "no race found"
  fi
  rm -f "$folder/findings"
  local suite
  # The short ones first.
  for suite in Embedding Similarity BoxCoding Softmax Resize BoxLoss Pooling CrossEntropy LayerNorm \
    Indexing Reduction BoxMatching Optimizer BatchNorm NMS TopK ImageInput; do
    check "$suite" 600 oclgrind_figures "${run_tests[@]}" "^[A-Za-z]*Tests\\.${suite}Tests"
  done
}

oclgrind_figures() {
  local findings
  findings=$(grep -c . "$OCLGRIND_LOG" 2>/dev/null)
  if ((${findings:-0} > 0)); then
    grep -m1 . "$OCLGRIND_LOG"
    mv "$OCLGRIND_LOG" "$1.findings"
    return 1
  fi
  test_figures "$1"
}

# --- Compilers of GPUs: the tests of KernelTests that are skipped without one

# compile_for FILTER TOOLS: the tests, and what their report says of registers and spills. What these
# versions of the TOOLS, which unpack or wheel brought, said of the same program before is not asked
# again; what was not wanted for a month goes.
compile_for() {
  local tool
  export BARON_COMPILED=$folder/compiled BARON_COMPILED_BEFORE
  BARON_COMPILED_BEFORE=$folder/cache/compiled-$(for tool in $2; do versions "$tool"; done | cksum | tr ' ' '-')
  mkdir -p "$BARON_COMPILED_BEFORE"
  find "$folder/cache" -type f -path '*/compiled-*' -mtime +30 -delete
  check "mistakes and spills are found" 60 test_figures "${run_tests[@]}" \
    '^KernelTests\.OfflineCompilerTests'
  check "every program" 840 compiled_figures "${run_tests[@]}" "$1"
}

# Programs, kernels, most registers, kernels that spill.
compiled_figures() {
  test_figures "$1" >/dev/null || { test_figures "$1"; return 1; }
  awk -F'\t' '
    { kernels++; programs[$1, $2, $3] = $7; gpus[$1] = 1
      if ($5 != "-" && $5 + 0 > most) { most = $5 + 0; name = $4 }
      if ($6 > 0) spilling[$4] = 1 }
    END { for (p in programs) { n++; if (programs[p] == "before") old++ }
      for (g in gpus) list = list " " g; for (s in spilling) names = names " " s
      printf "%d programs (%d of them as before), %d kernels for%s", n, old, kernels, list
      if (most) printf "; at most %d registers (%s)", most, name
      printf "; spilling: %s", names == "" ? "none" : substr(names, 2) }' "$BARON_COMPILED"
}

part_ptxas() {
  local text target=$WORK/tools/nvidia
  subject="ptxas"
  if ! text=$(wheel nvidia nvidia-cuda-nvcc && nvptx_clang); then
    row skipped "install" "$text"
    return
  fi
  BARON_PTXAS=$(find "$target" -name ptxas -type f | head -n1)
  BARON_CLANG=$text
  export BARON_PTXAS BARON_CLANG
  subject="ptxas $("$BARON_PTXAS" --version | sed -n 's/.*release.*V//p') for NVIDIA"
  compile_for '^KernelTests\.(GPUAssemblyTests.nvidia|TensorCoreAssemblyTests.assembles)' "nvidia clang"
}

part_clang() {
  local text
  subject="clang"
  if ! text=$(nvptx_clang); then
    row skipped "install" "$text"
    return
  fi
  export BARON_CLANG=$text
  export BARON_ROCM_BITCODE=$WORK/tools/clang/usr/lib/x86_64-linux-gnu/amdgcn/bitcode
  subject="clang $("$BARON_CLANG" --version | sed -n '1s/.*version \([0-9.]*\).*/\1/p') for AMD"
  compile_for '^KernelTests\.GPUAssemblyTests.amd' clang
}

# Prints the path of a clang for GPUs of both vendors.
nvptx_clang() {
  local version
  version=$(apt-cache search --names-only '^clang-[0-9]+$' 2>/dev/null \
    | sed 's/^clang-\([0-9]*\) .*/\1/' | sort -n | tail -n1)
  mkdir -p "$WORK/tools"
  (
    flock 9
    unpack clang "clang-${version:-15}" "lld-${version:-15}" rocm-device-libs
  ) 9>"$WORK/tools/clang.lock" || return
  local base=$WORK/tools/clang/usr/lib
  wrapped clang "$base/x86_64-linux-gnu:$base/llvm-${version:-15}/lib" \
    "$base/llvm-${version:-15}/bin/clang"
}

part_ocloc() {
  local text target=$WORK/tools/ocloc
  subject="ocloc"
  if ! text=$(unpack ocloc intel-opencl-icd); then
    row skipped "install" "$text"
    return
  fi
  BARON_OCLOC=$(wrapped ocloc "$target/usr/lib/x86_64-linux-gnu" "$target/usr/bin/ocloc")
  export BARON_OCLOC
  subject="ocloc $(unpacked ocloc intel-opencl-icd), IGC $(unpacked ocloc libigc1) for Intel"
  compile_for '^KernelTests\.GPUAssemblyTests.intel' ocloc
}

# Whether the list of programs that ships for NVIDIA's GPUs is that of today's kernels and plans.
part_programs() {
  subject="PoCL as NVIDIA's GPU"
  check "programs of demo-bags" 300 list_figures "$here/program-lists.sh" "$baron" "$folder" demo-bags
}

list_figures() {
  local shipped=$root/Sources/Training/Programs/demo-bags.txt made=$folder/demo-bags.txt needed known
  needed=$(sort -u "$made" | wc -l)
  known=$(comm -12 <(sort -u "$made") <(sort -u "$shipped") | wc -l)
  echo "$known of $needed programs are in the list of $(wc -l <"$shipped")"
  # Sampling decides how many regions a product has, and so the tiles of a few.
  ((known * 20 >= needed * 19)) || { echo "; run make program-lists"; return 1; }
}
