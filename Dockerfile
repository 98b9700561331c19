# The embedded server; docs/serving.md says how to run it.
FROM python:3.13-slim AS build
WORKDIR /source
RUN python -m venv /opt/runql
COPY .ci/requirements/server.txt ./
RUN /opt/runql/bin/python -m pip install --no-cache-dir --require-hashes --requirement server.txt
COPY pyproject.toml README.md LICENSE ./
COPY src src
COPY generated generated
RUN /opt/runql/bin/python -m pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.13-slim
RUN useradd --system --user-group --uid 10001 --home-dir /data --no-create-home runql
RUN install --directory --owner runql --group runql --mode 0700 /data
COPY --from=build /opt/runql /opt/runql
ENV PATH=/opt/runql/bin:$PATH PYTHONUNBUFFERED=1
USER 10001
WORKDIR /data
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8080/healthz', timeout=5)"]
# Other machines reach a container's address, so that it takes one more option to start: TLS, or --insecure-listen.
ENTRYPOINT ["runql", "serve", "--host", "0.0.0.0", "--port", "8080", "--data-dir", "/data"]
