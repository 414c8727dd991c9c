"""Every error that the package raises on purpose.

AlarmstackError
├── PlantError          plant.toml has a key or value that is not allowed
├── SourceError         a historian export cannot be read at all
├── GateRefused         the quality gate refused a drop; contains the lines of the report
├── StorageError        the store cannot be read or written
├── ClusterError        Spark is not available
├── BenchError          a benchmark set is described wrongly or its files are missing
├── FeatureError        a feature name is unknown, or a block cannot give features
├── SplitError          a history is too short to be split for an evaluation
├── NoModelError        the plant has no model for the request
├── ObservationError    rows of plant data are refused: unknown keys, wrong order or cadence
├── ServiceError        a service cannot start or cannot be reached
│   └── UpstreamError   another service failed; contains the status to answer with
├── AccountError        an account cannot be created or changed as requested
│   └── NameTakenError  an account of that name exists
└── RegistryError       the model registry cannot load or store a model
    ├── DamagedError    a stored Bundle differs from what was published
    ├── ParityError     a graph and its estimator disagree: the model is not registered
    └── NotPromotedError  no model of that name is promoted

A message names the value, what is allowed, and the likely fix.
"""


class AlarmstackError(Exception):
    """Base of all errors that a user can correct; the CLI prints its message on one line."""


class PlantError(AlarmstackError):
    """A plant description holds a key or value that is not allowed."""


class SourceError(AlarmstackError):
    """A historian export cannot be read at all."""


class GateRefused(AlarmstackError):  # noqa: N818 - the name of the gate's decision
    """The quality gate refused a drop."""


class StorageError(AlarmstackError):
    """The store cannot be read or written."""


class ClusterError(AlarmstackError):
    """Spark is not available."""


class BenchError(AlarmstackError):
    """A benchmark set is described wrongly, or its files are missing."""


class FeatureError(AlarmstackError):
    """An unknown feature name, or a block that features cannot be built from."""


class SplitError(AlarmstackError):
    """A history is too short for a walk-forward fold."""


class NoModelError(AlarmstackError):
    """The plant has no model for a request: its plant.toml lacks what such a model learns from."""


class ObservationError(AlarmstackError):
    """Rows of plant data in a request or in the feed are refused."""


class ServiceError(AlarmstackError):
    """A service cannot start, or another service cannot be reached."""


class UpstreamError(ServiceError):
    """Another service did not answer a request as it must.

    `status` is what the caller gets: the 4xx of the other service, 502 for an unreadable answer,
    503 for no answer, 504 for a late one.
    """

    def __init__(self, status: int, detail: str, title: str = "", model: str | None = None) -> None:
        super().__init__(detail)
        self.status, self.detail, self.title, self.model = status, detail, title, model


class AccountError(AlarmstackError):
    """An account cannot be created or changed as requested."""


class NameTakenError(AccountError):
    """An account of that name exists."""


class RegistryError(AlarmstackError):
    """The model registry cannot load or store a model."""


class DamagedError(RegistryError):
    """Files of a stored Bundle differ from those that were published."""


class ParityError(RegistryError):
    """An exported graph disagrees with its estimator."""


class NotPromotedError(RegistryError):
    """No version of the model has the alias that serving looks for."""


__all__ = [
    "AccountError",
    "AlarmstackError",
    "BenchError",
    "ClusterError",
    "DamagedError",
    "FeatureError",
    "GateRefused",
    "NameTakenError",
    "NoModelError",
    "NotPromotedError",
    "ObservationError",
    "ParityError",
    "PlantError",
    "RegistryError",
    "ServiceError",
    "SourceError",
    "SplitError",
    "StorageError",
    "UpstreamError",
]
