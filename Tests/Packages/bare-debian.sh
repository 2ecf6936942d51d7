#!/usr/bin/env bash
# Tries the .deb of `make dist` in a bare Debian 12, without Swift or a compiler: bare-debian.sh [DEB]
# Needs root and debootstrap; the system goes again at the end. MIRROR names the archive, APT_OPTIONS goes
# to apt-get, ROOT keeps the folder.
set -euo pipefail
cd "$(dirname "$0")/../.."
deb=${1:-$(ls dist/baron_*.deb | tail -1)}
for tool in debootstrap chroot curl; do
  command -v "$tool" >/dev/null || { echo "SKIPPED: there is no $tool (apt-get install debootstrap curl)"; exit 0; }
done
[ "$(id -u)" = 0 ] || { echo "SKIPPED: only root can make a system of its own"; exit 0; }
mirror=${MIRROR:-http://deb.debian.org/debian}
root=${ROOT:-$(mktemp -d)}

clean() {
  [ -z "${server:-}" ] || kill "$server" 2>/dev/null || true
  for place in proc sys; do mountpoint -q "$root/$place" && umount "$root/$place"; done
  [ -n "${ROOT:-}" ] || rm -rf "$root"
}
trap clean EXIT

say() { printf '\n== %s\n' "$*"; }
# Where the trial's files lie in that system.
home=/srv/trial
inside() { chroot "$root" /usr/bin/env -i HOME="$home" PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"; }

if [ ! -e "$root/usr/bin/apt-get" ]; then
  say "a bare Debian 12 in $root"
  debootstrap --variant=minbase bookworm "$root" "$mirror" >"$root.log" 2>&1 \
    || { tail -20 "$root.log" >&2; exit 1; }
  rm -f "$root.log"
fi
# Where packages come from here, they come from there.
for file in /etc/apt/apt.conf.d/*proxy* /etc/resolv.conf; do
  [ ! -f "$file" ] || install -Dm644 "$file" "$root$file"
done
# The driver for CPUs asks both what the machine has.
for place in proc:proc sysfs:sys; do
  mountpoint -q "$root/${place#*:}" || mount -t "${place%:*}" -o ro "${place%:*}" "$root/${place#*:}" \
    || { echo "SKIPPED: ${place%:*} cannot be mounted in $root"; exit 0; }
done
for tool in swift gcc clang; do
  inside sh -c "command -v $tool" >/dev/null && { echo "error: $tool is there" >&2; exit 1; }
done

mkdir -p "$root$home"
say "install $deb"
cp "$deb" "$root/tmp/baron.deb"
read -ra options <<<"${APT_OPTIONS:-}"
inside apt-get -qq "${options[@]}" update
inside DEBIAN_FRONTEND=noninteractive apt-get -qq "${options[@]}" install -y --no-install-recommends \
  /tmp/baron.deb pocl-opencl-icd >/dev/null
inside baron --version
inside dpkg -L baron | grep -E 'man1|completion'

say "baron devices"
inside baron devices

say "baron demo --quick"
inside sh -c 'cd && baron demo --quick --set world.training_images=400 2>/dev/null' | tail -12

say "baron export"
inside sh -c 'cd && baron export runs/demo/students/bags -o model.baron && cd /tmp &&
  baron detect ~/runs/demo/world/test/images/000000.png --checkpoint ~/model.baron \
    --score-threshold 0.1'

say "baron serve --demo"
inside sh -c 'cd && exec baron serve --demo --port 8765' &
server=$!
for _ in $(seq 100); do curl -sf localhost:8765/healthz >/dev/null && break; sleep 0.2; done
curl -sf -F "picture=@$root$home/runs/demo/world/test/images/000000.png" -F words="heart, disk" \
  -F threshold=0.05 localhost:8765/detect | head -c 400
echo
curl -sf localhost:8765/ | grep -q '<title>Baron</title>'
pid=$(pgrep -P "$server" -x baron || echo "$server")
kill -TERM "$pid"
wait "$server" && status=0 || status=$?
server=
[ "$status" = 0 ] || { echo "error: the server ended with $status" >&2; exit 1; }
say "all of it works in a bare Debian 12"
