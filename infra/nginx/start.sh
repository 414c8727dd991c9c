#!/bin/sh
# Start nginx with the name server of its network (the first that /etc/resolv.conf names), which Docker and Podman choose
# each in its own way. Example: start.sh page.conf
set -eu
server="$(sed -n 's/^nameserver[[:space:]]*//p' /etc/resolv.conf | head -n 1)"
case "$server" in *:*) server="[$server]" ;; esac
echo "resolver ${server:-127.0.0.11} valid=2s ipv6=off;" > /tmp/resolver.conf
exec nginx -c "/etc/alarmstack/$1"
