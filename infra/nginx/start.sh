#!/bin/sh
# Start nginx. It uses the first name server in /etc/resolv.conf, which differs between Docker and
# Podman, and TLS if a certificate and its key are mounted. Example: start.sh page.conf
set -eu
server="$(sed -n 's/^nameserver[[:space:]]*//p' /etc/resolv.conf | head -n 1)"
case "$server" in *:*) server="[$server]" ;; esac
echo "resolver ${server:-127.0.0.11} valid=2s ipv6=off;" > /tmp/resolver.conf
certificate=/run/tls/certificate.pem key=/run/tls/key.pem
# If the setting is empty, /dev/null is mounted, which is not a regular file.
if [ -f "$certificate" ] && [ -f "$key" ]; then
  cp /etc/alarmstack/tls.conf /tmp/listen.conf
elif [ -f "$certificate" ] || [ -f "$key" ]; then
  echo "UI_TLS_CERTIFICATE_FILE and UI_TLS_KEY_FILE belong together: only one of them is a file" >&2
  exit 1
else
  echo "listen 8088;" > /tmp/listen.conf
fi
exec nginx -c "/etc/alarmstack/$1"
