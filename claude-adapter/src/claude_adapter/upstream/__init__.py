"""The way to Claude: the client, its connections, the key."""
