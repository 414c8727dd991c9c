# Replaces docker.io/prometheuscommunity/postgres-exporter: Debian's 0.11, with path and user as in
# the official image.
FROM localhost/alarmstack/standin:bookworm
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends prometheus-postgres-exporter wget \
 && rm -rf /var/lib/apt/lists/* \
 && ln -s /usr/bin/prometheus-postgres-exporter /bin/postgres_exporter
USER 65534:65534
EXPOSE 9187
ENTRYPOINT ["/bin/postgres_exporter"]
