"""Attacks by name, as requests and command lines give them."""

from qkd.attacks.combination import combined
from qkd.attacks.model import Attack, NoAttack, Noise, Part
from qkd.attacks.resending import Breidbart, DetectorBlinding, InterceptResend
from qkd.attacks.tapping import BeamSplitting, PhotonNumberSplitting

_MODELS: dict[str, type[Part]] = {
    model.kind: model
    for model in (
        InterceptResend,
        Breidbart,
        PhotonNumberSplitting,
        BeamSplitting,
        DetectorBlinding,
        Noise,
    )
}

KINDS: tuple[str, ...] = (NoAttack.kind, *_MODELS)

_NO_BLOCKING = "no_blocking"


def attack(kind: str = NoAttack.kind, **parameters: float | bool | None) -> Attack:
    """An attack by its kind, or by the kinds of its parts.

    Args:
        kind: one of ``KINDS``, hyphens or underscores, or several joined by ``+``. A kind may be followed by
            ``:`` and its fraction, photon-number splitting also by ``:no-blocking``:
            ``intercept-resend:0.1+photon-number-splitting:no-blocking``.
        parameters: of a single kind without such additions: ``fraction`` of the pulses attacked, [0, 1], 1 if not
            given, for all but ``none``; ``blocking`` (true or false) for photon_number_splitting. None counts as not
            given.

    Raises:
        ValueError: unknown kind, a parameter that is out of range or not the kind's, or parts that exclude each
            other.
    """
    given = {name: value for name, value in parameters.items() if value is not None}
    words = kind.replace("-", "_").split("+")
    if given and (len(words) > 1 or ":" in kind):
        raise ValueError(f"{', '.join(given)} must be given within {kind!r}, as in intercept_resend:0.5")
    return combined(*(_part(word.strip(), given) for word in words))


def _part(word: str, given: dict[str, float | bool]) -> Attack:
    kind, *options = word.split(":")
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, not {kind!r}")
    parameters = dict(given)
    for option in options:
        name, value = ("blocking", False) if option == _NO_BLOCKING else ("fraction", _fraction(option, word))
        if name in parameters:
            raise ValueError(f"{name} is given twice in {word!r}")
        parameters[name] = value
    allowed: set[str] = set() if kind == NoAttack.kind else {"fraction"}
    if kind == PhotonNumberSplitting.kind:
        allowed.add("blocking")
    for name in parameters:
        if name not in allowed:
            raise ValueError(f"{name} is not a parameter of the attack {kind!r}")
    return _MODELS[kind](**parameters) if kind in _MODELS else NoAttack()


def _fraction(option: str, word: str) -> float:
    try:
        return float(option.replace("_", "-"))  # back to 1e-3
    except ValueError:
        raise ValueError(f"fraction must be a number in [0, 1] in {word!r}, not {option!r}") from None
