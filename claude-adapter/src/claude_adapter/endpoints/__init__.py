"""What clients ask: one module for each API, over what they share."""
