"""What the numbers of an examination mean, and what to do about it."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from rawtoolbox.preparation.agreement import MIN_DETAIL
from rawtoolbox.preparation.doctor.cfa import decide_cfa
from rawtoolbox.preparation.doctor.examine import Declared, Examination

FAR, TOO_FAR = 8.0, 20.0  # pixels of displacement: what optical flow finds with some pains, and hardly at all
LEVEL_TOLERANCE = 0.03  # of the range between black and white


class Finding(NamedTuple):
    """One sentence or two, and how bad it is."""

    severity: Literal['ok', 'warning', 'error']
    text: str


def judge(found: Examination, declared: Declared) -> list[Finding]:
    """Judges an examination.

    Returns:
        Findings in the order in which one would look; training should not begin while one is an error.
    """
    findings = [_files(found), _sizes(found)]
    if found.histogram.any():
        findings += [
            _duplicates(found),
            _cfa(found, declared),
            _black(found, declared),
            _white(found, declared),
        ]
        findings += _steps(found)
    if found.agreements:
        findings += [_content(found), _displacement(found)]
    return findings


def shared_pairs(first: Examination, second: Examination) -> Finding | None:
    """An error if two splits have mosaics in common."""
    both = sorted(first.hashes.keys() & second.hashes.keys())
    if not both:
        return None
    names = ', '.join(second.hashes[one][0] for one in both[:5])
    return Finding(
        'error', f'{len(both)} pairs are in both splits ({names}): scores would be too good. Remove them.'
    )


def _files(found: Examination) -> Finding:
    read = found.examined - len(found.unreadable)
    text = f'{found.count} pairs; {read} of {found.examined} that were looked at can be read.'
    if not found.unreadable:
        return Finding('ok', text)
    name, reason = next(iter(found.unreadable.items()))
    return Finding('error', f'{text} The first that cannot, {name}: {reason}')


def _sizes(found: Examination) -> Finding:
    sizes = ', '.join(
        f'raw {_size(raw)} and photo {_size(target)}' + (f' ({count}x)' if len(found.sizes) > 1 else '')
        for (raw, target), count in found.sizes.most_common(4)
    )
    if len(found.sizes) > 1:
        return Finding(
            'warning', f'Sizes differ: {sizes}. They cannot be in one batch unless training crops them.'
        )
    return Finding('ok', f'All are of one size: {sizes}.' if sizes else 'No size is known.')


def _duplicates(found: Examination) -> Finding:
    if not found.duplicates:
        return Finding('ok', 'No raw is there twice.')
    shown = '; '.join(' = '.join(names[:3]) for names in found.duplicates[:3])
    return Finding(
        'warning', f'{len(found.duplicates)} raws are there more than once: {shown}. Remove the copies.'
    )


def _cfa(found: Examination, declared: Declared) -> Finding:
    allowed, green, chroma = decide_cfa(found.cfa)
    numbers = f'(green {green:+.2f}, colour {chroma:+.2f})'
    if len(allowed) == 1 and allowed[0] == declared.cfa:
        return Finding('ok', f'The CFA pattern is {declared.cfa}, as declared {numbers}.')
    if len(allowed) == 4:
        return Finding(
            'warning', f'The CFA pattern cannot be told: the mosaics are almost without colour {numbers}.'
        )
    guess = ' or '.join(allowed)
    if declared.cfa in allowed:
        return Finding(
            'warning',
            f'The CFA pattern is {guess}, {declared.cfa} is declared: red and blue look alike {numbers}.',
        )
    return Finding(
        'error',
        f'The CFA pattern looks like {guess}, {declared.cfa} is declared {numbers}. Set cfa={allowed[0]!r} in '
        'model.data_preprocessor; if the pattern is right, red and blue of the photos are swapped.',
    )


def _black(found: Examination, declared: Declared) -> Finding:
    guess, black = found.percentile(0.001), float(declared.black.mean())
    tolerance = LEVEL_TOLERANCE * (declared.white_level - black)
    text = f'The darkest thousandth of the values reaches up to {guess}; declared black level: {black:g}.'
    if guess < black - tolerance:
        return Finding('error', f'{text} Values lie far below black: it is set too high.')
    if guess > black + tolerance:
        return Finding('warning', f'{text} Either nothing is dark in the pictures, or it is set too low.')
    return Finding('ok', text)


def _white(found: Examination, declared: Declared) -> Finding:
    largest = int(np.flatnonzero(found.histogram)[-1])
    share = found.histogram[max(largest - 1, 0) :].sum() / found.histogram.sum()
    tolerance = LEVEL_TOLERANCE * (declared.white_level - float(declared.black.mean()))
    text = (
        f'The largest value is {largest}, which {share:.2%} of the values have; declared white level: '
        f'{declared.white_level:g}. {found.saturated:.1%} of the photos are pure white.'
    )
    if largest > declared.white_level + tolerance:
        return Finding(
            'error', f'{text} Values lie above white: it is set too low, or the bit depth is wrong.'
        )
    if largest < declared.white_level - tolerance and share > 1e-4:
        return Finding('warning', f'{text} The sensor seems to saturate at {largest}: white is set too high.')
    return Finding('ok', text)


def _steps(found: Examination) -> list[Finding]:
    """A warning if values come in steps, as they do after a shift."""
    step = int(np.gcd.reduce(np.flatnonzero(found.histogram)))
    if step <= 1:
        return []
    return [
        Finding('warning', f'All values are multiples of {step}: they were shifted. The levels must be, too.')
    ]


def _content(found: Examination) -> Finding:
    details = np.array([one.detail for one in found.agreements.values()])
    unlike = float((details < MIN_DETAIL).mean())
    text = f'Raw and photo agree in detail in {1 - unlike:.0%} of the pairs.'
    if unlike > 0.5:
        return Finding(
            'error', f'{text} Most do not show the same: are the folders in the same order and orientation?'
        )
    return Finding('warning' if unlike > 0.2 else 'ok', text)


def _displacement(found: Examination) -> Finding:
    lengths = np.array(found.displacements)
    if not lengths.size:
        return Finding('warning', 'How far raw and photo are apart cannot be told.')
    median, ninety = np.percentile(lengths, [50, 90])
    far = float((lengths > FAR).mean())
    text = (
        f'Mean displacement of a pair: median {median:.1f} pixels, nine of ten below {ninety:.1f}, '
        f'{far:.0%} above {FAR:g}.'
    )
    if median > TOO_FAR:
        return Finding(
            'error', f'{text} Too far for an aligner: match them again by tools/prepare_data/pairs.py.'
        )
    if far > 0.1:
        return Finding(
            'warning', f'{text} Train with an aligner, or match them again by tools/prepare_data/pairs.py.'
        )
    return Finding('ok', text)


def _size(size: tuple[int, int] | None) -> str:
    return 'none' if size is None else f'{size[0]}x{size[1]}'
