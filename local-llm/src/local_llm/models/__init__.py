"""Which model answers: known, fetched, chosen, tried, loaded."""
