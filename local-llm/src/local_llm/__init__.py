"""The small model that always answers: llama.cpp behind Chat Completions, on a Unix socket, without any network."""

import os

# OpenMP's threads wait for each other by spinning, 300,000 rounds by default. With another process on one of two cores
# that slowed SmolLM2 from 66 to 2 tokens per second. It is read once, when llama.cpp's library is loaded.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")
