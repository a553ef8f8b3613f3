"""What people read: the view of a run folder, the HTML report, the tables."""
