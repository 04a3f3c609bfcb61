"""Terraform: finding it, running it, and reading what it says."""
