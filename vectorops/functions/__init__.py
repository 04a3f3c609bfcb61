"""What runs in Lambda: entry points, and what only they need."""
