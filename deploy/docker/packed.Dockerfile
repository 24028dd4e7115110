# The images for the processor, around programs that are built already: for machines without a registry of images, and
# for tests. The context is what pack.sh lays out, the targets are those of Dockerfile.

ARG BASE=docker.io/library/debian:12.12-slim

FROM ${BASE} AS base
# Debian keeps one version of a package in a release, with its fixes: a pinned one is gone with the next fix.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/* /var/log/* \
    && useradd --uid 10001 --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin gifthorse
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="gifthorse" \
      org.opencontainers.image.description="Serves image classifiers, tells when a hidden trigger steers them, repairs them" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
USER 10001:10001
WORKDIR /

FROM base AS gateway
COPY gateway /
ENTRYPOINT ["/opt/gifthorse/bin/gifthorse-gateway"]

FROM base AS trainer
COPY trainer /
ENTRYPOINT ["/opt/gifthorse/bin/gifthorse-trainer"]

FROM base AS cli
COPY cli /
ENTRYPOINT ["/opt/gifthorse/bin/gifthorse"]

FROM base AS reader
USER 0
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libhdf5-103-1 \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/* /var/log/*
USER 10001:10001
ENV ORT_DYLIB_PATH=/opt/gifthorse/lib/libonnxruntime.so

FROM reader AS serving
COPY serving /
ENTRYPOINT ["/opt/gifthorse/bin/gifthorse-serving"]

FROM reader AS detector
COPY detector /
ENTRYPOINT ["/opt/gifthorse/bin/gifthorse-detector"]

FROM base AS worker
USER 0
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libstdc++6 \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/* /var/log/*
USER 10001:10001
COPY worker /
# The program looks for libtorch where it was built, too.
ENV ORT_DYLIB_PATH=/opt/gifthorse/lib/libonnxruntime.so \
    LD_LIBRARY_PATH=/opt/libtorch/lib
ENTRYPOINT ["/opt/gifthorse/bin/gifthorse-worker"]
