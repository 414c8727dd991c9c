# Replaces docker.io/library/postgres: Debian's PostgreSQL 15 as user 999, with the features of the
# official start script that we use.
FROM localhost/alarmstack/standin:bookworm
RUN groupadd --gid 999 postgres && useradd --uid 999 --gid 999 --home-dir /var/lib/postgresql postgres \
 && apt-get update -qq && apt-get install -y -qq --no-install-recommends postgresql-15 && rm -rf /var/lib/apt/lists/* \
 && install --directory --owner=999 --group=999 /var/lib/postgresql/data /var/run/postgresql /docker-entrypoint-initdb.d
COPY postgres.start.sh /usr/local/bin/docker-entrypoint.sh
ENV PATH=/usr/lib/postgresql/15/bin:$PATH PGDATA=/var/lib/postgresql/data
USER 999:999
EXPOSE 5432
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["postgres"]
