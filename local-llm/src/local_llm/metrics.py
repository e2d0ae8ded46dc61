"""What is counted here, and `GET /metrics`."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from starlette.requests import Request
from starlette.responses import Response

_OUTCOMES = ("ok", "client_error", "client_gone", "busy", "error")
_SHED_CAUSES = ("queue_full", "queue_seconds")


class Metrics:
    """One registry per app."""

    def __init__(self, queue_depth: Callable[[], int]) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        Gauge(
            "pilotlight_local_queue_depth", "Requests waiting for the local model or running on it", registry=registry
        ).set_function(queue_depth)
        self.requests = Counter(
            "pilotlight_local_requests_total", "Chat requests by outcome", ["outcome"], registry=registry
        )
        for outcome in _OUTCOMES:
            self.requests.labels(outcome)  # a rate needs the zero before the first one
        self._model = Gauge(
            "pilotlight_local_model", "1 for the local model that answers now", ["model"], registry=registry
        )
        self.trials = Counter(
            "pilotlight_local_trials_total", "Models tried before they might answer", ["outcome"], registry=registry
        )
        for outcome in ("ok", "failed"):
            self.trials.labels(outcome)
        self.prompt_tokens = Counter(
            "pilotlight_local_prompt_tokens_total", "Tokens in the prompts of requests that ran", registry=registry
        )
        self.evaluated_tokens = Counter(
            "pilotlight_local_prompt_tokens_evaluated_total",
            "Prompt tokens that the prefix cache did not save",
            registry=registry,
        )
        self.evaluated_share = Histogram(
            "pilotlight_local_prompt_evaluated_share",
            "Per request: evaluated prompt tokens over all of its prompt's",
            buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 1),
            registry=registry,
        )
        self.cache_bytes = Gauge(
            "pilotlight_local_cache_bytes", "Saved states of conversations other than the last one", registry=registry
        )
        self.shed = Counter(
            "pilotlight_local_shed_total",
            "Requests refused because the queue was too long",
            ["cause"],
            registry=registry,
        )
        for cause in _SHED_CAUSES:
            self.shed.labels(cause)
        self.prefill_rate = Gauge(
            "pilotlight_local_prefill_tokens_per_second",
            "Rate at which a prompt's first tokens are read, measured at start and kept current",
            registry=registry,
        )
        self.generated_tokens = Counter(
            "pilotlight_local_generated_tokens_total", "Tokens generated", registry=registry
        )
        self.dropped_turns = Counter(
            "pilotlight_local_dropped_turns_total",
            "Turns left out to fit the context window and the time",
            registry=registry,
        )
        self.wait_seconds = Histogram(
            "pilotlight_local_wait_seconds",
            "From a request's arrival in the queue to its turn",
            buckets=(0.01, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 120),
            registry=registry,
        )
        self.prefill_seconds = Histogram(
            "pilotlight_local_prefill_seconds",
            "From a request's turn to its first token",
            buckets=(0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60),
            registry=registry,
        )
        self.decode_rate = Histogram(
            "pilotlight_local_decode_tokens_per_second",
            "Tokens per second of each answer, after its first token",
            buckets=(1, 2, 4, 8, 15, 30, 60, 120, 250),
            registry=registry,
        )

    def model_on(self, name: str) -> None:
        """This model answers from now on, and no other."""
        self._model.clear()
        self._model.labels(name).set(1)

    async def endpoint(self, request: Request) -> Response:
        """Prometheus text."""
        return Response(generate_latest(self.registry), media_type=CONTENT_TYPE_LATEST)
