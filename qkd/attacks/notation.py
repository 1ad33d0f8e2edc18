"""Attacks by name, as requests and command lines give them."""

from dataclasses import fields

from qkd.attacks.model import Attack, NoAttack, Part, combination
from qkd.attacks.noise import Noise
from qkd.attacks.resending import Breidbart, DetectorBlinding, InterceptResend
from qkd.attacks.side_channels import TimeShift, TrojanHorse
from qkd.attacks.tapping import BeamSplitting, PhotonNumberSplitting

MODELS: dict[str, type[Part]] = {
    model.kind: model
    for model in (
        InterceptResend,
        Breidbart,
        PhotonNumberSplitting,
        BeamSplitting,
        DetectorBlinding,
        TimeShift,
        TrojanHorse,
        Noise,
    )
}
"""Every kind of attack; a new one is added here, and nowhere else in the engine."""

KINDS: tuple[str, ...] = (NoAttack.kind, *MODELS)

_NOT = "no_"  # before a parameter that is true or false


def attack(kind: str = NoAttack.kind, **parameters: float | bool | None) -> Attack:
    """Make an attack from its kind, or from the kinds of its parts.

    Args:
        kind: one of ``KINDS``, hyphens or underscores, or several joined by ``+``. A kind may be followed by
            ``:`` and its fraction, photon-number splitting also by ``:no-blocking``, others by a name and its value:
            ``intercept-resend:0.1+photon-number-splitting:no-blocking``, ``time-shift:mismatch=0.2``.
        parameters: of a single kind without such additions: ``fraction`` of the pulses attacked, [0, 1], 1 if not
            given, for all but ``none``; ``blocking`` (true or false) for photon_number_splitting, ``mismatch`` for
            time_shift, ``leaked_photons`` for trojan_horse. None counts as not given.

    Raises:
        ValueError: unknown kind, a parameter that is out of range or not the kind's, or parts that exclude each
            other.
    """
    given = {name: value for name, value in parameters.items() if value is not None}
    words = kind.replace("-", "_").split("+")
    if given and (len(words) > 1 or ":" in kind):
        raise ValueError(f"{', '.join(given)} must be given within {kind!r}, as in intercept_resend:0.5")
    return combination(*(_part(word.strip(), given) for word in words))


def _part(word: str, given: dict[str, float | bool]) -> Attack:
    kind, *options = word.split(":")
    if kind != NoAttack.kind and kind not in MODELS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, not {kind!r}")
    model = MODELS.get(kind)
    allowed = {field.name for field in fields(model)} if model else set()
    parameters = dict(given)
    for option in options:
        name, value = _parameter(option, word, model)
        if name in parameters:
            raise ValueError(f"{name} is given twice in {word!r}")
        parameters[name] = value
    for name in parameters:
        if name not in allowed:
            raise ValueError(f"{name} is not a parameter of the attack {kind!r}")
    return model(**parameters) if model else NoAttack()


def _parameter(option: str, word: str, model: type[Part] | None) -> tuple[str, float | bool]:
    flags = {field.name for field in fields(model) if isinstance(field.default, bool)} if model else set()
    name = option.removeprefix(_NOT)
    if name != option and name in flags:
        return name, False
    name, equals, value = option.partition("=")
    return (name, _number(name, value, word)) if equals else ("fraction", _number("fraction", option, word))


def _number(name: str, value: str, word: str) -> float:
    try:
        return float(value.replace("_", "-"))  # back to 1e-3
    except ValueError:
        raise ValueError(f"{name} must be a number in {word!r}, not {value!r}") from None
