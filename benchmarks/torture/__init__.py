"""Torture: kill, cut and refuse at every point, run the same command again, compare with an undisturbed run."""
