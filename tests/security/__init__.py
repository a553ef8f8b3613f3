"""What an outsider must not see, hear or reach."""
