"""The vector database: connections, migrations, tables, search."""
