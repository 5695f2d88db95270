"""Ridge regression from many sources, fitted on any choice of them without going through the rows again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

LEAST_SCALE = 0.01  # a column that hardly varies is left at about its scale


class Ridge:
    """Several targets on the same columns: y = bias + (x - mean) . weight, least squares with an L2 penalty.

    The sums of products are kept by source, so that a fit without one is a sum over the others. Columns are
    standardised over the rows of all sources, also of those that a fit leaves out; targets never are.

    rows      by source: values, float32, shape (rows, columns), and targets, shape (rows, targets)
    penalty   of each column, in variances of the column for a mean row; the bias carries none
    """

    def __init__(self, rows: Mapping[str, tuple[np.ndarray, np.ndarray]], penalty: np.ndarray) -> None:
        count = sum(len(values) for values, _ in rows.values())
        self.mean = sum(values.sum(0, dtype=np.float64) for values, _ in rows.values()) / count
        spread = sum(((values - self.mean) ** 2).sum(0) for values, _ in rows.values()) / count
        self._scale = np.maximum(np.sqrt(spread), LEAST_SCALE)
        self._penalty = np.append(penalty, 0.0)
        self._sums = {source: self._sum(*pair) for source, pair in rows.items()}
        self._solved: dict[frozenset[str], np.ndarray] = {}

    def _sum(self, values: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
        x = np.ones((len(values), values.shape[1] + 1), dtype=np.float32)
        x[:, :-1] = (values - self.mean) / self._scale
        return x.T @ x, x.T.astype(np.float64) @ targets, len(x)

    def fit(self, sources: Iterable[str]) -> tuple[np.ndarray, np.ndarray]:
        """(weight, shape (columns, targets); bias, shape (targets,)) from the sources named."""
        from scipy.linalg import cho_factor, cho_solve

        chosen = frozenset(sources)
        if chosen not in self._solved:
            kept = [self._sums[source] for source in sorted(chosen)]
            products = np.zeros((len(self._penalty), len(self._penalty)))
            for part, _, _ in kept:
                products += part
            towards, count = sum(part[1] for part in kept), sum(part[2] for part in kept)
            products[np.diag_indices_from(products)] += self._penalty * count
            self._solved[chosen] = cho_solve(cho_factor(products, overwrite_a=True), towards)
        solved = self._solved[chosen]
        return solved[:-1] / self._scale[:, None], solved[-1]
