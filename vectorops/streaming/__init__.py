"""User activity on its way: sending events, following recommendations, replaying failures."""
