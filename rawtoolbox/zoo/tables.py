"""The model zoo as text: model_zoo.md, and tables and pages for the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rawtoolbox.zoo.models import PROTOCOLS, SCORES, SIZE, ModelEntry

UNKNOWN = '-'
HEAD = f"""# Model zoo

Written by `python tools/model_zoo.py write` from `configs/metafile.yml`; edit that file, not this one.

Parameters and multiply-accumulates (GMAC) are computed, for one sRGB image of {SIZE}x{SIZE}. A time says where it was
measured. Scores are PSNR / SSIM / LPIPS by the three protocols (`docs/scores.md`); rows named "Paper" were measured by
the paper's authors on the weights they had, rows named "Measured" with this project. Their weights do not come with
this project: train, or take over official ones as shown below.
"""


def model_zoo_markdown(models: Sequence[ModelEntry]) -> str:
    """The whole of model_zoo.md."""
    parts = [HEAD]
    for data in dict.fromkeys(model.data for model in models):
        chosen = [model for model in models if model.data == data]
        parts += [f'## Trained on: {data}\n', cost_table(chosen)]
        if any(model.results for model in chosen):
            parts.append(score_table(chosen))
    return '\n'.join([*parts, weights_section(models)])


def cost_table(models: Sequence[ModelEntry]) -> str:
    """Network, cost and time of each model."""
    rows = [
        [
            f'[{model.name}]({model.entry["Config"]})',
            f'[{model.collection["Name"]}]({model.collection["Paper"]["URL"]})',
            *costs(model),
            model.entry.get('Metadata', {}).get('Note', ''),
        ]
        for model in models
    ]
    return markdown_table(['model', 'network', 'parameters (M)', 'GMAC', 'time', 'note'], rows)


def score_table(models: Sequence[ModelEntry]) -> str:
    """All known scores, a row for each source."""
    rows = [
        [
            model.name,
            result['Dataset'],
            result['Source'],
            *(scores(result['Metrics'].get(p)) for p in PROTOCOLS),
        ]
        for model in models
        for result in model.results
    ]
    return markdown_table(['model', 'tested on', 'source', *PROTOCOLS], rows)


def weights_section(models: Sequence[ModelEntry]) -> str:
    """How to get official weights, and under which licence."""
    rows = [
        [
            model.name,
            f'`{weights["File"]}`',
            model.collection['Code']['URL'],
            weights['Licence'],
            weights['SHA256'],
            f'`python tools/convert_weights/convert.py {weights["Converter"]} FILE {model.name}.safetensors`',
        ]
        for model in models
        if (weights := model.official_weights)
    ]
    head = (
        '## Official weights\n\nGet the file from the page of its repository, convert it, and give the result to '
        '`tools/test.py`, or to\n`rawtoolbox.apis.get_model(name, weights=...)`, which also takes the official file '
        'as it is. Files are called what the official code calls\nthem. They could not be downloaded where this was '
        'written: hashes are unknown, and the converters are tested on tensors\nwith the official names and shapes.\n'
    )
    return '\n'.join([head, markdown_table(['model', 'file', 'page', 'licence', 'SHA-256', 'convert'], rows)])


def costs(model: ModelEntry) -> list[str]:
    """Parameters in millions, multiply-accumulates in billions, and times."""
    times = [
        f'{entry["Milliseconds"]} ms ({entry["Device"]}, {entry["Source"]})' for entry in model.latencies
    ]
    cost = model.cost
    return [f'{cost.parameters / 1e6:.2f}', f'{cost.macs / 1e9:.1f}', '; '.join(times) or UNKNOWN]


def scores(values: dict[str, float] | None) -> str:
    """PSNR / SSIM / LPIPS.

    >>> scores({'PSNR': 23.76, 'LPIPS': 0.133})
    '23.76 / - / 0.133'
    """
    if not values:
        return UNKNOWN
    return ' / '.join(
        form.format(values[name]) if name in values else UNKNOWN for name, form in SCORES.items()
    )


def terminal_table(models: Sequence[ModelEntry]) -> str:
    """A line a model: name, data, cost, the first known scores, and whether there are official weights."""
    head = ['model', 'data', 'M', 'GMAC', 'ms', 'aligned with raw', 'weights']
    rows = []
    for model in models:
        known = next((r['Metrics'] for r in model.results if PROTOCOLS[1] in r['Metrics']), {})
        fastest = min((entry['Milliseconds'] for entry in model.latencies), default=UNKNOWN)
        rows.append(
            [
                *(model.name, model.data, *costs(model)[:2], str(fastest), scores(known.get(PROTOCOLS[1]))),
                'official' if model.official_weights else UNKNOWN,
            ]
        )
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    lines = [
        '  '.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in [head, *rows]
    ]
    return '\n'.join(line.rstrip() for line in lines)


def terminal_page(model: ModelEntry) -> str:
    """All that is known of a model."""
    collection, weights = model.collection, model.official_weights
    parameters, macs, times = costs(model)
    lines = [
        model.name,
        f'  network     {collection["Name"]}: {collection["Paper"]["Title"]}, {collection["Paper"]["URL"]}',
        f'  config      {model.entry["Config"]}',
        f'  trained on  {model.data}',
        f'  cost        {parameters} M parameters, {macs} GMAC for {SIZE}x{SIZE}',
        f'  time        {times}',
    ]
    if note := model.entry.get('Metadata', {}).get('Note'):
        lines.append(f'  note        {note}')
    for result in model.results:
        lines.append(f'  {result["Source"]} (tested on {result["Dataset"]}), PSNR / SSIM / LPIPS')
        lines += [f'    {name:22}{scores(values)}' for name, values in result['Metrics'].items()]
    if weights:
        convert = (
            f'python tools/convert_weights/convert.py {weights["Converter"]} FILE {model.name}.safetensors'
        )
        lines += [
            f'  weights     {weights["File"]} of {collection["Code"]["URL"]}',
            f'              licence: {weights["Licence"]}; SHA-256: {weights["SHA256"]}',
            f'              {convert}',
        ]
    else:
        lines.append('  weights     none are published: train it')
    return '\n'.join(lines)


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table, with a line break at its end."""
    lines = [head, ['---'] * len(head), *rows]
    return '\n'.join('| ' + ' | '.join(cells) + ' |' for cells in lines) + '\n'
