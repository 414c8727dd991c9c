# Replaces docker.io/library/python: Debian's Python 3.11, at the path of the official image.
FROM localhost/alarmstack/standin:bookworm
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends python3.11 python3-pip python3-venv \
 && rm -rf /var/lib/apt/lists/* /usr/lib/python3.11/EXTERNALLY-MANAGED \
 && for name in python python3 python3.11; do ln -s /usr/bin/python3.11 /usr/local/bin/$name; done \
 && ln -s /usr/bin/pip3 /usr/local/bin/pip
CMD ["python3"]
