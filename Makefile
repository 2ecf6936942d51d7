# What must happen before the program exists; everything else is a subcommand of `baron`.
packages := pkg-config ocl-icd-opencl-dev opencl-headers pocl-opencl-icd libturbojpeg0-dev \
  libpng-dev libwebp-dev libfreetype-dev zlib1g-dev
testable := -c release -Xswiftc -enable-testing
# Libraries that go into the distributed binary where the system has their archives.
archives := turbojpeg freetype brotlidec brotlicommon png png16 webp z
# Their pkg-config names, which would otherwise put the system's folder first on the linker's path.
linked := OpenCL:OpenCL libturbojpeg:turbojpeg freetype2:freetype,brotlidec,brotlicommon,png16,z \
  libpng:png16 libwebp:webp zlib:z

.PHONY: build setup setup-mpi test test-build test-drivers program-lists test-mpi test-web examples lint demo dist \
  container gpu-check manual install clean

build:
	swift build -c release --product baron

# Installs the system libraries that are missing; says nothing when there are none.
setup:
	@command -v swift >/dev/null || { echo "error: no swift on PATH; install Swift 6.2 or later" \
	  "from https://www.swift.org/install"; exit 1; }
	@missing=""; for package in $(packages); do \
	  dpkg-query -W -f '$${db:Status-Status}' $$package 2>/dev/null | grep -qx installed \
	    || missing="$$missing $$package"; done; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if ! command -v apt-get >/dev/null; then \
	  echo "error: this system has no apt-get; install the equivalents of:$$missing"; exit 1; fi; \
	if [ "$$(id -u)" = 0 ]; then as_root=""; elif command -v sudo >/dev/null; then as_root=sudo; else \
	  echo "error: neither root nor sudo; let an administrator run: apt-get install$$missing"; \
	  exit 1; fi; \
	echo "installing$$missing"; \
	$$as_root apt-get -qq update && \
	$$as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y $$missing >/dev/null

# Open MPI for the tests of several processes; without it they are skipped, which this line says.
setup-mpi:
	@if command -v mpirun >/dev/null; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ]; then as_root=""; else as_root="sudo -n"; fi; \
	if command -v apt-get >/dev/null \
	  && $$as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y openmpi-bin libopenmpi3 \
	  >/dev/null 2>&1; then echo "installed openmpi-bin libopenmpi3"; \
	else echo "note: tests of several processes are skipped: no mpirun, and openmpi-bin cannot be installed"; fi

test: test-build setup-mpi
	BARON_DEVICE=cpu swift test $(testable) --skip-build --disable-xctest

test-build: setup
	swift build $(testable) --build-tests --explicit-target-dependency-import-check error

# Other OpenCL drivers and the compilers of GPU vendors, within 15 minutes on two cores (docs/drivers.md);
# PARTS="intel ptxas" runs some of the parts. What cannot be had is skipped, which the table shows.
test-drivers: test-build
	Tests/Drivers/run.sh $(PARTS)

# The programs that a first start on an NVIDIA GPU compiles at once on all cores; run it after a change of
# kernels' parameters or of plans. Needs no GPU; a quarter of an hour.
program-lists: build
	Tests/Drivers/program-lists.sh .build/release/baron Sources/Training/Programs

# Training on several processes, by Open MPI and MPICH and on two "hosts" (docs/distributed.md); a line
# a part, of which PARTS="equal-results two-hosts" runs some. BUILT=1 takes the program that is there.
test-mpi: setup-mpi $(if $(BUILT),,build)
	Tests/Distributed/run.py .build/release/baron .build/distributed $(PARTS)

