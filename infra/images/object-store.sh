#!/bin/sh
# The S3 server: S3 on 9000, figures on 9327, the administrator's page on 9001. Master, volume server and filer, which ask nobody for
# credentials, stay on loopback. One identity may do all; each service's may use its own buckets.
set -eu
umask 077
identity() {  # name, key, secret, actions
  printf '{"name": "%s", "credentials": [{"accessKey": "%s", "secretKey": "%s"}], "actions": [%s]}' "$1" "$2" "$3" "$4"
}
buckets() {  # the right to use each of these buckets
  actions=""
  for bucket in "$@"; do
    for action in Read Write List Tagging; do actions="$actions${actions:+, }\"$action:$bucket\""; done
  done
  echo "$actions"
}
{
  echo '{"identities": ['
  identity root "${MINIO_ROOT_USER:?}" "${MINIO_ROOT_PASSWORD:?}" '"Admin", "Read", "Write", "List", "Tagging"'
  echo ,
  identity pipeline pipeline "${PIPELINE_S3_SECRET_KEY:?}" "$(buckets raw curated features models)"
  echo ,
  identity mlflow mlflow "${MLFLOW_S3_SECRET_KEY:?}" "$(buckets mlflow-artifacts)"
  echo ']}'
} > /tmp/identities.json
printf 'adminUser=%s\nadminPassword=%s\n' "$MINIO_ROOT_USER" "$MINIO_ROOT_PASSWORD" > /tmp/admin.options
weed admin -options=/tmp/admin.options -ip=0.0.0.0 -port=9001 -master=127.0.0.1:9333 -dataDir=/data/admin &
# Volumes take the room that is written to them. Their number is not the disk's gigabytes, as SeaweedFS would have it (0): each bucket
# begins with seven, and five buckets would want 35 GB free. A disk that is almost full still closes to writing.
exec weed server -dir=/data -ip=127.0.0.1 -ip.bind=127.0.0.1 -filer -s3 -s3.ip.bind=0.0.0.0 -s3.port=9000 \
  -s3.port.iceberg=0 -s3.port.lance=0 -s3.config=/tmp/identities.json -master.volumeSizeLimitMB=1024 -volume.max=2000 \
  -master.telemetry=false -metricsIp=0.0.0.0 -metricsPort=9327
