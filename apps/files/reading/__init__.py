"""Reading: content, ranges, downloads, and the keys that clients decrypt with."""
