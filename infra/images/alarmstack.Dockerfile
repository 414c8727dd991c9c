# What runs alarmstack itself, from one locked environment:
#   services  sensor API, inference API, gateway, watcher, bucket maker (the command says which)
#   demo      the same with trained models inside, which serve without a registry
#   spark     master, worker and the jobs' driver
#   airflow   Airflow's own environment, and alarmstack's beside it, which its tasks call
# The label names the sources that an image was built from, last of all, so that it costs no layer that takes time; the RUN before it
# is for Buildah, whose cache knows the values of arguments only where something is run.
ARG PYTHON=docker.io/library/python:3.11-slim-bookworm

FROM ${PYTHON} AS uv
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_NO_CACHE=1 UV_PYTHON_DOWNLOADS=never
RUN pip install --no-cache-dir uv==0.13.9
WORKDIR /build

# Dependencies first: a change of the source leaves this layer alone.
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

# Nobody in particular, with a place for data (and one for the figures' token), and nothing else to write to.
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
# Each service of the compose files asks its own port; on its own the image says whether the program starts at all.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=6 CMD ["alarmstack", "version"]

FROM program AS services
ARG SOURCES=unknown
RUN : built from "${SOURCES}"
LABEL org.alarmstack.sources=${SOURCES}

# The models of `make run`, made here from the simulated year: no binary is kept in the repository.
FROM program AS models
# As in the demonstration, models that lose to their baseline may be looked at, and say so.
ENV MODEL_PROMOTION_MODE=auto ALARMSTACK_SERVE_UNPROMOTED=true
# The command writes for its user alone; the service that reads the models is another one.
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
