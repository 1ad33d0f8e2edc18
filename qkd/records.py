"""Parameters of a session."""

from dataclasses import dataclass, field

from qkd import authentication, reconciliation
from qkd.attacks import Attack, NoAttack, combination
from qkd.bits import as_integer, as_number
from qkd.channel import Channel
from qkd.finite_key import DEFAULT_EPSILON_SEC
from qkd.vocabulary import DEFAULT_KEY_LENGTH, MAX_KEY_LENGTH, MIN_KEY_LENGTH


@dataclass(frozen=True, kw_only=True)
class SessionParameters:
    """The parameters of a session.

    Attributes:
        key_length: bits of the final key, 64 to 1,048,576; the fewest where ``variable_length``.
        error_rate: of a lossless channel, [0, 0.5]; either this or ``channel``.
        channel: fibre and receiver; either this or ``error_rate``.
        attack: what Eve does, or several things that she does together; the plan does not know of her.
        seed: None for a secret key; 0 to 2**128 - 1 for a reproducible study, whose key is marked non-secret.
        epsilon_sec: secrecy of the key, [1e-30, 0.01].
        epsilon_cor: probability that the two keys differ unnoticed, [1e-24, 0.01].
        epsilon_auth: probability that a tampered classical channel stays unnoticed, [1e-24, 0.01].
        sample_fraction: of the sifted bits, compared and discarded, [0.01, 0.9]; None for the best. Not to be given
            for a channel with biased bases or decoys, where the whole diagonal basis is compared.
        confidence: of the interval of the QBER, [0.5, 0.999999].
        optimise: let the plan choose the basis bias, and the intensities and their probabilities, that take the
            fewest pulses.
        kernel: of the reconciliation: numpy, numba, or auto for numba where it is installed and the string, or all
            strings that this process has corrected, are long. Both ask the same questions.
        frame_bits: longest frame of the reconciliation, 1,024 to 2^20.
        low_latency: reconcile with fewer round trips and a few more disclosed parities; None for what this machine
            does faster: with numpy the low-latency mode, with numba the other.
        variable_length: the key takes all that the bound gives of what was measured, at least ``key_length``, up to
            1,048,576 bits.

    Raises:
        ValueError: a value outside its range, of a wrong type, both or neither of error_rate and channel, or
            attacks that exclude each other.
    """

    key_length: int = DEFAULT_KEY_LENGTH
    error_rate: float | None = None
    channel: Channel | None = None
    attack: Attack | tuple[Attack, ...] = field(default_factory=NoAttack)
    seed: int | None = None
    epsilon_sec: float = DEFAULT_EPSILON_SEC
    epsilon_cor: float = reconciliation.DEFAULT_EPSILON_COR
    epsilon_auth: float = authentication.DEFAULT_EPSILON_AUTH
    sample_fraction: float | None = None
    confidence: float = 0.99
    optimise: bool = False
    kernel: str = "auto"
    frame_bits: int = reconciliation.DEFAULT_FRAME_BITS
    low_latency: bool | None = None
    variable_length: bool = False

    def __post_init__(self) -> None:
        """Check every parameter."""
        as_integer("key_length", self.key_length, MIN_KEY_LENGTH, MAX_KEY_LENGTH)
        if (self.error_rate is None) == (self.channel is None):
            raise ValueError("exactly one of error_rate and channel must be given")
        if self.error_rate is not None:
            as_number("error_rate", self.error_rate, 0, 0.5)
        if self.channel is not None and not isinstance(self.channel, Channel):
            raise ValueError(f"channel must be a Channel, not {type(self.channel).__name__}")
        self._check_attack()
        if self.seed is not None:
            as_integer("seed", self.seed, 0, 2**128 - 1)
        as_number("epsilon_sec", self.epsilon_sec, 1e-30, 0.01)
        as_number("epsilon_cor", self.epsilon_cor, 1e-24, 0.01)
        as_number("epsilon_auth", self.epsilon_auth, 1e-24, 0.01)
        as_number("confidence", self.confidence, 0.5, 0.999999)
        as_integer("frame_bits", self.frame_bits, 1024, reconciliation.MAX_FRAME_BITS)
        reconciliation.kernel_name(self.kernel, 0)
        allowed = {"optimise": bool, "variable_length": bool, "low_latency": bool | None}
        for name, kind in allowed.items():
            if not isinstance(getattr(self, name), kind):
                raise ValueError(f"{name} must be true or false")  # noqa: TRY004 - one error type
        if self.sample_fraction is not None:
            as_number("sample_fraction", self.sample_fraction, 0.01, 0.9)
            if self.link.compares_a_basis or self.optimise:
                raise ValueError(
                    "sample_fraction must not be given for a channel with biased bases or decoys, nor with optimise"
                )

    def _check_attack(self) -> None:
        for one in self._attacks:
            if not isinstance(one, Attack):
                raise ValueError(f"attack must be an Attack, or a tuple of them, not {type(one).__name__}")  # noqa: TRY004 - one error type
        combination(*self._attacks)

    @property
    def _attacks(self) -> tuple[Attack, ...]:
        return self.attack if isinstance(self.attack, tuple) else (self.attack,)

    @property
    def eavesdropper(self) -> Attack:
        """All that Eve does."""
        return combination(*self._attacks)

    @property
    def link(self) -> Channel:
        """The channel, whichever way it was given."""
        return Channel.from_error_rate(self.error_rate or 0.0) if self.channel is None else self.channel
