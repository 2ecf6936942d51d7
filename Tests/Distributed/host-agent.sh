#!/usr/bin/env bash
# What mpirun calls in place of ssh: runs a command on one of the hosts of hosts.sh.
host=$1
shift
# Each host has a name and, where a test gives it some, files of its own.
exec ip netns exec "$host" unshare -u -m bash -c '
  hostname "$1"
  for file in "${BARON_HOSTS:-/nowhere}/$1"/*; do
    [ -e "$file" ] && mount --bind "$file" "$(readlink -f "$BARON_HOSTS/$(basename "$file")")"
  done
  eval "$2"' agent "$host" "$*"
