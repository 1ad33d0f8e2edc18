"""What operations cost on AWS: the counts of docs/operation-costs.md, to which a test holds them."""

from dataclasses import dataclass

MILLION = 1_000_000
WRITE_DOLLARS, READ_DOLLARS, S3_DOLLARS = 0.625, 0.125, 5.0  # a million units, and calls to S3


@dataclass(frozen=True, slots=True)
class Operation:
    """What one operation takes on average, in a process in steady state."""

    name: str
    write_units: float
    read_units: float
    calls: float
    s3_calls: float

    @property
    def dollars(self) -> float:
        """The price of a million of it, without storage, functions and the root key."""
        return self.write_units * WRITE_DOLLARS + self.read_units * READ_DOLLARS + self.s3_calls * S3_DOLLARS


ENCRYPT = Operation("encrypt a message", 19.4, 0.1, 1.2, 0.0)
DECRYPT = Operation("decrypt a message", 9.0, 2.0, 3.0, 0.0)
UPLOAD = Operation("upload a file", 57.0, 2.0, 13.0, 5.0)
READ = Operation("read a file", 9.0, 3.0, 5.0, 1.0)
SESSION = Operation("run a session of 256 bits, and judge it", 42.0, 4.5, 7.0, 0.0)
OPERATIONS = (
    ENCRYPT,
    DECRYPT,
    UPLOAD,
    READ,
    Operation("list 5 of some files", 0.0, 3.0, 2.0, 0.0),
    Operation("delete a file", 18.0, 3.0, 4.0, 0.0),
    Operation("re-wrap a file", 14.7, 1.1, 0.1, 0.0),
    SESSION,
    Operation("a heartbeat of a job", 1.0, 0.0, 1.0, 0.0),
)
