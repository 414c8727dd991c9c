#!/bin/sh
# Start the S3 server: S3 on port 9000, metrics on 9327, the administration page on 9001. Master,
# volume server and filer listen only on loopback, because they require no credentials. The root
# identity has all permissions; the identity of a service can use only its own buckets.
set -eu
umask 077
identity() {  # name, key, secret, actions
  credentials="$(printf '{"accessKey": "%s", "secretKey": "%s"}' "$2" "$3")"
  printf '{"name": "%s", "credentials": [%s], "actions": [%s]}' "$1" "$credentials" "$4"
}
buckets() {  # print the actions that allow the use of these buckets
  actions=""
  for bucket in "$@"; do
    for action in Read Write List Tagging; do
      actions="$actions${actions:+, }\"$action:$bucket\""
    done
  done
  echo "$actions"
}
{
  echo '{"identities": ['
  identity root "${MINIO_ROOT_USER:?}" "${MINIO_ROOT_PASSWORD:?}" \
    '"Admin", "Read", "Write", "List", "Tagging"'
  echo ,
  identity pipeline pipeline "${PIPELINE_S3_SECRET_KEY:?}" "$(buckets raw curated features models)"
  echo ,
  identity mlflow mlflow "${MLFLOW_S3_SECRET_KEY:?}" "$(buckets mlflow-artifacts)"
  echo ']}'
} > /tmp/identities.json
printf 'adminUser=%s\nadminPassword=%s\n' "$MINIO_ROOT_USER" "$MINIO_ROOT_PASSWORD" \
  > /tmp/admin.options
weed admin -options=/tmp/admin.options -ip=0.0.0.0 -port=9001 -master=127.0.0.1:9333 \
  -dataDir=/data/admin &
# SeaweedFS' default (-volume.max=0) limits the number of volumes by the free disk space. Each
# bucket starts with seven volumes of 1 GB, so five buckets would require 35 GB. Volumes use only
# the space of their data, so a higher limit is safe. SeaweedFS still stops writing when the disk is
# nearly full.
exec weed server -dir=/data -ip=127.0.0.1 -ip.bind=127.0.0.1 -filer \
  -s3 -s3.ip.bind=0.0.0.0 -s3.port=9000 -s3.port.iceberg=0 -s3.port.lance=0 \
  -s3.config=/tmp/identities.json -master.volumeSizeLimitMB=1024 -volume.max=2000 \
  -master.telemetry=false -metricsIp=0.0.0.0 -metricsPort=9327
