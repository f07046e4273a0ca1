# Images of Debian's own packages in place of published ones, for an engine that reaches no image registry.
ARG PYTHON_IMAGE

FROM ${PYTHON_IMAGE} AS haproxy
# hadolint ignore=DL3008
RUN apt-get -o Acquire::Check-Valid-Until=false update -qq && apt-get install -qq --yes --no-install-recommends haproxy wget && rm -rf /var/lib/apt/lists/*

FROM ${PYTHON_IMAGE} AS registry
# hadolint ignore=DL3008
RUN apt-get -o Acquire::Check-Valid-Until=false update -qq && apt-get install -qq --yes --no-install-recommends docker-registry && rm -rf /var/lib/apt/lists/*
RUN printf "version: 0.1\nstorage: {filesystem: {rootdirectory: /var/lib/docker-registry}}\nhttp: {addr: \":5000\"}\n" > /etc/docker/registry/config.yml
ENTRYPOINT ["docker-registry"]
CMD ["serve", "/etc/docker/registry/config.yml"]

FROM ${PYTHON_IMAGE} AS valkey
# hadolint ignore=DL3008
RUN apt-get -o Acquire::Check-Valid-Until=false update -qq && apt-get install -qq --yes --no-install-recommends valkey-server && rm -rf /var/lib/apt/lists/*
ENTRYPOINT ["valkey-server"]

# Takes no mail: it only lives and says that it is ready, as the catcher's health check asks.
FROM ${PYTHON_IMAGE} AS mail
RUN printf '#!/bin/sh\nexit 0\n' > /mailpit && chmod 0755 /mailpit
CMD ["sleep", "infinity"]
