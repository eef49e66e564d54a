# The collector, the workers and the commands. Without the embedded broker and engine: Kafka and ClickHouse are elsewhere.

FROM python:3.13.16-slim-trixie AS build

# Only for processors without a wheel of every dependency, such as arm64.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends gcc libc6-dev \
 && rm -rf /var/lib/apt/lists/*

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_CONSTRAINT=/src/constraints.txt \
    PIP_BUILD_CONSTRAINT=/src/constraints.txt
WORKDIR /src
RUN python -m venv /opt/raceline

# The dependencies first: they change less often than the code.
COPY constraints.txt LICENSE README.md pyproject.toml ./
RUN python -c "import tomllib; project = tomllib.load(open('pyproject.toml', 'rb'))['project']; \
print(*project['dependencies'], sep='\n')" >dependencies.txt \
 && /opt/raceline/bin/pip install --requirement dependencies.txt

COPY schemas ./schemas
COPY producers ./producers
COPY stream_processors ./stream_processors
COPY raceline ./raceline
COPY sql ./sql
RUN pip wheel --no-deps --wheel-dir /dist . \
 && /opt/raceline/bin/pip install /dist/*.whl \
 && /opt/raceline/bin/pip check \
 && /opt/raceline/bin/pip uninstall --yes pip


FROM python:3.13.16-slim-trixie

RUN useradd --system --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin raceline \
 && install --directory --owner raceline --group raceline --mode 0700 /data

COPY --from=build /opt/raceline /opt/raceline

ENV PATH=/opt/raceline/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    RACELINE_DATA_DIR=/data
WORKDIR /data
USER raceline
EXPOSE 8080
# `docker run IMAGE kpis` is `raceline kpis`; other processes are started with `--entrypoint`.
ENTRYPOINT ["raceline"]
CMD ["--help"]
