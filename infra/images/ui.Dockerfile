# The screen: nginx serves the built files, and forwards /api to the gateway.
FROM docker.io/library/node:24-bookworm-slim AS build
WORKDIR /ui
ENV PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1
COPY ui/package.json ui/package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY ui ./
RUN npm run build

FROM docker.io/library/nginx:1.28-bookworm
COPY infra/nginx /etc/alarmstack
COPY --from=build /ui/dist /usr/share/alarmstack
USER 101:101
EXPOSE 5173
ENTRYPOINT ["/etc/alarmstack/start.sh"]
CMD ["page.conf"]
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=6 CMD ["curl", "-fsS", "-o", "/dev/null", "http://127.0.0.1:5173/"]
ARG SOURCES=unknown
RUN : built from "${SOURCES}"
LABEL org.alarmstack.sources=${SOURCES}
