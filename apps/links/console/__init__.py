"""Parts of a link's page at the console."""
