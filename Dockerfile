# Trains on a CPU, and on NVIDIA GPUs with `docker run --gpus all`: the torch wheel brings its own CUDA libraries.
#   docker build -t variformer .
#   docker build -t variformer:cpu --build-arg TORCH_BACKEND=cpu .    # for a CPU alone, without CUDA's libraries
FROM python:3.12-slim-bookworm
ARG TORCH_BACKEND=""

# g++ lets torch.compile work on a CPU; git lets a run note its commit, whoever owns the files.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends g++ git \
    && rm -rf /var/lib/apt/lists/* \
    && git config --system --add safe.directory /app
# hadolint ignore=DL3013
RUN pip install --no-cache-dir "uv>=0.9"
ENV VIRTUAL_ENV=/opt/variformer PATH=/opt/variformer/bin:$PATH

WORKDIR /app
COPY pyproject.toml ./
RUN uv venv "$VIRTUAL_ENV" \
    && uv pip install --no-cache ${TORCH_BACKEND:+--torch-backend="$TORCH_BACKEND"} --requirements pyproject.toml
COPY . .
RUN uv pip install --no-cache --no-deps --editable . && python -m compileall -q src

# Any user may run it: `docker run --user` gives numbers that have no name and no home here.
ENV HOME=/cache USER=researcher VARIFORMER_CACHE=/cache/variformer
RUN mkdir -p /cache runs && chmod 1777 /cache runs
VOLUME /cache
USER 1000:1000
ENTRYPOINT ["variformer"]
CMD ["--help"]
