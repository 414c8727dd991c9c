# Replaces docker.io/prom/prometheus: Debian's Prometheus 2.42, with path and user as in
# the official image.
FROM localhost/alarmstack/standin:bookworm
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends prometheus wget \
 && rm -rf /var/lib/apt/lists/* /etc/prometheus/* \
 && install --directory --owner=65534 --group=65534 /prometheus
USER 65534:65534
EXPOSE 9090
WORKDIR /prometheus
ENTRYPOINT ["/bin/prometheus"]
CMD ["--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/prometheus"]
