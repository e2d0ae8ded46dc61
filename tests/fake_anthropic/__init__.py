"""A stand-in for the Anthropic API: a real program on loopback, faithful by default and scriptable while it runs."""
