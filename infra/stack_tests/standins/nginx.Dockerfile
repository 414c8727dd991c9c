# Replaces docker.io/library/nginx: Debian's nginx 1.22, with user 101 and curl as in the official
# image.
FROM localhost/alarmstack/standin:bookworm
RUN groupadd --gid 101 nginx && useradd --uid 101 --gid 101 --no-create-home nginx \
 && apt-get update -qq && apt-get install -y -qq --no-install-recommends nginx-light curl && rm -rf /var/lib/apt/lists/*
CMD ["nginx", "-g", "daemon off;"]
