#!/bin/sh
# One Postgres, a database and a role for each service; nobody connects to another's. Run once, when the data folder is made
# (docker-entrypoint-initdb.d). Needs POSTGRES_USER and a password for each role: MLFLOW_DB_PASSWORD and so on.
set -eu

run() {
  psql -v ON_ERROR_STOP=1 -q --username "$POSTGRES_USER" --dbname postgres "$@"
}

for name in alarmstack mlflow airflow; do
  variable="$(echo "$name" | tr '[:lower:]' '[:upper:]')_DB_PASSWORD"
  eval "password=\${$variable:?needs a password}"
  run -v name="$name" -v password="$password" <<'SQL'
CREATE ROLE :"name" LOGIN PASSWORD :'password';
CREATE DATABASE :"name" OWNER :"name";
REVOKE ALL ON DATABASE :"name" FROM PUBLIC;
SQL
done

# Prometheus' exporter sees how the server is, and no database.
run -v password="${EXPORTER_DB_PASSWORD:?needs a password}" <<'SQL'
CREATE ROLE exporter LOGIN PASSWORD :'password' CONNECTION LIMIT 3 IN ROLE pg_monitor;
SQL