# The library as another package sees it, and its documentation; with the small data sets an example
# trains for a moment.
symbols := $(CURDIR)/.build/symbols
examples: setup
	@mkdir -p $(symbols) .build/docc
	swift build --package-path Examples --scratch-path .build/examples -Xswiftc -gnone \
	  -Xswiftc -emit-symbol-graph -Xswiftc -emit-symbol-graph-dir -Xswiftc $(symbols)
	@if command -v docc >/dev/null; then cp $(symbols)/BaronKit.symbols.json .build/docc/ \
	  && docc convert Sources/BaronKit/BaronKit.docc --additional-symbol-graph-dir .build/docc \
	  --fallback-display-name BaronKit --fallback-bundle-identifier BaronKit --warnings-as-errors \
	  --output-dir .build/BaronKit.doccarchive \
	  && echo "the library's documentation: .build/BaronKit.doccarchive"; \
	  else echo "SKIPPED: the library's documentation is not made, as there is no docc"; fi
	.build/examples/debug/Find
	@if [ -n "$$BARON_SHARED" ]; then rm -rf .build/examples/run; \
	  .build/examples/debug/TrainAndFind coco-mini .build/examples/run 1 person \
	    $$(ls "$$BARON_SHARED"/data/coco-mini/images/val2017/*.jpg | head -1); fi

lint:
	swift format lint --strict --recursive Sources Tests Plugins Examples Package.swift
	swift package check-imports

demo: setup build
	.build/release/baron demo runs/demo

# A binary for machines without Swift, and the list of what they still need.
dist: setup
	@rm -rf dist && mkdir -p dist/link
	@for name in $(archives); do archive=$$(clang -print-file-name=lib$$name.a); \
	  case $$archive in /*) ln -s $$archive dist/link/;; esac; done
	@for pair in $(linked); do \
	  printf 'Name: %s\nDescription: %s\nVersion: 0\nCflags: %s\nLibs: -L%s -l%s\n' \
	  $${pair%:*} $${pair%:*} "$$(pkg-config --cflags-only-I $${pair%:*})" $(CURDIR)/dist/link \
	  "$$(echo $${pair#*:} | sed 's/,/ -l/g')" > dist/link/$${pair%:*}.pc; done
	swift build -c release --product baron --static-swift-stdlib --pkg-config-path dist/link \
	  -Xlinker -s
	@cp .build/release/baron dist/baron && rm -r dist/link
	@ldd dist/baron | awk '!/linux-vdso/ { print $$1 }' | sort > dist/LIBRARIES.txt
	@echo "shared libraries that a machine needs (dist/LIBRARIES.txt):" && cat dist/LIBRARIES.txt
	dist/baron devices
	@$(MAKE) manual PROGRAM=dist/baron \
	  || echo "note: the packages get no man page, as its generator failed"
	MANUAL=$(manual) ARCHIVES="$(archives)" Packaging/packages.sh

# The image of the Containerfile, where something can build it.
container:
	@for tool in podman docker; do if $$tool info >/dev/null 2>&1; then \
	  exec $$tool build -t baron -f Containerfile .; fi; done; \
	echo "SKIPPED: no image is built, as neither podman nor docker runs here"

# The man page, by the argument parser's own generator. Its plugin would build the program again, with
# other settings than those of `make dist`.
manual := .build/manual/baron.1
PROGRAM ?= .build/release/baron
manual:
	swift build -c release --package-path .build/checkouts/swift-argument-parser \
	  --scratch-path .build/generator --product generate-manual
	@mkdir -p $(dir $(manual)) && rm -f $(manual)
	.build/generator/release/generate-manual $(PROGRAM) --output-directory $(dir $(manual))
	@test -s $(manual)

# The program for this machine; below another folder with PREFIX=, for packagers with DESTDIR=.
PREFIX ?= /usr/local
install: build
	@$(MAKE) manual || echo "note: there is no man page, as its generator failed"
	MANUAL=$(manual) Packaging/files.sh .build/release/baron "$(DESTDIR)" "$(PREFIX)"

# The page of 'baron serve' in a headless Chromium, and what bad clients do to the server.
# BUILT=1 takes the program that is there, as after 'make test'.
test-web: $(if $(BUILT),,build)
	Tests/Web/run.sh .build/release/baron

# The distributed binary on this machine's device: one file with all results. On another machine
# 'baron gpu-check' does the same; CHECK='--quick' keeps to small cases.
gpu-check: dist
	dist/baron gpu-check --json dist/gpu-check.json $(CHECK)

clean:
	rm -rf .build dist
