"""A vector platform on AWS, and the same thing on a laptop."""

__version__ = "0.1.0"
