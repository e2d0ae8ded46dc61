"""Chat Completions to Messages and back. Pure: dict to dict, event to bytes."""
