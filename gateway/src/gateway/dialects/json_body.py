"""How deeply a body may be nested: far more is read than can be written again, here and in the rooms behind."""

import orjson

DEEPEST = 200
_WRITABLE = 254  # orjson's limit


def is_too_deep(raw: bytes, body: object) -> bool:
    """Whether `body`, read from `raw`, has more than `DEEPEST` levels. What has few brackets is not looked at again."""
    if raw.count(b"{") + raw.count(b"[") <= DEEPEST:
        return False
    for _ in range(_WRITABLE - DEEPEST):
        body = [body]
    try:
        orjson.dumps(body)
    except orjson.JSONEncodeError:
        return True
    return False
