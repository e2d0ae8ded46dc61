"""Who answered how many requests, and how soon: running totals as the metrics have them."""

from gateway.metrics import BACKENDS, Metrics

# A client's own mistake was answered by no backend, and who left early waited for none.
_COUNTED = ("ok", "rescued", "broken", "nobody")

Totals = dict[str, float]

REFUSED_SIDE_TASKS = "refused_side_tasks"
COLUMNS = (
    *(f"{backend}_{figure}" for backend in BACKENDS for figure in ("requests", "first_words", "first_words_seconds")),
    REFUSED_SIDE_TASKS,
)


def totals(metrics: Metrics) -> Totals:
    """Since the start of this process, by column: requests, streams with first words, and their seconds together."""
    found = dict.fromkeys(COLUMNS, 0.0)
    for series in metrics.requests.collect():
        for sample in series.samples:
            name = f"{sample.labels['backend']}_requests"
            if sample.labels["outcome"] in _COUNTED and name in found:
                found[name] += sample.value
    for series in metrics.first_token.collect():
        for sample in series.samples:
            column = {"_count": "first_words", "_sum": "first_words_seconds"}.get(sample.name.removeprefix(series.name))
            if column and f"{sample.labels['backend']}_{column}" in found:
                found[f"{sample.labels['backend']}_{column}"] += sample.value
    for series in metrics.refused_side_tasks.collect():
        found[REFUSED_SIDE_TASKS] += sum(sample.value for sample in series.samples)
    return found
