"""Views: parse, authorise, call a service, render."""
