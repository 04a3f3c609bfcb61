"""The source database: its tables, and what is loaded into them."""
