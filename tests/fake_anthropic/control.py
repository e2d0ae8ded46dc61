"""The control port: JSON in, JSON out. It stays up while the API's listener is closed."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import orjson
from aiohttp import web

from .script import DEFAULT, ScriptError, parse, parse_each
from .server import FakeApi


def _reply(data: object, status: int = 200) -> web.Response:
    return web.Response(status=status, body=orjson.dumps(data), content_type="application/json")


def _valid_keys(given: object) -> frozenset[str] | None:
    if given is None:
        return None
    if not isinstance(given, list) or not all(isinstance(key, str) for key in given):
        raise ScriptError("valid_keys: must be a list of strings, or null for any that starts with sk-ant-")
    return frozenset(given)


def control_app(api: FakeApi) -> web.Application:
    """The control port's application."""

    def active() -> dict[str, Any]:
        script = {name: value for name, value in asdict(api.script).items() if value != getattr(DEFAULT, name)}
        return {"script": script, "times_left": api.times_left, "listener": api.listener.state}

    async def get_script(_: web.Request) -> web.Response:
        return _reply(active())

    async def post_script(request: web.Request) -> web.Response:
        try:
            given = orjson.loads(await request.read())
            if isinstance(given, list):
                await api.set_script(*parse_each(given))
                return _reply(active())
            if not isinstance(given, dict):
                raise ScriptError("a script is a JSON object")
            has_keys = "valid_keys" in given
            keys = _valid_keys(given.pop("valid_keys", None))
            script = parse(given)
        except orjson.JSONDecodeError as error:
            return _reply({"error": f"not JSON: {error}"}, 400)
        except ScriptError as error:
            return _reply({"error": str(error)}, 400)
        if has_keys:
            api.valid_keys = keys
        if given or not has_keys:  # keys alone leave the behaviour as it is
            await api.set_script(script)
        return _reply(active())

    async def post_reset(_: web.Request) -> web.Response:
        api.valid_keys = None
        await api.set_script(DEFAULT)
        return _reply(active())

    async def get_requests(_: web.Request) -> web.Response:
        return _reply({"requests": api.journal.shown_requests()})

    async def delete_requests(_: web.Request) -> web.Response:
        api.journal.clear()
        return _reply({"requests": []})

    async def get_stats(_: web.Request) -> web.Response:
        return _reply({"connections_open": api.listener.connections_open, **api.journal.shown_counts()})

    app = web.Application(client_max_size=16 * 1024 * 1024)
    app.add_routes(
        [
            web.get("/script", get_script),
            web.post("/script", post_script),
            web.post("/reset", post_reset),
            web.get("/requests", get_requests),
            web.delete("/requests", delete_requests),
            web.get("/stats", get_stats),
        ]
    )
    return app
