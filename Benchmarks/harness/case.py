"""What a case is, and how results of both sides are read. Not here: the cases."""
import statistics

import measure


class Arm:
    """One side of a comparison. `run(context)` gives a result of `outcome`."""

    def __init__(self, name, words, run):
        self.name, self.words, self.run = name, words, run


class Case:
    """Arms that are compared, fanoise's first.

    agreement(context): says in words how well the sides agree, or raises Failed.
    flops(context): useful operations of one unit of a rate, or of what took the seconds; None: not counted.
    most_rounds: a limit for long cases.
    """

    def __init__(self, name, what, unit, arms, agreement, flops=None, lower_is_better=False, most_rounds=None, compares=True):
        self.name, self.what, self.unit, self.arms, self.agreement = name, what, unit, arms, agreement
        self.flops, self.lower_is_better, self.most_rounds, self.compares = flops, lower_is_better, most_rounds, compares


def outcome(result, value, losses=(), more=None):
    """What an arm gives: its value, and what was seen of it from outside."""
    return {"value": value, "losses": list(losses), "more": more or {},
            **{key: result[key] for key in ("peak_bytes", "others", "cpu_seconds")}}


def settled(values, warm):
    """Without the first steps, as far as there are others."""
    return values[min(warm, len(values) - 1):]


def trained(result, warm=4):
    """A training run of fanoise: samples a second, losses of the first steps."""
    rows = result["rows"]
    return outcome(result, statistics.median(row["samples_per_second"] for row in settled(rows, warm)),
                   [row["loss"] for row in rows[:5]])


def peer_trained(result):
    """The same of a peer's JSON object."""
    return outcome(result, result["json"]["samples_per_second"], result["json"].get("losses", [])[:5])


def same_losses(ours, theirs, first, later, steps=5):
    """Steps from one start agree: equal losses, and equal gradients as far as the following losses show."""
    differences = [abs(a - b) / max(abs(b), 1e-9) for a, b in zip(ours["losses"], theirs["losses"])][:steps]
    if len(differences) < steps or differences[0] > first or max(differences) > later:
        raise measure.Failed(f"the sides do not compute the same: losses {ours['losses']} and {theirs['losses']}")
    return (f"losses of {steps} steps from the same weights on the same rows differ by {differences[0]:.1e} at the first and "
            f"{max(differences):.1e} at most (relative)")
