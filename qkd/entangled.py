"""BBM92: a source of entangled pairs half-way between Alice and Bob, which neither has to trust.

Both measure in one of two bases. What they have is what BB84 with single photons gives: bits that agree but for errors,
and errors of one basis that bound the phase errors of the other (Koashi & Preskill, PRL 90, 057902 (2003)), so the
parties and the bound are the same. A link of this kind is the channel of single photons with the same clicks and errors.
"""

import math
from dataclasses import replace

from qkd.bits import as_number
from qkd.channel import Channel


def entangled_gain_and_error(channel: Channel, distance_km: float, pairs: float) -> tuple[float, float]:
    """Return coincidences per pulse and their error rate, with a source of entangled pairs half-way.

    Args:
        channel: receivers on both sides, each behind half of the fibre; background as for one receiver.
        distance_km: of fibre in all.
        pairs: lambda, half the mean number of pairs per pulse, > 0.

    Source: Ma, Fung, Lo, PRA 76, 012307 (2007), equations 9 and 10, with equal sides and e_0 = 1/2.
    """
    as_number("pairs", pairs, 0, 10, open_low=True)
    eta = replace(channel, distance_km=distance_km / 2).transmittance
    background = channel.dark_count_probability
    one, both = 1 + eta * pairs, 1 + 2 * eta * pairs - eta**2 * pairs
    gain = 1 - 2 * (1 - background) / one**2 + (1 - background) ** 2 / both**2
    visible = 2 * (0.5 - channel.misalignment) * eta**2 * pairs * (1 + pairs) / (one**2 * both)
    return gain, 0.5 if gain <= 0 else min(0.5, max(0.0, 0.5 - visible / gain))


def entangled_channel(channel: Channel, pairs: float) -> Channel:
    """Return the link on which a click is a coincidence of both sides.

    Coincidences of true pairs become detected photons, all others, whose bits are coins, background.

    Args:
        channel: fibre in all, and the receivers on both sides; single photons, no after-pulses, no dead time.
        pairs: lambda, half the mean number of pairs per pulse, (0, 10].

    Raises:
        ValueError: a channel with what the formula does not have, or pairs outside their range.
    """
    if (
        channel.has_decoys
        or channel.after_pulse_probability
        or channel.dead_time_pulses
        or channel.double_clicks
    ):
        raise ValueError("channel must be without decoys, after-pulses, dead time and double clicks")
    if channel.misalignment >= 0.5:
        raise ValueError("channel must have a misalignment below 0.5")
    gain, error = entangled_gain_and_error(channel, channel.distance_km, pairs)
    coins = gain * max(0.0, error - channel.misalignment) / (0.5 - channel.misalignment)
    detected = gain - coins
    return replace(
        channel,
        distance_km=0.0,
        receiver_efficiency=1.0,
        detector_efficiency=max(detected, math.ulp(0.0)),
        dark_count_probability=min(0.5, coins / (1 - detected)) if detected < 1 else 0.0,
        entangled=True,
        name=f"{channel.name}, entangled",
        source=f"{channel.source}; a source of pairs half-way, Ma, Fung, Lo, PRA 76, 012307 (2007)",
    )
