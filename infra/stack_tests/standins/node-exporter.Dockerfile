# Replaces docker.io/prom/node-exporter: Debian's 1.5, with path and user as in
# the official image.
FROM localhost/alarmstack/standin:bookworm
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends prometheus-node-exporter wget \
 && rm -rf /var/lib/apt/lists/* \
 && ln -s /usr/bin/prometheus-node-exporter /bin/node_exporter
USER 65534:65534
EXPOSE 9100
ENTRYPOINT ["/bin/node_exporter"]
