"""The gateway's metrics. Names and labels are documented in docs/metrics.md; a test holds the two together."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, disable_created_metrics

from gateway.reasons import REASONS

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series per counter that nobody reads

BACKENDS = ("claude", "local", "none")
DIALECTS = ("openai", "responses", "anthropic")
ERROR_SHAPES = ("openai", "anthropic")  # what nginx refuses, it refuses in one of these
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60)


class Metrics:
    """All series of the gateway, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.active_backend = Gauge(
            "pilotlight_active_backend",
            "1 for the backend that answers now: claude, local, or none.",
            ["backend"],
            registry=self.registry,
        )
        self.active_since = Gauge(
            "pilotlight_active_backend_since_seconds",
            "Unix time of the last change of the active backend.",
            registry=self.registry,
        )
        self.local_ready = Gauge(
            "pilotlight_local_ready",
            "1 while the local model could answer: the parachute is packed.",
            registry=self.registry,
        )
        self.fallback_reason = Gauge(
            "pilotlight_fallback_reason",
            "1 for the reason why Claude is not the active backend now.",
            ["reason"],
            registry=self.registry,
        )
        self.requests = Counter(
            "pilotlight_requests_total",
            "Requests ended, by API dialect, the backend that answered, and outcome "
            "(ok, rescued, client_error, client_gone, broken, refused, nobody).",
            ["dialect", "backend", "outcome"],
            registry=self.registry,
        )
        self.caller_requests = Counter(
            "pilotlight_caller_requests_total",
            "Requests ended, by the name in PILOT_KEYS of the key that they came with; anonymous: by none.",
            ["caller"],
            registry=self.registry,
        )
        self.fallbacks = Counter(
            "pilotlight_fallbacks_total",
            "Requests that the local model answered in Claude's place, by reason.",
            ["reason"],
            registry=self.registry,
        )
        self.rescues = Counter(
            "pilotlight_rescues_total",
            "Streams of Claude's that broke and that the local model finished, by reason.",
            ["reason"],
            registry=self.registry,
        )
        self.transitions = Counter(
            "pilotlight_transitions_total",
            "Changes of the active backend.",
            ["from_backend", "to_backend"],
            registry=self.registry,
        )
        self.fallback_seconds = Counter(
            "pilotlight_fallback_seconds_total",
            "Seconds in which Claude was not the active backend.",
            registry=self.registry,
        )
        self.edge_refusals = Counter(
            "pilotlight_edge_refusals_total",
            "Requests nginx refused at the edge: 401 a wrong key or none, 413 too large, 429 too many at once, 503 "
            "nobody there, 507 no space.",
            ["status", "dialect"],
            registry=self.registry,
        )
        self.disk_free = Gauge(
            "pilotlight_disk_free_bytes",
            "Free space on the disk of the run directory (bodies, logs) and of the state directory (history).",
            ["directory"],
            registry=self.registry,
        )
        self.disk_size = Gauge(
            "pilotlight_disk_size_bytes",
            "Size of the same disks.",
            ["directory"],
            registry=self.registry,
        )
        self.refused_side_tasks = Counter(
            "pilotlight_refused_side_tasks_total",
            "Requests that only Claude may answer, refused because Claude could not: by the client's side task, or by "
            "how the client asked for it (path, header).",
            ["client", "task"],
            registry=self.registry,
        )
        self.notices = Counter(
            "pilotlight_notices_total", "Answers that began with the notice.", registry=self.registry
        )
        self.first_byte = Histogram(
            "pilotlight_time_to_first_byte_seconds",
            "From the request's arrival to the first byte of its answer.",
            ["backend"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.first_token = Histogram(
            "pilotlight_time_to_first_token_seconds",
            "From a streamed request's arrival to the model's first words, the notice not counted.",
            ["backend"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        for backend in BACKENDS:
            self.active_backend.labels(backend).set(0)
        for reason in REASONS:
            self.fallbacks.labels(reason)
            self.rescues.labels(reason)
            self.fallback_reason.labels(reason).set(0)
        for dialect in ERROR_SHAPES:
            for status in ("401", "429", "507"):
                self.edge_refusals.labels(status, dialect)
        # A rate sees no first event in a series that is born with it.
        for backend in BACKENDS:
            for outcome in ("ok", "broken", "nobody"):
                for dialect in DIALECTS:
                    self.requests.labels(dialect, backend, outcome)
            for other in BACKENDS:
                if other != backend:
                    self.transitions.labels(backend, other)
