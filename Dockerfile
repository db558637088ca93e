# One image for every component of the stack; which one a container runs is its command.
FROM python:3.11-slim-bookworm AS environment
WORKDIR /opt/headwater
COPY requirements.lock ./
# torch goes first and alone: it brings its own dependencies where the wheel has some.
RUN python -m venv .venv \
 && grep '^torch==' requirements.lock | .venv/bin/pip install --no-cache-dir --requirement /dev/stdin \
 && grep -v '^torch==' requirements.lock | .venv/bin/pip install --no-cache-dir --no-deps --requirement /dev/stdin

FROM python:3.11-slim-bookworm
RUN groupadd --gid 10001 headwater \
 && useradd --uid 10001 --gid headwater --create-home headwater \
 && install --directory --owner headwater --group headwater /var/lib/headwater
WORKDIR /opt/headwater
COPY --from=environment /opt/headwater/.venv .venv
COPY pyproject.toml README.md requirements.lock ./
COPY src src
RUN .venv/bin/pip install --no-cache-dir --no-deps --no-build-isolation --editable .
COPY dags dags
COPY dbt_project dbt_project
COPY expectations expectations
COPY models models
COPY plugins plugins
ENV PATH=/opt/headwater/.venv/bin:$PATH \
    HEADWATER_PROJECT=/opt/headwater \
    HEADWATER_HOME=/var/lib/headwater \
    HEADWATER_HOST=0.0.0.0
USER headwater
VOLUME /var/lib/headwater
ENTRYPOINT ["headwater", "component"]
