#!/usr/bin/env sh
# Fetches the pinned PostgreSQL JDBC driver into .tools/jars, unless the system has one: local Spark reads with it.
set -eu
cd "$(dirname "$0")/.."

VERSION=42.7.7
SUM=157963d60ae66d607e09466e8c0cdf8087e9cb20d0159899ffca96bca2528460

for jar in /usr/share/java/postgresql*.jar .tools/jars/postgresql*.jar; do
    if [ -e "$jar" ]; then exit 0; fi
done

url=https://repo1.maven.org/maven2/org/postgresql/postgresql/$VERSION/postgresql-$VERSION.jar
if ! .venv/bin/python scripts/fetch.py "$url" "$SUM" ".tools/jars/postgresql-$VERSION.jar"; then
    # Everything but the ETL job works without it, and the job says the same.
    echo "hint: for the ETL job, put a PostgreSQL JDBC driver into .tools/jars, or on Debian and Ubuntu:" >&2
    echo "      sudo apt-get install libpostgresql-jdbc-java" >&2
fi
