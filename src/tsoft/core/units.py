"""Units of energy, with Boltzmann's constant in each.

The constants have been exact since 2019, when they became the definition of the SI (BIPM 2019, "The
International System of Units", 9th edition, section 2.2; the same in CODATA 2018, Tiesinga, Mohr, Newell &
Taylor 2021, Rev. Mod. Phys. 93, 025010). The calorie is the thermochemical one, 4.184 J (ISO 80000-5).
"""

from dataclasses import dataclass
from fractions import Fraction

BOLTZMANN = Fraction("1.380649e-23")  # J/K
CHARGE = Fraction("1.602176634e-19")  # C, and J in an electronvolt
AVOGADRO = Fraction("6.02214076e23")  # 1/mol
PLANCK = Fraction("6.62607015e-34")  # J s
LIGHT = Fraction(299_792_458)  # m/s
CALORIE = Fraction("4.184")  # J


@dataclass(frozen=True)
class Unit:
    """A unit of energy with `k`, Boltzmann's constant in this unit per kelvin."""

    name: str
    k: float


def _unit(name: str, joules: Fraction) -> Unit:
    return Unit(name, float(BOLTZMANN / joules))


UNITS = {
    unit.name: unit
    for unit in (
        _unit("eV", CHARGE),
        _unit("kJ/mol", 1000 / AVOGADRO),
        _unit("kcal/mol", 1000 * CALORIE / AVOGADRO),
        # The energy of a photon: h c times its wavenumber.
        _unit("cm-1", PLANCK * LIGHT * 100),
        _unit("K", BOLTZMANN),
    )
}
