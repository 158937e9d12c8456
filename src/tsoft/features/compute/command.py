"""`tsoft compute`: the distribution at each temperature."""

from typing import Annotated

from tsoft.options.bundle import bundle
from tsoft.options.command import bundled, in_panel
from tsoft.options.folder_options import FolderOptions
from tsoft.options.history_options import HistoryOptions, TextSource
from tsoft.options.input import BoundsOptions, EnergyOptions, LogitsOptions
from tsoft.options.into_folder import into_folder
from tsoft.options.output import (
    BitsOptions,
    ChartOptions,
    ContentOptions,
    Displayed,
    OutputOptions,
    PageFigureOptions,
    ResponseDisplayOptions,
)
from tsoft.options.sampler_options import ParameterOptions, SamplerOptions
from tsoft.options.saved_calibration import CalibrationOptions
from tsoft.options.temperatures import TemperatureOptions


@bundle
class ResponseOptions:
    chosen: Annotated[
        bool,
        in_panel("Input")(
            "--chosen",
            help="For an API response: show the token that the server drew, its probability and rank, and how likely"
            " the text is.",
        ),
        Displayed("json", "jsonl"),
    ] = False


@bundle
class ExplanationOptions:
    explain: Annotated[
        bool,
        in_panel("Samplers")(
            "--explain",
            help="Explain the samplers step by step: the classes that each step keeps, the probability that it cuts,"
            " and its threshold.",
        ),
        Displayed("json", "jsonl"),
    ] = False


@bundled
@into_folder
def compute(
    input: LogitsOptions,
    energies: EnergyOptions,
    bounds: BoundsOptions,
    response: ResponseOptions,
    calibration: CalibrationOptions,
    temperatures: TemperatureOptions,
    parameters: ParameterOptions,
    samplers: SamplerOptions,
    history: HistoryOptions,
    explanation: ExplanationOptions,
    output: OutputOptions,
    content: ContentOptions,
    bits: BitsOptions,
    display: ResponseDisplayOptions,
    charts: ChartOptions,
    figure: PageFigureOptions,
    folder: FolderOptions,
) -> None:
    """Compute the probability of each class at each temperature.

    On a terminal, prints a table with bars, and the entropy, perplexity and
    margin of each distribution. In a pipe, prints one line of probabilities
    per row and temperature.

    Examples:
      tsoft compute 2 1 0.5 0.1 --tau 0.5,1,2
      tsoft compute cat=2 dog=1 bird=0.5 --tau 0.7
      some-program | tsoft compute --tau 0.7 --format csv
      some-program | tsoft compute --tau 0.7 --top-k 40 --top-p 0.9 --explain
      some-program | tsoft compute --tau 0.7 --min-p 0.05 --like all
      curl … | tsoft compute --tau 0.7 --chosen --vocab-size 49152
      tsoft compute --energies 0 0.025 --units eV --tau 300
    """
    from tsoft.features.compute.result import ChosenResult, ComputeResult
    from tsoft.options import logits
    from tsoft.options.chosen_formats import kept_for
    from tsoft.options.distribution_result import chosen_forms, write
    from tsoft.options.energies import chosen_ensemble, with_ensemble
    from tsoft.options.plan import make_plan
    from tsoft.options.saved_calibration import saved_calibration
    from tsoft.options.temperatures import parsed_temperatures
    from tsoft.options.writing import view

    folder.refuse()
    text = TextSource(history, input, temperatures.tau)
    plan = make_plan(samplers, parameters, temperatures.tau, explain=explanation.explain, text=text)
    outputs = chosen_forms(
        output, content, bits, display, charts, figure, response, explanation, steps=explanation.explain
    )
    ensemble = None
    if calibration.calibration is None:
        ensemble = chosen_ensemble(input, energies, plan, has_taus=temperatures.tau is not None)
    is_ragged = calibration.calibration is None
    saved = saved_calibration(calibration, energies)
    read = logits.blocks(input, plan.taus, bounds=bounds, ragged=is_ragged, targets=saved.targets, unknown_rows=True)
    blocks = kept_for(outputs, with_ensemble(saved.calibrated(read), ensemble))
    kind = ChosenResult if response.chosen else ComputeResult
    for file, form in outputs:
        result = kind(blocks, parsed_temperatures(plan.taus), plan, form, rows=display.rows, chart=charts.chart)
        write(result, file, lambda: view(output, display, bits=bits.bits, log=content.log), figure)
