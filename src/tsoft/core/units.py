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

# Other ways to write the units, in lower case.
_ALIASES = {
    "ev": "eV",
    **dict.fromkeys(("kj", "kj/mole", "kj mol-1", "kj mol^-1", "kj*mol-1", "kj.mol-1", "kjmol", "kj/mol"), "kJ/mol"),
    **dict.fromkeys(
        ("kcal", "kcal/mole", "kcal mol-1", "kcal mol^-1", "kcal*mol-1", "kcalmol", "kcal/mol"), "kcal/mol"
    ),
    **dict.fromkeys(("cm", "1/cm", "/cm", "cm^-1", "cm**-1", "cm⁻¹", "cm−1", "wavenumber", "wavenumbers"), "cm-1"),
    **dict.fromkeys(("k", "kelvin", "kelvins", "°k"), "K"),
}
# Hints for units that tsoft lacks, by name in lower case.
_CONVERSIONS = {
    "mev": "1 meV is 0.001 eV, and 1 MeV is 1e6 eV",
    "kev": "1 keV is 1000 eV",
    "gev": "1 GeV is 1e9 eV",
    **dict.fromkeys(("ha", "hartree", "hartrees", "au", "a.u.", "eh"), "1 hartree is 27.211386246 eV"),
    **dict.fromkeys(("ry", "rydberg"), "1 rydberg is 13.605693123 eV"),
    **dict.fromkeys(("j", "joule", "joules"), "1 J is 6.241509074e18 eV"),
    "j/mol": "1 J/mol is 0.001 kJ/mol",
    "cal/mol": "1 cal/mol is 0.001 kcal/mol",
    "cal": "1 cal/mol is 0.001 kcal/mol",
    "hz": "1 Hz is 3.33564095e-11 cm-1",
    "ghz": "1 GHz is 0.0333564095 cm-1",
    "thz": "1 THz is 33.3564095 cm-1",
}


def unit_hint(name: str) -> str:
    """Return a hint for an unknown unit: the unit that was probably meant, or how to convert the energies; empty if
    the name means nothing to tsoft.

    >>> unit_hint("kJ"), unit_hint("meV")
    ('did you mean kJ/mol?', 'convert the energies: 1 meV is 0.001 eV, and 1 MeV is 1e6 eV')
    """
    if name.lower() == "kt":
        return "leave --units out if the energies and tau are multiples of one kT"
    if alias := _ALIASES.get(name.lower()):
        return f"did you mean {alias}?"
    conversion = _CONVERSIONS.get(name.lower())
    return f"convert the energies: {conversion}" if conversion else ""
