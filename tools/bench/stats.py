# SPDX-License-Identifier: Apache-2.0
"""Medians and spreads of paired differences."""

import statistics


def trimmed_mean(values, drop=0.05):
    """Without the slowest: an interrupt that hit one turn says nothing of the probes."""
    kept = sorted(values)
    kept = kept[:max(1, round(len(kept) * (1 - drop)))]
    return sum(kept) / len(kept)


def against_neighbours(values):
    """Each value but the ends, less the mean of those before and after it: a slow
    drift of the machine falls out."""
    return [value - (before + after) / 2
            for before, value, after in zip(values, values[1:], values[2:])]


class Spread:
    """A median and the extremes of the middle half of the rounds."""

    def __init__(self, values):
        self.count = len(values)
        self.median = statistics.median(values)
        if self.count > 1:
            self.low, _, self.high = statistics.quantiles(values, n=4, method="inclusive")
        else:
            self.low = self.high = self.median

    def as_json(self):
        return {"median": round(self.median, 4), "q1": round(self.low, 4),
                "q3": round(self.high, 4), "rounds": self.count}
