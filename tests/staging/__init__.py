"""The landing area, and what happens to objects that arrive there."""
