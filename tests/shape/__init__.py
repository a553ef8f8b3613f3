"""The shape of the program: what imports what, what it costs to start, what is packed."""
