#!/bin/sh
# Create a database and a role for each service. A role can connect only to its own database.
# docker-entrypoint-initdb.d runs this script once, for a new data folder. It needs POSTGRES_USER
# and a password for each role, such as MLFLOW_DB_PASSWORD.
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

# The Prometheus exporter can read the statistics of the server, but no data.
run -v password="${EXPORTER_DB_PASSWORD:?needs a password}" <<'SQL'
CREATE ROLE exporter LOGIN PASSWORD :'password' CONNECTION LIMIT 3 IN ROLE pg_monitor;
SQL
