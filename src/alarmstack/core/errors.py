"""Every error the package raises on purpose.

AlarmstackError
├── PlantError          plant.toml says something it must not say
├── SourceError         a historian export cannot be read at all
├── GateRefused         the quality gate turned a drop away; carries the verdict's lines
├── StorageError        the store cannot be read or written
├── ClusterError        there is no Spark to run on
├── BenchError          a benchmark's set is described wrongly or its files are not there
├── FeatureError        a feature was asked for by a name nobody defined
├── NoModelError        the plant has no model for the request
├── ObservationError    rows of plant data on the wire that cannot be taken: unknown keys, wrong order, wrong cadence
├── ServiceError        a service cannot start or cannot be reached
│   └── UpstreamError   another service did not give what was asked of it; carries the status to answer with
├── AccountError        an account cannot be made or changed as asked
│   └── NameTakenError  there is one of that name already
└── RegistryError       the model registry cannot give or take a model
    ├── DamagedError    a stored Bundle is not what was published
    ├── ParityError     a graph and its estimator disagree: no parity, no registration
    └── NotPromotedError  nobody promoted a model of that name

Messages name the value, what is allowed, and the likely fix.
"""


class AlarmstackError(Exception):
    """Base of all errors that a user can correct; the CLI prints its message on one line."""


class PlantError(AlarmstackError):
    """A plant description holds a key or value that is not allowed."""


class SourceError(AlarmstackError):
    """A historian export cannot be read at all."""


class GateRefused(AlarmstackError):  # noqa: N818 - the gate's verdict, named as people say it
    """The quality gate refused a drop."""


class StorageError(AlarmstackError):
    """The store cannot be read or written."""


class ClusterError(AlarmstackError):
    """There is no Spark to run on."""


class BenchError(AlarmstackError):
    """A set of the skill benchmark is described wrongly, or its files are missing."""


class FeatureError(AlarmstackError):
    """An unknown feature name, or a block that features cannot be built from."""


class NoModelError(AlarmstackError):
    """The plant has no model for a request: its plant.toml lacks what such a model learns from."""


class ObservationError(AlarmstackError):
    """Rows of plant data that came over the wire and cannot be taken."""


class ServiceError(AlarmstackError):
    """A service cannot start, or another one cannot be reached."""


class UpstreamError(ServiceError):
    """Another service did not give what was asked of it.

    `status` is what a caller gets: the upstream's own 4xx, 502 for an answer that makes no sense, 503 for none, 504 for a late one.
    """

    def __init__(self, status: int, detail: str, title: str = "", model: str | None = None) -> None:
        super().__init__(detail)
        self.status, self.detail, self.title, self.model = status, detail, title, model


class AccountError(AlarmstackError):
    """An account cannot be made or changed as asked."""


class NameTakenError(AccountError):
    """An account of that name is already there."""


class RegistryError(AlarmstackError):
    """The model registry cannot give or take a model."""


class DamagedError(RegistryError):
    """Files of a stored Bundle are not those that were published."""


class ParityError(RegistryError):
    """An exported graph disagrees with its estimator."""


class NotPromotedError(RegistryError):
    """No version of the model carries the alias that serving looks for."""


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
    "StorageError",
    "UpstreamError",
]
