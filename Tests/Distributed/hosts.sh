#!/usr/bin/env bash
# Two "hosts" on one machine: network namespaces that a bridge joins, without a daemon in them.
#
#   hosts.sh up | down | cut HOST | join HOST | rate HOST KBIT
#
# mpirun reaches them by --host baron-a:1,baron-b:1 and the options that 'hosts.sh options' prints.
# A file BARON_HOSTS/baron-b/NAME stands on host baron-b in place of the file that the link
# BARON_HOSTS/NAME leads to. Needs root and iproute2.
set -euo pipefail
net=10.77.31
hosts=(baron-a baron-b)

up() {
  ip link add baron-br type bridge
  ip addr add $net.254/24 dev baron-br
  ip link set baron-br up
  local number=1
  for host in "${hosts[@]}"; do
    ip netns add "$host"
    ip link add "$host-v" type veth peer name eth0 netns "$host"
    ip link set "$host-v" master baron-br up
    ip netns exec "$host" ip addr add $net.$number/24 dev eth0
    ip netns exec "$host" ip link set eth0 up
    ip netns exec "$host" ip link set lo up
    number=$((number + 1))
  done
}

down() {
  for host in "${hosts[@]}"; do ip netns del "$host" 2>/dev/null || true; done
  ip link del baron-br 2>/dev/null || true
}

case "${1:-}" in
  up) down && up ;;
  down) down ;;
  cut) ip link set "$2-v" down ;;
  join) ip link set "$2-v" up ;;
  rate) tc qdisc replace dev "$2-v" root tbf rate "$3kbit" burst 64kb latency 400ms ;;
  options)
    echo "--host baron-a:1,baron-b:1 --mca plm_rsh_agent $(cd "$(dirname "$0")" && pwd)/host-agent.sh" \
      "--mca oob_tcp_if_include $net.0/24 --mca btl_tcp_if_include $net.0/24 --mca btl self,tcp" ;;
  *) sed -n 2,8p "$0"; exit 64 ;;
esac
