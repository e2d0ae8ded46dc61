"""`make model NAME=...`: fetch a model into the models directory; without a name, list what there is.

Reads `.env` as `make run` does, so that LOCAL_MODELS and HF_ENDPOINT may be set there.
"""

import os
import sys

from run import read_environment

if __name__ == "__main__":
    os.execve(sys.executable, [sys.executable, "-m", "local_llm.models.fetch", *sys.argv[1:]], read_environment())  # noqa: S606  # our own program
