"""Is a difference more than chance?

The sample is the patients, not the units: a patient's units go together. So intervals are those of a share of patients (Wilson), an
approximation that is said in the report.
"""

from math import sqrt

Z = 1.96  # 95 %
MIN_PATIENTS_COMPARED = 30  # fewer: shown, marked 少数, not placed in an order


def interval(share: float, patients: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share seen on so many patients."""
    if patients <= 0:
        return 0.0, 1.0
    square = Z * Z / patients
    middle, half = share + square / 2, Z * sqrt(share * (1 - share) / patients + square / patients / 4)
    return max(0.0, (middle - half) / (1 + square)), min(1.0, (middle + half) / (1 + square))


def differs(share: float, patients: int, other: float, other_patients: int | None = None) -> bool:
    """Whether two shares differ by more than chance (Newcombe); without `other_patients` the other is taken as exact."""
    low, high = interval(share, patients)
    other_low, other_high = interval(other, other_patients) if other_patients is not None else (other, other)
    gap = share - other
    below = sqrt((share - low) ** 2 + (other_high - other) ** 2)
    above = sqrt((high - share) ** 2 + (other - other_low) ** 2)
    return gap - below > 0 or gap + above < 0
