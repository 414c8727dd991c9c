# The MLflow server in its own locked environment. alarmstack uses it over HTTP.
ARG PYTHON=docker.io/library/python:3.11-slim-bookworm

FROM ${PYTHON} AS environment
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_NO_CACHE=1 UV_PYTHON_DOWNLOADS=never UV_PROJECT_ENVIRONMENT=/opt/mlflow
RUN pip install --no-cache-dir uv==0.13.9
WORKDIR /build
COPY infra/mlflow/pyproject.toml infra/mlflow/uv.lock ./
RUN uv sync --frozen --no-dev

FROM ${PYTHON}
RUN groupadd --gid 10001 mlflow && useradd --uid 10001 --gid 10001 --home-dir /tmp --no-create-home mlflow
COPY --from=environment /opt/mlflow /opt/mlflow
COPY infra/images/answers.py /usr/local/bin/answers
ENV PATH=/opt/mlflow/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 HOME=/tmp \
    MLFLOW_DISABLE_TELEMETRY=true MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false
USER 10001:10001
WORKDIR /tmp
EXPOSE 5000
# Only these host names are allowed, as protection against DNS rebinding.
CMD ["mlflow", "server", "--host=0.0.0.0", "--port=5000", "--workers=1", "--serve-artifacts", \
     "--artifacts-destination=s3://mlflow-artifacts", "--expose-prometheus=/tmp/metrics", \
     "--allowed-hosts=mlflow,mlflow:5000,localhost:*,127.0.0.1:*,host.containers.internal:*,host.docker.internal:*"]
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=6 CMD ["answers", "http://127.0.0.1:5000/health"]
ARG SOURCES=unknown
RUN : built from "${SOURCES}"
LABEL org.alarmstack.sources=${SOURCES}
