from pathlib import Path

from vectorops.local.folder import DatabaseRecord
from vectorops.local.ports import find_free_port
from vectorops.local.postgres import PostgresProcess, create_cluster
from vectorops.local.supervisor import DatabaseSupervisor


def test_who_hears_of_a_state_finds_it_among_the_records(tmp_path: Path) -> None:
    create_cluster(tmp_path / "data", user="operator", password="secret", database="vectors")
    server = PostgresProcess(tmp_path / "data", find_free_port(), tmp_path / "postgres.log")
    announced: list[tuple[DatabaseRecord, ...]] = []
    supervisor = DatabaseSupervisor(announced.append)
    found: list[tuple[str, str, bool]] = []

    def note(state: str) -> None:
        [record] = announced[-1]
        found.append((state, record.state, record.pid == server.pid))

    supervisor.add("vectors", server, engine="postgres", served_by="PostgreSQL", on_state=note)
    supervisor.start("vectors")
    supervisor.stop("vectors")
    assert found == [
        ("starting", "starting", True),
        ("available", "available", True),
        ("stopped", "stopped", False),
    ]
