"""The embedded AWS of ``make run``, and everything that starts, feeds and stops it."""
