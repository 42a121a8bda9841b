# The image holds the locked runtime packages, the package and its rules; no build tools, no root.
FROM python:3.12-slim-bookworm AS build
COPY requirements.lock /src/
RUN python -m venv /opt/cds \
 && /opt/cds/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes --only-binary :all: -r /src/requirements.lock
COPY cds_service /opt/cds/service/cds_service
COPY rules /opt/cds/service/cds_service/_pack/rules
COPY cards /opt/cds/service/cds_service/_pack/cards
COPY fixtures/calls /opt/cds/service/cds_service/_pack/calls
COPY fixtures/samples.yaml /opt/cds/service/cds_service/_pack/samples.yaml
RUN /opt/cds/bin/python -m compileall -q /opt/cds/service

FROM python:3.12-slim-bookworm
RUN useradd --system --uid 10001 --home-dir /nonexistent --shell /usr/sbin/nologin cds \
 && install -d -o cds /var/lib/cds
COPY --from=build /opt/cds /opt/cds
COPY LICENSE /opt/cds/LICENSE
ENV PYTHONPATH=/opt/cds/service PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    CDS_HOST=0.0.0.0 CDS_PORT=8000 CDS_DATA_DIR=/var/lib/cds
USER 10001
WORKDIR /opt/cds/service
EXPOSE 8000
# Decisions and feedback, where no CDS_DATABASE_URL names a server.
VOLUME /var/lib/cds
# The certificate is the service's own, whatever name it bears.
HEALTHCHECK --interval=30s --timeout=3s --start-period=20s CMD ["/opt/cds/bin/python", "-c", \
  "import os, ssl, urllib.request as web; tls = ssl._create_unverified_context() if os.environ.get('CDS_TLS_CERTIFICATE_FILE') else None; \
  web.urlopen(f\"http{'s' if tls else ''}://127.0.0.1:{os.environ['CDS_PORT']}/health\", timeout=2, context=tls)"]
# Inside a container the service must listen beyond loopback, and nothing checks who calls: it starts only when the operator says
# so. Keep the published port to this machine or to the proxy that guards it:
#   docker run -e CDS_SERVE_WITHOUT_AUTHENTICATION=true -p 127.0.0.1:8000:8000 IMAGE
ENTRYPOINT ["/opt/cds/bin/python", "-m", "cds_service"]
CMD ["serve"]
