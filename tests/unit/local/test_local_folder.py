import os
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from vectorops.errors import LocalTargetError
from vectorops.local.folder import DatabaseRecord, LocalFolder, ServerRecord, exclusive
from vectorops.local.server import STATE_FORMAT, check_state_format

DATABASE = DatabaseRecord("vectors", "postgres", "PostgreSQL 18.4", "available", 20_001, 42, 1)


@pytest.fixture
def folder(tmp_path: Path) -> LocalFolder:
    folder = LocalFolder(tmp_path / "local")
    folder.create()
    return folder


@pytest.fixture
def record() -> ServerRecord:
    created = psutil.Process().create_time()
    return ServerRecord(os.getpid(), created, "running", 20_000, "0.1", "1.5", (DATABASE,))


def test_what_the_server_writes_about_itself_reads_back_the_same(
    folder: LocalFolder, record: ServerRecord
) -> None:
    assert folder.read_record() is None
    folder.write_record(record)
    assert folder.read_record() == record


def test_a_record_is_not_updated_once_it_was_deleted(folder: LocalFolder, record: ServerRecord) -> None:
    folder.write_record(record)
    folder.update_record(state="stopped")
    assert folder.read_record() == replace(record, state="stopped")
    folder.record_file.unlink()
    folder.update_record(state="running")
    assert not folder.record_file.exists()


def test_a_record_with_unknown_fields_is_called_damaged(folder: LocalFolder) -> None:
    folder.record_file.write_text('{"databases": [], "invented": 1}')
    with pytest.raises(LocalTargetError, match=r"cannot read .*invented"):
        folder.read_record()


def test_a_process_is_told_from_a_later_owner_of_its_pid(record: ServerRecord) -> None:
    assert record.is_alive
    assert not replace(record, created=record.created - 60).is_alive


def test_a_lock_is_refused_while_another_holds_it(tmp_path: Path) -> None:
    with exclusive(tmp_path / "lock"), pytest.raises(BlockingIOError), exclusive(tmp_path / "lock"):
        pass
    with exclusive(tmp_path / "lock"):
        pass


def test_a_new_folder_is_marked_with_the_version_that_fills_it(folder: LocalFolder) -> None:
    check_state_format(folder)
    assert f'"format": {STATE_FORMAT}' in (folder.path / "format.json").read_text()
    check_state_format(folder)


@pytest.mark.parametrize("mark", [None, "{", '{"format": 0, "emulator": "1.5.33"}'])
def test_state_without_our_mark_is_refused(folder: LocalFolder, mark: str | None) -> None:
    (folder.emulator_state / "s3.json").write_text("{}")
    if mark:
        (folder.path / "format.json").write_text(mark)
    with pytest.raises(LocalTargetError, match="made by another version"):
        check_state_format(folder)
