"""Decides what every attack stands on: the namespaces, the targets, the servers, how a verdict is found and written."""
