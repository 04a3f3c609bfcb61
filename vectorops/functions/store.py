"""What a warm function keeps between invocations: the model and the catalogue, as fresh as the database."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vectorops.database.tables import VectorTable
from vectorops.errors import DatabaseError, InputDataError
from vectorops.functions.configuration import Configuration
from vectorops.functions.deadline import Deadline
from vectorops.functions.session import Session
from vectorops.recommender.catalogue import Catalogue
from vectorops.recommender.catalogue_loading import (
    TableState,
    item_table,
    load_catalogue,
    read_table_state,
    table_state_statement,
)
from vectorops.recommender.catalogue_table import Rows, Statement, table_catalogue
from vectorops.recommender.inference import UserModel
from vectorops.recommender.recommend_model import PublishedUserModel, read_user_model

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_MIB = 1024 * 1024
# So many tables are not replaced while one is read.
_READS = 3


class ModelChangedError(DatabaseError):
    """Vectors of another model have come into the item table; the next recommender is of that model."""


@dataclass(frozen=True)
class Recommender:
    """A model and the catalogue whose item vectors it belongs to.

    Attributes:
        model: The user tower.
        catalogue: In memory or in the database.
        model_version: Of the tower.
    """

    model: UserModel
    catalogue: Catalogue
    model_version: str


@dataclass(frozen=True)
class _Held:
    state: TableState
    read_at: float
    table: VectorTable
    published: PublishedUserModel
    recommender: Recommender
    items_version: str | None


class Store:
    """Keeps a recommender that is read again when the item table has changed.

    It has changed when `vectorops.load_log` has a newer load of it, when another table has taken its name, or
    when its searches have another index or setting. Changes that nobody records are seen after the configured
    age. The model is the one the last load names, so users and items are always embedded by the same one.

    Args:
        configuration: Of the function.
        session: To the database.
        s3_client: Client that may read the artefact bucket.
        clock: Seconds that only go forward.
    """

    def __init__(
        self,
        configuration: Configuration,
        session: Session,
        s3_client: "S3Client",
        *,
        clock: Callable[[], float],
    ) -> None:
        self._configuration = configuration
        self._session = session
        self._s3_client = s3_client
        self._clock = clock
        self._held: _Held | None = None

    def recommender(self, deadline: Deadline) -> Recommender:
        """Return the recommender, after asking the database, in one round trip, whether it is still current.

        Args:
            deadline: When waiting for the database ends, here and in what the recommender is used for.

        Raises:
            DatabaseError: The database is away, or has no usable item table.
            InputDataError: There are no item vectors, or there is no model that belongs to them.
            AwsError: The secret or the artefact bucket cannot be read.
        """
        self._session.deadline = deadline
        state = self._state()
        if self._held is None or not self._is_current(self._held, state):
            self._held = self._read_whole(state)
        return self._held.recommender

    def _state(self) -> TableState:
        [[row]] = self._session.query([table_state_statement(self._configuration.item_table)])
        return read_table_state(row)

    def _read_whole(self, state: TableState) -> _Held:
        """Read model and catalogue, and again if vectors of another model have come in between the two."""
        for _ in range(_READS):
            self._held = self._read(state)
            if self._held.items_version == state.model_version:
                return self._held
            state = self._state()
        self._held = None
        raise DatabaseError(
            f"'{self._configuration.item_table}' is loaded with vectors of other models all the time",
            hint="let one model's embeddings be in use for longer than it takes to read them",
        )

    def _is_current(self, held: _Held, state: TableState) -> bool:
        age_s = self._clock() - held.read_at
        return held.state == state and age_s < self._configuration.catalogue_max_age_s

    def _read(self, state: TableState) -> _Held:
        before, self._held = self._held, None
        started = self._clock()
        table = self._table(state, before)
        published = read_user_model(
            self._s3_client,
            self._configuration.ml_artifacts_bucket,
            state.model_version,
            held=before.published if before else None,
        )
        if published.model.dimension != table.dimension:
            raise InputDataError(
                f"model '{published.manifest.model_version}' makes vectors of {published.model.dimension} "
                f"dimensions, and '{table.full_name}' holds {table.dimension}",
                hint="load the item embeddings of the same model, with --model-version",
            )
        version = published.manifest.model_version
        del before  # two catalogues at a time may not fit
        catalogue, items_version = self._catalogue(state, table)
        recommender = Recommender(published.model, catalogue, version)
        return _Held(state, started, table, published, recommender, items_version)

    def _table(self, state: TableState, before: _Held | None) -> VectorTable:
        if before is not None and before.state.oid == state.oid:
            return before.table
        return self._session.use(lambda connection: item_table(connection, self._configuration.item_table))

    def _catalogue(self, state: TableState, table: VectorTable) -> tuple[Catalogue, str | None]:
        """Return the catalogue, and the model version of its items."""
        session = self._session
        if state.size_bytes > self._configuration.catalogue_budget_mb * _MIB:
            query = self._query_of(state)
            return session.use(
                lambda connection: table_catalogue(connection, table, query)
            ), state.model_version
        catalogue, items_version = session.use(lambda connection: load_catalogue(connection, table))
        if not len(catalogue):
            # What is delivered without recommendations stays so; what fails can be replayed after the load.
            raise InputDataError(
                f"'{table.full_name}' holds no vectors", hint="load some with 'vectorops load-embeddings'"
            )
        return catalogue, items_version

    def _query_of(self, state: TableState) -> Callable[[Sequence[Statement]], list[Rows]]:
        """Return the session's query, which finds nothing but vectors of the model that `state` names."""
        check = table_state_statement(self._configuration.item_table)

        def query(statements: Sequence[Statement]) -> list[Rows]:
            # After the search, in the same round trip: what has not changed by then had not changed before.
            *found, [row] = self._session.query([*statements, check])
            if read_table_state(row).model_version != state.model_version:
                raise ModelChangedError("a load of another model has come between two questions")
            return found

        return query
