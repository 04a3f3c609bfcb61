"""RDS: every DB instance is a real database server, with a managed secret when one is asked for.

The library runs databases in Docker containers, and without Docker reports instances as available that nobody
can connect to. It knows no managed master password and no roles of instances.
"""

import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ministack.services import rds

from vectorops.local.emulator import rds_roles, rds_secret
from vectorops.local.emulator.databases import Databases, Instance
from vectorops.local.emulator.mending import Function, need, replace
from vectorops.local.emulator.rds_xml import instance_xml
from vectorops.local.ports import find_free_port, is_port_free
from vectorops.local.supervisor import DatabaseSupervisor

Params = dict[str, Any]

_ENGINES = ("postgres", "mysql", "mariadb")
_UNSUPPORTED = (
    "CreateDBCluster",
    "CreateDBInstanceReadReplica",
    "CreateDBSnapshot",
    "RestoreDBInstanceFromDBSnapshot",
)
_SETTLED = ("available", "failed", "stopped")


class Rds:
    """The mended parts of RDS, which share the real databases."""

    def __init__(self, databases: Databases) -> None:
        self.databases = databases

    def wait_until_settled(self) -> None:
        """Return when every restored instance is up, or has failed."""
        while any(one["DBInstanceStatus"] not in _SETTLED for one in rds._instances.all_values()):
            time.sleep(0.02)

    def create(self, original: Function) -> Function:
        """Make the instance's record, its secret and its server."""

        def create_db_instance(p: Params) -> Any:
            if refused := _refuse_creation(p):
                return refused
            password = rds._p(p, "MasterUserPassword") or secrets.token_urlsafe(24)
            port = int(rds._p(p, "Port") or _unused_port())
            response = original({**p, "MasterUserPassword": [password], "Port": [str(port)]})
            if response[0] != 200:
                return response
            instance = rds._instances[rds._p(p, "DBInstanceIdentifier")]
            instance["DBName"] = rds._p(p, "DBName")
            _keep_dropped_fields(instance, p)
            if _is_true(p, "ManageMasterUserPassword"):
                rds_secret.create(instance, password, rds._p(p, "MasterUserSecretKmsKeyId"))
            self.databases.create(instance, port=port, password=password)
            return rds._single_instance_response(
                "CreateDBInstanceResponse", "CreateDBInstanceResult", instance
            )

        return create_db_instance

    def delete(self, original: Function) -> Function:
        """Delete the server, its data and its secret with the record."""

        def delete_db_instance(p: Params) -> Any:
            instance = rds._resolve_instance(rds._p(p, "DBInstanceIdentifier"))
            if instance and not _is_true(p, "SkipFinalSnapshot"):
                return _cannot("take a final snapshot; delete with SkipFinalSnapshot")
            response = original(p)
            if response[0] == 200:
                self.databases.delete(instance["DBInstanceIdentifier"])
                rds_secret.delete(instance)
            return response

        return delete_db_instance

    def modify(self, original: Function) -> Function:
        """Carry out what a change means for the server."""

        def modify_db_instance(p: Params) -> Any:
            instance = rds._resolve_instance(rds._p(p, "DBInstanceIdentifier"))
            if instance is None:
                return original(p)
            for name in ("NewDBInstanceIdentifier", "DBPortNumber"):
                if rds._p(p, name):
                    return _cannot(f"change an instance's {name}; replace the instance")
            response = original(p)
            if response[0] == 200:
                _keep_dropped_fields(instance, p)
                self._change_password(instance, p)
                response = rds._single_instance_response(
                    "ModifyDBInstanceResponse", "ModifyDBInstanceResult", instance
                )
            return response

        return modify_db_instance

    def _change_password(self, instance: Instance, p: Params) -> None:
        managed = "MasterUserSecret" in instance
        given = rds._p(p, "MasterUserPassword")
        begin = _is_true(p, "ManageMasterUserPassword") and not managed
        rotate = _is_true(p, "RotateMasterUserPassword") and managed
        if not (given or begin or rotate):
            return
        password = given or secrets.token_urlsafe(24)
        self.databases.set_password(instance, password)
        if begin:
            rds_secret.create(instance, password, rds._p(p, "MasterUserSecretKmsKeyId"))
        elif rotate:
            rds_secret.update(instance, password)
        else:
            rds_secret.delete(instance)

    def stop(self, original: Function) -> Function:
        """Stop the server with the record."""

        def stop_db_instance(p: Params) -> Any:
            response = original(p)
            if response[0] == 200:
                self.databases.stop(rds._p(p, "DBInstanceIdentifier"))
            return response

        return stop_db_instance

    def start(self, original: Function) -> Function:
        """Start the server with the record."""

        def start_db_instance(p: Params) -> Any:
            response = original(p)
            if response[0] == 200:
                self.databases.start(rds._resolve_instance(rds._p(p, "DBInstanceIdentifier")))
            return response

        return start_db_instance

    def finish_reboot(self, original: Function) -> Function:
        """Restart the server; the library calls this in the background."""

        def finish_instance_reboot(instance: Instance, cluster: Any) -> None:
            self.databases.restart(instance["DBInstanceIdentifier"])
            if instance["DBInstanceStatus"] == "available":
                # What is left to do without a container: the event.
                instance["DBInstanceStatus"] = "rebooting"
                original(instance, cluster)

        return finish_instance_reboot

    def restore(self, original: Function) -> Function:
        """Start the server of an instance from the saved state; the library calls this in the background."""

        def start_for_instance(db_id: str, instance: Instance) -> None:
            self.databases.restore(instance)

        return start_for_instance


