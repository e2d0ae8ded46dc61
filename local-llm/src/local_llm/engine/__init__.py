"""From the tokens of a prompt to an answer."""
