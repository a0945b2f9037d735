# Trains on a CPU, and on NVIDIA GPUs with `docker run --gpus all`: the torch wheel brings its own CUDA libraries.
#   docker build -t variformer .
#   docker run --rm -v "$PWD/runs:/app/runs" variformer experiment=bert
FROM python:3.12-slim

# g++ lets torch.compile work on a CPU; git lets a run note its commit.
RUN apt-get update && apt-get install --yes --no-install-recommends g++ git && rm -rf /var/lib/apt/lists/*
RUN pip install --no-cache-dir "uv>=0.9" && useradd --create-home researcher
WORKDIR /app
RUN chown researcher /app
USER researcher

COPY --chown=researcher pyproject.toml README.md LICENSE ./
RUN uv sync --no-dev --no-install-project --no-cache
COPY --chown=researcher . .
RUN uv sync --no-dev --no-cache && mkdir -p runs

ENTRYPOINT ["/app/.venv/bin/python", "train.py"]