def install(folder: Path, supervisor: DatabaseSupervisor, on_change: Callable[[], None]) -> Rds:
    """Mend the library.

    Args:
        folder: Where the databases' data is.
        supervisor: Keeps the servers running.
        on_change: Called when the record of an instance has changed outside a request.
    """
    need(rds, "_instances", "_resolve_instance", "_p", "_error", "_single_instance_response", "_ACTION_MAP")
    mended = Rds(Databases(folder, supervisor, on_change))
    replace(rds, "_get_docker", lambda original: lambda: None)
    replace(rds, "_instance_xml", instance_xml)
    replace(rds, "_create_db_instance", mended.create)
    replace(rds, "_delete_db_instance", mended.delete)
    replace(rds, "_modify_db_instance", mended.modify)
    replace(rds, "_stop_db_instance", mended.stop)
    replace(rds, "_start_db_instance", mended.start)
    replace(rds, "_finish_instance_reboot", mended.finish_reboot)
    replace(rds, "_start_rds_container_for_instance", mended.restore)
    # The server restarts instead, and the password is not in the record.
    replace(rds, "_rotate_instance_password", lambda original: lambda instance, old, new: None)
    rds._ACTION_MAP["AddRoleToDBInstance"] = rds_roles.add_role
    rds._ACTION_MAP["RemoveRoleFromDBInstance"] = rds_roles.remove_role
    for action in _UNSUPPORTED:
        rds._ACTION_MAP[action] = lambda p, action=action: _cannot(f"do {action}")
    return mended


def _refuse_creation(p: Params) -> Any:
    engine = rds._p(p, "Engine") or "postgres"
    if engine not in _ENGINES or rds._p(p, "DBClusterIdentifier"):
        return _cannot(f"run engine '{engine}'; it has {', '.join(_ENGINES)}, without clusters")
    given, managed = rds._p(p, "MasterUserPassword"), _is_true(p, "ManageMasterUserPassword")
    if bool(given) == managed:
        why = "give either MasterUserPassword or ManageMasterUserPassword"
        return rds._error("InvalidParameterCombination", why, 400)
    port = rds._p(p, "Port")
    if port and not is_port_free(int(port)):
        why = f"port {port} is taken by another program on this machine; free it, or ask for no port"
        return rds._error("InvalidParameterValue", why, 400)
    return None


def _unused_port() -> int:
    # A database that is being made has a port, and does not listen on it yet.
    given = {instance["Endpoint"]["Port"] for instance in rds._instances.all_values()}
    while (port := find_free_port()) in given:
        pass
    return port


def _keep_dropped_fields(instance: Instance, p: Params) -> None:
    """Keep what the request says and the library's record leaves out, so that a plan sees it again."""
    for name in ("PreferredBackupWindow", "PerformanceInsightsKMSKeyId"):
        if value := rds._p(p, name):
            instance[name] = value
    exports = rds._parse_member_list(p, "EnableCloudwatchLogsExports")
    if exports:
        instance["EnabledCloudwatchLogsExports"] = exports


def _is_true(p: Params, name: str) -> bool:
    return bool(rds._p(p, name) == "true")


def _cannot(what: str) -> Any:
    return rds._error("InvalidParameterCombination", f"The local target cannot {what}.", 400)
