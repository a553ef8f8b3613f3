"""The landing area: objects arrive whole or not at all, and count when they are durable."""
