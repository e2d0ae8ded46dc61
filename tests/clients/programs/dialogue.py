"""One conversation, led by whoever started this program: a JSON line in, a JSON line out.

In: `{"do": "ask" | "stream" | "tool" | "models" | "new" | "wrong", "text": "…"}`.
Out: `{"text": "…", "model": "…"}`, or `{"error": class, "status": number, "message": "…"}`.
"""

import json
import os
import sys

BASE_URL = os.environ["BASE_URL"]
MODEL = "claude-sonnet-5-5"


def lookup(city):
    """Look up the weather in a city."""
    return f"22 degrees in {city}"


def lead(conversation):
    """Answer each line by the conversation's method of that name, until the lines end."""
    for line in sys.stdin:
        asked = json.loads(line)
        method = getattr(conversation, asked["do"])
        try:
            answer = method(asked["text"]) if "text" in asked else method()
        except Exception as error:  # noqa: BLE001  # which one it is, is what the test wants to know
            answer = {
                "error": type(error).__name__,
                "status": getattr(error, "status_code", None),
                "message": str(error),
            }
        print(json.dumps(answer), flush=True)
