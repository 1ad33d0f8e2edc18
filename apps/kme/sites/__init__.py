"""Two sites of the platform that share a link: Alice runs at one, Bob at the other (decision 49)."""
