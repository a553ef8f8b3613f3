"""How much a crawl does not know: capture-recapture between two independent sweeps.

Chapman's estimator, (n1+1)(n2+1)/(m+1)-1, of a population of which one sweep found n1, the other
n2, and both m, with the normal 95 % interval of Seber's variance. It assumes that the sweeps are
independent and that every study can be found by each; what no query shows is outside of it.
"""

from __future__ import annotations

import math

from migrate.stages.crawl.request import Estimate

_Z_95 = 1.959964


def undiscovered(first: int, second: int, both: int, found: int) -> Estimate:
    """How many studies neither sweep found.

    Args:
        first: Studies that the first sweep found.
        second: Studies that the second found.
        both: Studies that both found.
        found: Studies known in all; the population cannot be smaller.
    """
    population = (first + 1) * (second + 1) / (both + 1) - 1
    spread = (first + 1) * (second + 1) * (first - both) * (second - both)
    variance = spread / ((both + 1) ** 2 * (both + 2))
    margin = _Z_95 * math.sqrt(max(0.0, variance))
    bounds = (population, population - margin, population + margin)
    estimate, low, high = (round(max(0.0, bound - found), 3) for bound in bounds)
    return Estimate(estimate=estimate, low=low, high=high)
