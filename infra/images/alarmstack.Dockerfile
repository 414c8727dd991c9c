# The images that run alarmstack. All of them use one locked environment. Targets:
#   services  sensor API, inference API, gateway, watcher, creation of buckets (set by the command)
#   demo      the same with trained models, which are served without a registry
#   spark     master, worker and the driver of jobs
#   airflow   Airflow in its own environment, and alarmstack's environment for its tasks
# The last step sets the label with the digest of the sources, so that a change does not rebuild
# other layers. Buildah's cache includes the value of an argument only for RUN, hence the empty RUN.
ARG PYTHON=docker.io/library/python:3.11-slim-bookworm

FROM ${PYTHON} AS uv
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_NO_CACHE=1 UV_PYTHON_DOWNLOADS=never
RUN pip install --no-cache-dir uv==0.13.9
WORKDIR /build

# Dependencies are a layer of their own, which a change of the source does not rebuild.
FROM uv AS environment
ENV UV_PROJECT_ENVIRONMENT=/opt/alarmstack/venv
COPY pyproject.toml uv.lock README.md LICENSE ./
RUN uv sync --frozen --no-dev --no-install-project --extra s3
COPY src src
RUN uv sync --frozen --no-dev --no-editable --extra s3

FROM environment AS spark-environment
RUN uv sync --frozen --no-dev --no-editable --extra s3 --extra spark

FROM uv AS airflow-environment
ENV UV_PROJECT_ENVIRONMENT=/opt/airflow/venv
COPY infra/airflow/pyproject.toml infra/airflow/uv.lock ./
RUN uv sync --frozen --no-dev

# An unprivileged user that can write only to /data, and to /figures for the token of the metrics.
FROM ${PYTHON} AS runtime
RUN apt-get update && apt-get install --yes --no-install-recommends libgomp1 && rm -rf /var/lib/apt/lists/* \
 && groupadd --gid 10001 alarmstack && useradd --uid 10001 --gid 10001 --home-dir /data --no-create-home alarmstack \
 && install --directory --owner=10001 --group=10001 /data /figures
COPY infra/images/answers.py /usr/local/bin/answers
COPY plants /opt/alarmstack/plants
ENV PATH=/opt/alarmstack/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 HOME=/tmp MPLCONFIGDIR=/tmp \
    ALARMSTACK_PLANT=/opt/alarmstack/plants/gas_treatment/plant.toml ALARMSTACK_DATA_DIR=/data ALARMSTACK_HOST=0.0.0.0
WORKDIR /data

FROM runtime AS program
COPY --from=environment /opt/alarmstack/venv /opt/alarmstack/venv
USER 10001:10001
ENTRYPOINT ["alarmstack"]
CMD ["--help"]
# The compose files check the port of each service. This check only tests that the program starts.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=6 CMD ["alarmstack", "version"]

FROM program AS services
ARG SOURCES=unknown
RUN : built from "${SOURCES}"
LABEL org.alarmstack.sources=${SOURCES}

# The models of `make run`, trained during the build: the repository contains no binary files.
FROM program AS models
# As in the demo, models that are worse than their baseline are served, and marked as such.
ENV MODEL_PROMOTION_MODE=auto ALARMSTACK_SERVE_UNPROMOTED=true
# The service that reads the models runs as another user.
RUN alarmstack simulate --days 365 --seed 1 --format parquet --out /data/training \
 && alarmstack etl /data/training && alarmstack train && alarmstack export --out /data/models \
 && chmod -R a+rX /data/models

FROM program AS demo
COPY --from=models --chown=0:0 /data/models /opt/alarmstack/models
ENV ALARMSTACK_MODELS_URL=file:///opt/alarmstack/models
CMD ["serve", "inference"]
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=6 CMD ["answers", "http://127.0.0.1:7502/health"]
ARG SOURCES=unknown
RUN : built from "${SOURCES}"
LABEL org.alarmstack.sources=${SOURCES}

FROM runtime AS java
RUN apt-get update && apt-get install --yes --no-install-recommends openjdk-17-jre-headless procps \
 && rm -rf /var/lib/apt/lists/*
ENV JAVA_HOME=/usr/lib/jvm/java-17-openjdk-amd64 SPARK_CONF_DIR=/opt/alarmstack/spark
COPY infra/spark/conf /opt/alarmstack/spark
COPY --from=spark-environment /opt/alarmstack/venv /opt/alarmstack/venv

FROM java AS spark
COPY infra/spark/jobs /opt/alarmstack/jobs
ENV SPARK_HOME=/opt/alarmstack/venv/lib/python3.11/site-packages/pyspark SPARK_WORKER_DIR=/data/work \
    PYSPARK_PYTHON=/opt/alarmstack/venv/bin/python
USER 10001:10001
ENTRYPOINT ["/opt/alarmstack/venv/lib/python3.11/site-packages/pyspark/bin/spark-class"]
CMD ["org.apache.spark.deploy.master.Master", "--port", "7077", "--webui-port", "8081"]
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=6 CMD ["answers", "http://127.0.0.1:8081/json/"]
ARG SOURCES=unknown
RUN : built from "${SOURCES}"
LABEL org.alarmstack.sources=${SOURCES}

FROM java AS airflow
COPY --from=airflow-environment /opt/airflow/venv /opt/airflow/venv
COPY infra/airflow/dags /opt/airflow/dags
COPY infra/airflow/start /opt/airflow/start
ENV PATH=/opt/airflow/venv/bin:$PATH \
    AIRFLOW_HOME=/data/airflow AIRFLOW__CORE__DAGS_FOLDER=/opt/airflow/dags AIRFLOW__CORE__LOAD_EXAMPLES=false \
    ALARMSTACK_CLI=/opt/alarmstack/venv/bin/alarmstack PYSPARK_PYTHON=/opt/alarmstack/venv/bin/python
USER 10001:10001
ENTRYPOINT ["/opt/airflow/start"]
CMD ["api-server"]
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s --retries=6 \
  CMD ["answers", "http://127.0.0.1:8080/api/v2/monitor/health"]
ARG SOURCES=unknown
RUN : built from "${SOURCES}"
LABEL org.alarmstack.sources=${SOURCES}
