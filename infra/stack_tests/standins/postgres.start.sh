#!/bin/sh
# In an empty data folder, create a cluster with the owner POSTGRES_USER and run the scripts of
# docker-entrypoint-initdb.d once. Then start the server.
set -eu
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  secret="$(mktemp)"
  printf '%s\n' "${POSTGRES_PASSWORD:?}" > "$secret"
  initdb --username="${POSTGRES_USER:-postgres}" --pwfile="$secret" --auth-local=trust \
    --auth-host=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8 > /dev/null
  rm "$secret"
  echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
  pg_ctl --wait --silent --options="-c listen_addresses=''" start
  for script in /docker-entrypoint-initdb.d/*.sh; do
    [ ! -e "$script" ] || sh "$script"
  done
  pg_ctl --wait --silent --mode=fast stop
fi
exec "$@" -c "listen_addresses=*"
