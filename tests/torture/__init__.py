"""A platform under clients, kills, stops, faults of AWS, a full disk and poison; then everything is read back."""
